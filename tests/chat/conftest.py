"""A site with two scripted models."""

from tests.support.scripted_fixtures import cards, failing, scripted

__all__ = ["cards", "failing", "scripted"]
