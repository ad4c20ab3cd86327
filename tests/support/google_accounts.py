"""A service account of our own and a server that gives tokens for it as Google's does."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EMAIL = "arena@example-project.iam.gserviceaccount.com"


@dataclass
class TokenServer:
    """What was asked of the server, and how it answers.

    Attributes:
        key_file: path of the service account's key, with the server's address in it.
        claims: what each request claimed, its signature verified.
        is_refusing: answer 400 as Google does for an account that is gone.
    """

    key_file: str = ""
    claims: list[dict[str, object]] = field(default_factory=list)
    is_refusing: bool = False


def unpack(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@contextmanager
def token_server(folder: Path) -> Iterator[TokenServer]:
    """Run the server for a while; the account's key goes to a file in the folder."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    state = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            signed, _, signature = form["assertion"][0].rpartition(".")
            public = private.public_key()
            public.verify(unpack(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            state.claims.append(json.loads(unpack(signed.split(".")[1])))
            answer = {"access_token": f"token-{len(state.claims)}", "expires_in": 3600}
            if state.is_refusing:
                answer = {"error": "invalid_grant", "error_description": "account not found"}
            body = json.dumps(answer).encode()
            self.send_response(400 if state.is_refusing else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "service-account.json"
    state.key_file = str(path)
    key = {
        "type": "service_account",
        "project_id": "example-project",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": f"http://127.0.0.1:{server.server_address[1]}/token",
    }
    path.write_text(json.dumps(key))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
