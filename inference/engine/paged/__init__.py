"""The accelerator's path: a cache in pages, kernels that read it there, decode steps as graphs."""
