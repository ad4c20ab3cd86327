"""The Celery app: one task queue a model, settings from `CELERY`."""

from typing import Any

from celery import Celery
from django.conf import settings


def make_app() -> Celery:
    """Return the app; tasks are found in every installed app's `tasks` module."""
    application = Celery("fastchat_site")
    application.add_defaults(_settings)
    application.set_default()
    application.autodiscover_tasks()
    return application


def _settings() -> dict[str, Any]:
    return dict(settings.CELERY)


app = make_app()
