"""Speculative decoding: guess several tokens cheaply, let the model check them in one pass."""
