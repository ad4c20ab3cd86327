"""Many fine-tunings of one model in one batch: low-rank additions, each to its own rows."""
