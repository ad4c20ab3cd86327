"""A thread that hears one channel of Redis and comes back after every loss of connection."""

import logging
import threading
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from inference.bus.base import BusConfig, BusHandle

logger = logging.getLogger(__name__)

POLL_S = 0.5  # also how long closing may take
PROBE_S = 5  # a silent connection is probed so often, or a half-open one would look healthy


class RedisListener(BusHandle):
    """Calls `deliver` for every message, and `on_gap` after each time it was away."""

    def __init__(
        self,
        config: BusConfig,
        channel: str,
        deliver: Callable[[bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._config = config
        self._channel = channel
        self._deliver = deliver
        self._on_gap = on_gap
        self._closing = threading.Event()
        self._subscribed = threading.Event()
        self._thread = threading.Thread(
            target=self._listen, name=f"listen {channel[:12]}", daemon=True
        )
        self._thread.start()
        # Frames sent before the subscription stands would be missed; later ones are repaired.
        self._subscribed.wait(config.timeout_s)

    def _listen(self) -> None:
        was_away = False
        while not self._closing.is_set():
            try:
                self._hear(was_away=was_away)
            except redis.RedisError as error:  # also what another server at its address says
                if not was_away:
                    logger.warning("the bus went away: %s", error)
                was_away = True
                self._closing.wait(self._config.pause_s)

    def _hear(self, *, was_away: bool) -> None:
        """Listen until the connection breaks or the handle is closed."""
        client = redis.Redis.from_url(
            self._config.redis_url,
            socket_timeout=self._config.timeout_s,
            socket_connect_timeout=self._config.timeout_s,
            health_check_interval=PROBE_S,
            retry=Retry(NoBackoff(), 0),
        )
        with client, client.pubsub() as pubsub:  # type: ignore[no-untyped-call]  # as redis has it
            pubsub.subscribe(self._channel)
            while not self._closing.is_set():
                message = pubsub.get_message(timeout=POLL_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._subscribed.set()
                    if was_away:
                        logger.info("the bus is back")
                        self._on_gap()
                elif message["type"] == "message":
                    self._take(message["data"])

    def _take(self, data: bytes) -> None:
        try:
            self._deliver(data)
        except Exception:  # one bad message must not end the listening
            logger.exception("a message on %s could not be used", self._channel[:4])

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        if self._thread is not threading.current_thread():
            self._thread.join(POLL_S + self._config.timeout_s)
