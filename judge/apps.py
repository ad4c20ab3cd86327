"""The app's name for Django."""

from django.apps import AppConfig


class JudgeConfig(AppConfig):
    """Names the app."""

    name = "judge"
