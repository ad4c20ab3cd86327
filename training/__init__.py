"""Fine-tuning and the corpora it learns from."""
