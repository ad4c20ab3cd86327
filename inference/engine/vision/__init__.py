"""Images in the engine: from a file's bytes to the states a decoder reads."""
