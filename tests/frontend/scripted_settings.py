"""Settings of the scripted site: the real templates and static files, no database at all."""

from fastchat_site.settings.test import *  # noqa: F403  (a settings layer is its base and more)

ROOT_URLCONF = "tests.frontend.scripted_urls"
ASGI_APPLICATION = "tests.frontend.scripted_site.application"
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
