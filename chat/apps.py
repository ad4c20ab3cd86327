"""The app's name for Django."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Names the app."""

    name = "chat"
