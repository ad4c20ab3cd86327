"""The app's name for Django."""

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Names the app."""

    name = "inference"
