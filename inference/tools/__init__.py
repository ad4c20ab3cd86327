"""Tools: how models of each kind call functions, and how their calls are read."""
