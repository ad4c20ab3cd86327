"""Daphne's sockets with what they leave out: the headers an application sends as it accepts."""

from typing import Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol


class HeaderedProtocol(WebSocketProtocol):  # type: ignore[misc]  # daphne is untyped
    """Passes the headers of `websocket.accept` on, such as the cookie of a new session.

    Daphne 4.2 hands Autobahn the subprotocol alone; Autobahn takes headers beside it.
    """

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Take one message of the application."""
        headers = message.get("headers") if message.get("type") == "websocket.accept" else None
        if not headers:
            super().handle_reply(message)
            return
        texts = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        self.handshake_deferred.callback((message.get("subprotocol"), texts))
        del self.handshake_deferred


def send_accept_headers() -> None:
    """Make every server of this process use `HeaderedProtocol`."""
    WebSocketFactory.protocol = HeaderedProtocol
