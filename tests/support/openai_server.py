"""A server that speaks just enough of OpenAI's protocol, well or badly."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST_WAIT_S = 60


class OpenAIServer(ThreadingHTTPServer):
    """Answers `/v1/models` and `/v1/chat/completions` with what it was given.

    Attributes:
        listed: the names it lists; None has no list.
        status: of answers to chats.
        body: of answers to chats, as it is; `events` makes a good one.
        lingers: whether it keeps the line open after the body, until the caller leaves.
        was_left: set when a caller left such a line.
        asked: the chats it was asked for, with the key that came along.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.listed: Sequence[str] | None = ("one",)
        self.status = 200
        self.body = b""
        self.lingers = False
        self.was_left = threading.Event()
        self.asked: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: OpenAIServer

    def do_GET(self) -> None:
        listed = self.server.listed
        if listed is None:
            self._send(404, b"{}", "application/json")
            return
        body = json.dumps({"data": [{"id": name} for name in listed]}).encode()
        self._send(200, body, "application/json")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        self.server.asked.append({**body, "key": self.headers.get("Authorization")})
        kind = "text/event-stream" if self.server.status == 200 else "application/json"
        self._send(self.server.status, self.server.body, kind)
        if self.server.lingers:
            self.connection.settimeout(LONGEST_WAIT_S)
            if not self.connection.recv(1):
                self.server.was_left.set()

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def events(*data: object) -> bytes:
    """Return a stream of events, ended as it should be."""
    return b"".join(f"data: {json.dumps(one)}\n\n".encode() for one in data) + b"data: [DONE]\n\n"


def piece(text: str, **more: object) -> dict[str, object]:
    """Return the event of a piece of an answer."""
    return {"choices": [{"index": 0, "delta": {"content": text}, **more}]}


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    """Run a server for the length of the block."""
    with OpenAIServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
