"""The bus between processes, on Redis: frames by PUBLISH, logs in lists, decisions in Lua."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgpack
import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from inference.bus import scripts
from inference.bus.base import Bus, BusConfig, BusHandle
from inference.bus.events import (
    Claim,
    Event,
    Heartbeat,
    Order,
    RequestState,
    RequestView,
    pack_events,
    pack_request,
    unpack_events,
    unpack_request,
)
from inference.bus.redis_listener import RedisListener
from inference.exceptions import BusUnavailableError, QueueFullError
from inference.requests import AnyRequest

T = TypeVar("T")


def _keys(request_id: str) -> list[str]:
    return [f"req:{request_id}", f"inboxes:{request_id}", f"log:{request_id}"]


def _pack_event(event: Event) -> bytes:
    packed: bytes = msgpack.packb(event.as_list())
    return packed


def _unpack_log(entries: Sequence[bytes]) -> tuple[Event, ...]:
    return tuple(Event.from_list(msgpack.unpackb(entry)) for entry in entries)


class RedisBus(Bus):
    """One pool of connections; after a failure it rests a moment, so that nobody waits in vain."""

    def __init__(self, config: BusConfig) -> None:
        self._config = config
        # A connection that a restart of Redis broke is replaced once, without delay; a timeout is
        # never tried again, for the next one would take as long.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._redis = redis.Redis.from_url(
            config.redis_url,
            socket_timeout=config.timeout_s,
            socket_connect_timeout=config.timeout_s,
            retry=retry,
        )
        self._rests_until = 0.0
        self._scripts = {
            name: self._redis.register_script(getattr(scripts, name))
            for name in ("SUBMIT", "CLAIM", "CLOSE", "END", "REQUEUE", "RESTORE", "BEAT")
        }

    def _ask(self, question: Callable[[], T]) -> T:
        """Return what Redis answers, or fail at once while it is known not to answer."""
        if time.monotonic() < self._rests_until:
            raise BusUnavailableError("the bus did not answer a moment ago")
        try:
            return question()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._rests_until = time.monotonic() + self._config.pause_s
            raise BusUnavailableError(f"the bus does not answer: {error}") from error

    def _run(self, name: str, keys: Sequence[str], *arguments: Any) -> Any:
        script: Script = self._scripts[name]
        return self._ask(lambda: script(keys=list(keys), args=list(arguments)))

    def submit(self, request: AnyRequest, *, inbox: str, capacity: int, retry_after_s: int) -> None:
        """Let a request in; see `Bus.submit`."""
        req, inboxes, _ = _keys(request.request_id)
        answer = self._run(
            "SUBMIT",
            [req, inboxes, f"adm:{request.model}"],
            request.request_id,
            request.model,
            pack_request(request),
            inbox,
            capacity,
            self._config.log_ttl_s,
        )
        if not answer:
            raise QueueFullError(request.model, retry_after_s=retry_after_s)

    def claim(self, request_id: str, *, attempt: int, worker_id: str) -> Claim | None:
        """Give a queued request to one worker; see `Bus.claim`."""
        answer = self._run("CLAIM", _keys(request_id), attempt, worker_id)
        if answer is None:
            return None
        body, inboxes, log = answer
        names = frozenset(inbox.decode() for inbox in inboxes)
        return Claim(unpack_request(body), attempt, names, _unpack_log(log))

    def close_request(self, request_id: str, *, attempt: int, event: Event) -> bool:
        """End a request from outside; see `Bus.close_request`."""
        ttl_s = self._config.finished_log_ttl_s
        frame = pack_events([event])
        return bool(
            self._run(
                "CLOSE", _keys(request_id), attempt, _pack_event(event), frame, request_id, ttl_s
            )
        )

    def requeue(self, request_id: str, *, attempt: int, tail: Event) -> bool:
        """Make a running request queued again; see `Bus.requeue`."""
        frame = pack_events([tail])
        return bool(self._run("REQUEUE", _keys(request_id), attempt, _pack_event(tail), frame))

    def inspect(self, request_ids: Collection[str]) -> dict[str, RequestView]:
        """Return what is known about these requests."""

        def ask() -> list[Any]:
            pipeline = self._redis.pipeline(transaction=False)
            for request_id in request_ids:
                req, _, log = _keys(request_id)
                pipeline.hmget(req, ["model", "state", "attempt", "worker"])
                pipeline.lrange(log, 0, -1)
            return pipeline.execute()

        answers = self._ask(ask) if request_ids else []
        return {
            request_id: RequestView(
                model.decode(),
                RequestState(state.decode()),
                int(attempt),
                worker_id.decode(),
                _unpack_log(log),
            )
            for request_id, (model, state, attempt, worker_id), log in zip(
                request_ids, answers[::2], answers[1::2], strict=True
            )
            if state is not None
        }

    def add_inbox(self, request_id: str, inbox: str) -> RequestView | None:
        """Let one more web process listen."""
        _, inboxes, _ = _keys(request_id)

        def ask() -> None:
            pipeline = self._redis.pipeline()
            pipeline.sadd(inboxes, inbox)
            pipeline.expire(inboxes, self._config.log_ttl_s)
            pipeline.execute()

        self._ask(ask)
        # Read after writing: a claim in between has seen the new inbox.
        return self.inspect([request_id]).get(request_id)

    def publish(
        self, frames: Mapping[str, Sequence[Event]], logs: Mapping[str, Sequence[Event]]
    ) -> set[str]:
        """Send what an engine step brought, in one round trip; see `Bus.publish`."""
        places: dict[str, int] = {}

        def ask() -> list[Any]:
            pipeline = self._redis.pipeline(transaction=False)
            for request_id, events in logs.items():
                keys = _keys(request_id)
                places[request_id] = len(pipeline)
                pipeline.expire(keys[0], self._config.log_ttl_s)
                if events:
                    pipeline.rpush(keys[2], *map(_pack_event, events))
                    pipeline.expire(keys[2], self._config.log_ttl_s)
                if events and events[-1].is_last:
                    ttl_s = self._config.finished_log_ttl_s
                    arguments = [str(events[-1].attempt), request_id, str(ttl_s)]
                    self._scripts["END"](keys=keys, args=arguments, client=pipeline)
            # After the logs: who finds a hole in a frame finds its tokens there.
            for inbox, events in frames.items():
                pipeline.publish(f"in:{inbox}", pack_events(events))
            return pipeline.execute()

        answers = self._ask(ask)
        return {request_id for request_id, place in places.items() if not answers[place]}

    def restore(self, claim: Claim, *, worker_id: str, log: Sequence[Event]) -> None:
        """Write down a request again that was lost; see `Bus.restore`."""
        is_over = any(event.is_last for event in log)
        ttl_s = self._config.finished_log_ttl_s if is_over else self._config.log_ttl_s
        state = RequestState.ENDED if is_over else RequestState.RUNNING
        request = claim.request
        self._run(
            "RESTORE",
            _keys(request.request_id),
            *(request.model, pack_request(request), state.value, claim.attempt, worker_id, ttl_s),
            *(len(claim.inboxes), *claim.inboxes, *map(_pack_event, log)),
        )

    def subscribe(
        self,
        inbox: str,
        *,
        on_frame: Callable[[list[Event]], None],
        on_gap: Callable[[], None],
    ) -> BusHandle:
        """Listen to an inbox in a thread of its own."""

        def deliver(data: bytes) -> None:
            on_frame(unpack_events(data))

        return RedisListener(self._config, f"in:{inbox}", deliver, on_gap)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Let everybody know that a worker lives."""
        ttl_ms = int(self._config.heartbeat_ttl_s * 1000)
        keys = [f"w:{heartbeat.worker_id}", "ws"]
        self._run("BEAT", keys, heartbeat.worker_id, heartbeat.pack(), ttl_ms)

    def retire(self, heartbeat: Heartbeat) -> None:
        """Forget a worker at once."""
        self._ask(lambda: self._redis.delete(f"w:{heartbeat.worker_id}"))

    def workers(self) -> list[Heartbeat]:
        """Return the workers that live."""
        ids: list[bytes] = self._ask(lambda: cast("Any", self._redis.zrange("ws", 0, -1)))
        if not ids:
            return []
        keys = [b"w:" + worker_id for worker_id in ids]
        packed: list[bytes | None] = self._ask(lambda: cast("Any", self._redis.mget(keys)))
        return [Heartbeat.unpack(beat) for beat in packed if beat is not None]

    def send_order(self, worker_id: str, order: Order) -> None:
        """Tell a worker something."""
        self._ask(lambda: self._redis.publish(f"ctl:{worker_id}", order.pack()))

    def take_orders(self, worker_id: str, on_order: Callable[[Order], None]) -> BusHandle:
        """Listen to the orders for a worker in a thread of its own."""

        def deliver(data: bytes) -> None:
            on_order(Order.unpack(data))

        return RedisListener(self._config, f"ctl:{worker_id}", deliver, lambda: None)

    def check(self) -> None:
        """Return if Redis answers; see `Bus.check`."""
        self._ask(self._redis.ping)

    def close(self) -> None:
        """Let go of all connections."""
        self._redis.close()
