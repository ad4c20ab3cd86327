"""The sockets of the site."""

from django.urls import URLPattern, URLResolver

from arena.routing import websocket_urlpatterns as arena_sockets
from chat.routing import websocket_urlpatterns as chat_sockets

websocket_urlpatterns: list[URLPattern | URLResolver] = [*arena_sockets, *chat_sockets]
