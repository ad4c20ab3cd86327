"""Synthetic small talk in English and Chinese: what the demo models are taught and asked."""
