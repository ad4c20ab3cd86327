"""Chat templates: how each family of models wants a conversation written. Jinja, no torch."""
