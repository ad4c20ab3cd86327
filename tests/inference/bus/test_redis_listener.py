"""A process must not go deaf, whatever answers at the address of its Redis."""

import socketserver
import threading

from inference.bus.base import BusConfig
from inference.bus.redis_listener import RedisListener


class SomebodyElse(socketserver.BaseRequestHandler):
    """A web server, as it may stand where a Redis has gone."""

    called = threading.Semaphore(0)

    def handle(self) -> None:
        self.called.release()
        self.request.recv(1024)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_it_goes_on_trying_when_somebody_else_answers() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), SomebodyElse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = BusConfig(f"redis://127.0.0.1:{server.server_address[1]}/0", pause_s=0.01)

        listener = RedisListener(config, "web", deliver=lambda data: None, on_gap=lambda: None)

        try:
            assert all(SomebodyElse.called.acquire(timeout=10) for _ in range(3))
        finally:
            listener.close()
            server.shutdown()
