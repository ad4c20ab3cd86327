"""HTTP as providers use it: bounded streams, clear errors, retries that know their budget."""
