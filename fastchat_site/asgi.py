"""The ASGI application: HTTP by Django, sockets by Channels, foreign origins turned away."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fastchat_site.settings.dev")
http_application = get_asgi_application()

from fastchat_site.bounded_sync import BoundedSync  # noqa: E402  (needs the app registry)
from fastchat_site.routing import websocket_urlpatterns  # noqa: E402  (needs the app registry)
from inference.conf import inference_settings  # noqa: E402  (needs the settings)

application = BoundedSync(
    ProtocolTypeRouter(
        {
            "http": http_application,
            "websocket": AllowedHostsOriginValidator(
                AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
            ),
        }
    ),
    threads=inference_settings().web_threads,
)
