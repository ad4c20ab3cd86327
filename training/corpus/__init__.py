"""Training data: where dialogues come from and how they are cleaned."""
