"""The app's name for Django."""

from django.apps import AppConfig


class ArenaConfig(AppConfig):
    """Names the app."""

    name = "arena"
