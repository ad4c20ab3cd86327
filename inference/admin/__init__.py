"""Models, endpoints, API keys and their use as moderators see them."""

from inference.admin import cards, key_pages, usage_pages

__all__ = ["cards", "key_pages", "usage_pages"]
