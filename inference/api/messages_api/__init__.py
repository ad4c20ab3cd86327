"""`/v1/messages`: Anthropic's protocol over the same models."""
