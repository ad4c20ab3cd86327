"""The plain way: a model keeps its own memory of sequences, and is asked as `generate` asks it."""
