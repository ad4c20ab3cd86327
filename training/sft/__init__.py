"""Supervised fine-tuning: from dialogues to weights that answer, with torch and without Django."""
