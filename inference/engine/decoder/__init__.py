"""The fast decoder: a transformers model's own weights, computed with as few calls as possible."""
