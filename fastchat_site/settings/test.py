"""The test suite: a throw-away key, fast password hashing."""

from fastchat_site.settings.base import *  # noqa: F403  (a settings layer is its base and more)

SECRET_KEY = "for tests only, never in production"  # noqa: S105  (says so itself)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
