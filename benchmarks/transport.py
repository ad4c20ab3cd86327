"""Tokens from a worker process to readers in a web process: ours beside a Channels layer.

Every stream gets 30 tokens a second, all in the same step, as continuous batching makes them. The
CPU time is that of producer, reader and Redis together; latency is from the step to the reader.
"""

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import django
import redis

from benchmarks.report import parse_options, report

STEPS_PER_S = 30
CHANNEL_LAYERS = {
    "channels pub/sub layer": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "channels core layer": "channels_redis.core.RedisChannelLayer",
}
CORE_LAYER_STREAMS = 16  # with more it only drops messages
OURS = "frames + log"


# What one reader saw: when a token came, and how long after its step.
Reading = Awaitable[list[tuple[float, float]]]


@dataclass(frozen=True)
class Row:
    """One transport under one load."""

    engine: str
    streams: int
    tokens_per_s: float
    tokens_per_cpu_s: float
    cpu_us_per_token: float
    p50_ms: float
    p99_ms: float
    lost: int


@contextmanager
def running_redis() -> Iterator[str]:
    """Run a Redis on a socket file; yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        arguments = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        with subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL) as server:
            while not os.path.exists(path):  # noqa: PTH110  (a socket, waited for)
                time.sleep(0.01)
            yield f"unix://{path}"
            server.terminate()


def redis_cpu_s(url: str) -> float:
    """Return the CPU time the Redis server has used."""
    with redis.Redis.from_url(url) as client:
        info = client.info("cpu")
    return float(info["used_cpu_sys"] + info["used_cpu_user"])


def produce(engine: str, url: str, ids: Sequence[str], steps: int) -> float:
    """Send one token a step for every stream; return the CPU time it took."""
    send = _our_sender(url, ids) if engine == OURS else _layer_sender(engine, url)
    began, cpu = time.monotonic(), time.process_time()
    for step in range(steps):
        time.sleep(max(0.0, began + step / STEPS_PER_S - time.monotonic()))
        send(ids, step == steps - 1)
    if engine == OURS:
        time.sleep(0.2)  # the outbox has a thread of its own
    return time.process_time() - cpu


def _our_sender(url: str, ids: Sequence[str]) -> Callable[[Sequence[str], bool], None]:
    from inference.bus import BusConfig, open_bus
    from inference.bus.outbox import Outbox, Output
    from inference.generation import FinishReason

    bus = open_bus(BusConfig(redis_url=url))
    outbox = Outbox(bus, worker_id="benchmark", chunk_tokens=8, pause_s=0.25)
    for request_id in ids:
        claim = bus.claim(request_id, attempt=0, worker_id="benchmark")
        assert claim is not None
        outbox.open(claim)

    def send(ids: Sequence[str], is_last: bool) -> None:
        stamp = (f"{time.time():.6f} ",)
        reason = FinishReason.STOP if is_last else None
        outbox.put([Output(request_id, stamp, reason) for request_id in ids])

    return send


def _layer(engine: str, url: str) -> object:
    from django.utils.module_loading import import_string

    return import_string(CHANNEL_LAYERS[engine])(hosts=[url])


def _layer_sender(engine: str, url: str) -> Callable[[Sequence[str], bool], None]:
    layer = _layer(engine, url)
    loop = asyncio.new_event_loop()

    async def send_all(ids: Sequence[str], is_last: bool) -> None:
        for request_id in ids:
            message = {"type": "token", "text": f"{time.time():.6f} ", "is_last": is_last}
            await layer.group_send(request_id, message)  # type: ignore[attr-defined]

    return lambda ids, is_last: loop.run_until_complete(send_all(ids, is_last))


@asynccontextmanager
async def our_readers(url: str, ids: Sequence[str]) -> AsyncIterator[list[Reading]]:
    """Submit requests and yield what reads their answers."""
    from inference.bus import BusConfig, open_bus
    from inference.client.hub import Hub
    from inference.client.subscription import Subscription
    from inference.conf import InferenceSettings
    from inference.generation import GenerationRequest
    from inference.messages import Message, Role

    bus = open_bus(BusConfig(redis_url=url))
    hub = Hub(bus, InferenceSettings(redis_url=url), lambda *_: None)

    async def read(reader: Subscription) -> list[tuple[float, float]]:
        seen: list[tuple[float, float]] = []
        async for delta in reader.deltas():
            now = time.time()
            seen += [(now, now - float(piece)) for piece in delta.pieces]
        return seen

    readers = []
    for request_id in ids:
        request = GenerationRequest("m", (Message(Role.USER, "hi"),), request_id=request_id)
        bus.submit(request, inbox=hub.inbox, capacity=10_000, retry_after_s=1)
        readers.append(asyncio.create_task(read(hub.open(request_id, 0))))
    yield list(readers)
    hub.shut()


@asynccontextmanager
async def layer_readers(engine: str, url: str, ids: Sequence[str]) -> AsyncIterator[list[Reading]]:
    """Join a group for every stream and yield what reads it."""
    layer = _layer(engine, url)

    async def read(channel: str) -> list[tuple[float, float]]:
        seen: list[tuple[float, float]] = []
        try:
            while True:
                message = await asyncio.wait_for(layer.receive(channel), 10)  # type: ignore[attr-defined]
                now = time.time()
                seen.append((now, now - float(message["text"])))
                if message["is_last"]:
                    return seen
        except TimeoutError:
            return seen  # its last message was dropped

    readers = []
    for request_id in ids:
        channel = await layer.new_channel()  # type: ignore[attr-defined]
        await layer.group_add(request_id, channel)  # type: ignore[attr-defined]
        readers.append(asyncio.create_task(read(channel)))
    yield list(readers)


async def measure(engine: str, url: str, streams: int, seconds: float) -> Row:
    """Run one transport; the producer is a process of its own."""
    ids = [os.urandom(16).hex() for _ in range(streams)]
    steps = int(seconds * STEPS_PER_S)
    opened = our_readers(url, ids) if engine == OURS else layer_readers(engine, url, ids)
    async with opened as readers:
        job = json.dumps([engine, url, ids, steps])
        redis_before = redis_cpu_s(url)
        cpu = time.process_time()
        producer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.transport", "--produce"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        output, _ = await producer.communicate(job.encode())
        seen = [entry for reading in await asyncio.gather(*readers) for entry in reading]
        used_s = time.process_time() - cpu + redis_cpu_s(url) - redis_before + float(output)
    times, late = sorted(now for now, _ in seen), sorted(delay for _, delay in seen)
    count, took_s = len(seen), times[-1] - times[0]
    return Row(
        engine,
        streams,
        count / took_s,
        count / used_s,
        used_s / count * 1e6,
        late[count // 2] * 1e3,
        late[int(count * 0.99)] * 1e3,
        steps * streams - count,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with `--json` write it too."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fastchat_site.settings.dev")
    django.setup()
    logging.getLogger("channels_redis").setLevel(logging.ERROR)  # the table tells what is lost
    if sys.argv[1:] == ["--produce"]:
        print(produce(*json.loads(sys.stdin.read())))
        return
    options = parse_options(__doc__, arguments)
    if shutil.which("redis-server") is None:
        raise SystemExit("this benchmark needs the redis-server binary")
    loads, seconds = ((16, 64), 3.0) if options.quick else ((1, 16, 64, 256), 8.0)
    with running_redis() as url:
        rows = [
            asyncio.run(measure(engine, url, streams, seconds))
            for streams in loads
            for engine in (OURS, *CHANNEL_LAYERS)
            if "core" not in engine or streams <= CORE_LAYER_STREAMS
        ]
    report(rows, options, steps_per_s=STEPS_PER_S)
    for streams in loads:
        ours, *others = (row for row in rows if row.streams == streams)
        for other in others:
            ratio = other.cpu_us_per_token / ours.cpu_us_per_token
            print(f"{streams} streams: {other.engine} needs {ratio:.1f}x our CPU time a token")


if __name__ == "__main__":
    main()
