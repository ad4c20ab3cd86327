"""Encoder-decoders: an encoder reads the prompt once, a decoder writes the answer beside it."""
