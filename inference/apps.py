"""The app's name for Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InferenceConfig(AppConfig):
    """Names the app."""

    name = "inference"
    verbose_name = _("Models and API")
