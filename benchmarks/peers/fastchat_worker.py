"""A worker that speaks FastChat's protocol and answers with the benchmark's script.

    python -m benchmarks.peers.fastchat_worker PORT CONTROLLER_URL

FastChat's API server and controller take it for a model worker. Like those it streams JSON objects
that end in a zero byte, each with the whole text so far.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import uvicorn

from benchmarks.api_script import MODEL, SCRIPTS, VARIABLE, request_of
from inference.providers.scripted import CONTEXT_LENGTH, ScriptedSource, split_tokens

Send = Callable[[dict[str, Any]], Awaitable[None]]

# A conversation that is the user's words and nothing around them, so that both sides' scripts
# read the same prompt.
CONVERSATION = {
    "name": "raw",
    "system_template": "{system_message}",
    "system_message": "",
    "roles": ["", ""],
    "messages": [],
    "offset": 0,
    "sep_style": 4,  # no colon, one separator
    "sep": "",
    "sep2": None,
    "stop_str": None,
    "stop_token_ids": None,
}
STATUS = {"model_names": [MODEL], "speed": 1, "queue_length": 0}
SOURCE = ScriptedSource(SCRIPTS[os.environ.get(VARIABLE, "paced")])


def fact(path: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what the worker tells about itself or a prompt.

    Raises:
        KeyError: it knows no such path.
    """
    facts: dict[str, Callable[[], dict[str, Any]]] = {
        "/worker_get_status": lambda: STATUS,
        "/worker_get_conv_template": lambda: {"conv": CONVERSATION},
        "/model_details": lambda: {"context_length": CONTEXT_LENGTH},
        "/count_token": lambda: {"count": len(split_tokens(asked["prompt"])), "error_code": 0},
    }
    return facts[path]()


async def application(scope: dict[str, Any], receive: Callable[[], Any], send: Send) -> None:
    """Answer one request."""
    if scope["type"] != "http":
        return
    asked = json.loads(await body_of(receive) or b"null")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/worker_generate_stream":
        await tell(asked["prompt"], send)
        await send({"type": "http.response.body", "body": b""})
    else:
        body = json.dumps(fact(scope["path"], asked)).encode()
        await send({"type": "http.response.body", "body": body})


async def body_of(receive: Callable[[], Any]) -> bytes:
    """Read a request's body."""
    parts: list[bytes] = []
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            return b"".join(parts)


async def tell(prompt: str, send: Send) -> None:
    """Stream the script's answer."""
    text = ""
    async with aclosing(SOURCE.stream(request_of(prompt))) as outputs:
        async for output in outputs:
            text += "".join(output.pieces)
            told: dict[str, Any] = {"text": text, "error_code": 0}
            if output.finish_reason is not None:
                told["finish_reason"] = output.finish_reason.value
            body = json.dumps(told).encode() + b"\0"
            await send({"type": "http.response.body", "body": body, "more_body": True})


def register(controller: str, address: str) -> None:
    """Tell the controller of this worker, as one that sends no heartbeats."""
    news = {"worker_name": address, "check_heart_beat": False, "worker_status": STATUS}
    request = urllib.request.Request(
        f"{controller}/register_worker",
        json.dumps({**news, "multimodal": False}).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


if __name__ == "__main__":
    port, controller = int(sys.argv[1]), sys.argv[2]
    register(controller, f"http://127.0.0.1:{port}")
    uvicorn.run(application, port=port, log_level="warning")
