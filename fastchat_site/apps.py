"""The front hall as a Django app: base templates, static files, translations."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Names the front hall."""

    name = "fastchat_site"
    verbose_name = "Site"
