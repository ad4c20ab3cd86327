"""Answers judged by language models (MT-bench)."""
