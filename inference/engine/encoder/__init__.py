"""Models without a head for generation: whole texts in, states of their tokens out."""
