"""The engine: many answers from one model at once, by continuous batching. Torch, no Django."""
