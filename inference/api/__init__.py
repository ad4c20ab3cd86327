"""The OpenAI-compatible API: what programs send, checked, and what they get back."""
