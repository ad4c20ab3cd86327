"""Production: behind TLS, secrets from the environment, hashed static files."""

from fastchat_site.settings import env
from fastchat_site.settings.base import *  # noqa: F403  (a settings layer is its base and more)
from fastchat_site.settings.base import INFERENCE

SECRET_KEY = env.required("SECRET_KEY", hint="50 random characters; keep them secret")
SECURE_SSL_REDIRECT = env.flag("FASTCHAT_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^health/"]  # balancers ask over plain HTTP
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
WHITENOISE_USE_FINDERS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "fastchat_site.static_storage.HashedModuleStorage"},
}
INFERENCE["api_requires_key"] = env.flag("FASTCHAT_API_REQUIRES_KEY", default=True)
# Behind a proxy on this machine everybody comes from 127.0.0.1: numbers need the token.
INFERENCE["metrics_addresses"] = ()
