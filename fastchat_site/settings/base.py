"""All settings with the defaults of the embedded mode: one process, SQLite, no service needed."""

from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from fastchat_site.settings import env

BASE_DIR = Path(__file__).resolve().parent.parent.parent
STATE_DIR = env.folder("FASTCHAT_STATE_DIR", BASE_DIR / "var")
STATE_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = False
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS")
REDIS_URL = env.text("REDIS_URL")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "fastchat_site",
    "leaderboard",
    "arena",
    "judge",
    "training",
    "chat",
    "inference",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "fastchat_site.urls"
ASGI_APPLICATION = "fastchat_site.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "fastchat_site" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# IMMEDIATE and WAL: with deferred transactions two writers meet as "database is locked".
SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728;"
        " PRAGMA journal_size_limit=27103364; PRAGMA cache_size=-20000;"
    ),
}
DATABASES: dict[str, dict[str, Any]] = {
    "default": dict(
        dj_database_url.parse(
            env.text("DATABASE_URL") or f"sqlite:///{STATE_DIR / 'fastchat.sqlite3'}",
            # Bounded by the ASGI wrapper: one connection per thread, and the threads are few.
            conn_max_age=300,
            conn_health_checks=True,
        )
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS

CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
        }
        if REDIS_URL
        # Rate limits and notes of who watches live here: losing one early would be noticed.
        else {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    )
}
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
        if REDIS_URL
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

# Why early acknowledgement, a gate and no result backend: docs/adr/0004-token-streaming.md.
CELERY: dict[str, Any] = {
    "broker_url": REDIS_URL or "memory://localhost/",
    "broker_connection_timeout": 2,
    "broker_connection_retry_on_startup": True,
    "broker_transport_options": (
        {
            "visibility_timeout": 1800,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
        }
        if REDIS_URL
        else {"polling_interval": 0.004}
    ),
    "result_backend": None,
    "task_ignore_result": True,
    "task_acks_late": False,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.05, "interval_max": 0.1},
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_pool": "threads",
    "task_serializer": "json",
    "accept_content": ["json"],
}

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "fastchat_site" / "locale"]
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns about a folder that is missing
STATICFILES_DIRS = [BASE_DIR / "fastchat_site" / "static"]
WHITENOISE_USE_FINDERS = True

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "FastChat Site",
    "DESCRIPTION": "OpenAI-compatible endpoints and the leaderboard.",
    "VERSION": "0.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
}

# How many proxies of ours write into X-Forwarded-For; 0 ignores the header.
TRUSTED_PROXIES = env.number("FASTCHAT_TRUSTED_PROXIES", 0)

# One dict an app, read through <app>/conf.py; every key is in docs/reference/settings.md.
INFERENCE: dict[str, Any] = {
    "redis_url": REDIS_URL,
    "families": env.text("FASTCHAT_FAMILIES"),
    "scripted_models": env.names("FASTCHAT_SCRIPTED_MODELS"),
    "api_requires_key": env.flag("FASTCHAT_API_REQUIRES_KEY", default=False),
    "metrics_token": env.text("FASTCHAT_METRICS_TOKEN"),
    "trusted_proxy_count": TRUSTED_PROXIES,
    "use_modelscope": env.flag("FASTCHAT_USE_MODELSCOPE", default=False),
    "cpu_isa": env.text("CPU_ISA"),
}
CHAT: dict[str, Any] = {"trusted_proxy_count": TRUSTED_PROXIES}
ARENA: dict[str, Any] = {"vote_counters": ["leaderboard.services.count_vote"]}
LEADERBOARD: dict[str, Any] = {}
TRAINING: dict[str, Any] = {}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname:7} {name}: {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("FASTCHAT_LOG_LEVEL", "INFO")},
    "loggers": {
        "celery": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        # At DEBUG they write what they sign and send, session tokens among it.
        "botocore": {"level": "WARNING"},
        "google.auth": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},
        # One line a task would drown everything else.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # It warns that memory:// names no host.
        "kombu.connection": {"level": "ERROR"},
        "django.channels.server": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},  # a refused request is the caller's business
    },
}
