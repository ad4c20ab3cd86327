"""A site whose pages are real and whose models are a script; takes the port as its argument."""

import os
import sys

import uvicorn
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.frontend.scripted_settings")
http_application = get_asgi_application()

from tests.frontend.scripted_sockets import (  # noqa: E402  (needs the app registry)
    ScriptedBattle,
    ScriptedChat,
)

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": URLRouter(
            [
                path("ws/battle/", ScriptedBattle.as_asgi()),
                path("ws/chat/", ScriptedChat.as_asgi()),
            ]
        ),
    }
)

if __name__ == "__main__":
    uvicorn.run(application, port=int(sys.argv[1]), log_level="warning", lifespan="off")
