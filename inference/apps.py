"""The app's name for Django, and what it does when the site starts."""

from pathlib import Path

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class InferenceConfig(AppConfig):
    """Names the app and makes the site's own template families known."""

    name = "inference"
    verbose_name = _("Models and API")

    def ready(self) -> None:
        """Let the site's families come before ours, and have them checked."""
        from inference import checks  # noqa: F401  (registers itself)
        from inference.chat_templates.families import use_family_file
        from inference.conf import inference_settings

        path = inference_settings().families
        use_family_file(Path(path) if path else None)
