"""Loading: from a folder or hub id to a model on a device. Torch, no Django."""
