"""The front hall: settings, addresses, ASGI, the Celery app and the base templates."""

from fastchat_site.celery import app as celery_app

__all__ = ["celery_app"]
