"""The sockets of this app."""

from django.urls import URLPattern, path

from arena.consumers import BattleConsumer

websocket_urlpatterns: list[URLPattern] = [path("ws/battle/", BattleConsumer.as_asgi())]
