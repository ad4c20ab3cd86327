"""A Celery worker in a thread of this process, for the embedded mode."""

import logging
import threading
from collections.abc import Sequence
from typing import Any

from celery import Celery, current_app
from celery.worker import WorkController, state

logger = logging.getLogger(__name__)

READY_S = 30
STOP_S = 10
WAKE_TASK = "inference.wake"
WAKE_CALLS = 2
"""Celery waits for messages up to two seconds, and once more after it was told to stop."""


class _Controller(WorkController):  # type: ignore[misc]  # Celery has no types
    """A worker without a program around it: no signals, no banner."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.is_ready = threading.Event()
        super().__init__(*args, **kwargs)

    def on_consumer_ready(self, consumer: Any) -> None:
        """Note that tasks are taken from now on."""
        del consumer
        self.is_ready.set()


class CeleryThread:
    """Consumes queues until it is stopped.

    Args:
        queues: names of the queues.
        concurrency: most tasks at a time; each waits in a thread for its answer.
    """

    def __init__(self, queues: Sequence[str], *, concurrency: int) -> None:
        app: Celery = current_app._get_current_object()  # noqa: SLF001  (Celery's own idiom)
        # Cancelling and looking inside go over the bus.
        app.conf.worker_enable_remote_control = False
        self._app, self._queue = app, queues[0]
        self._controller = _Controller(
            app=app,
            pool_cls="threads",
            concurrency=concurrency,
            queues=list(queues),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._thread = threading.Thread(target=self._controller.start, name="celery", daemon=True)

    def start(self) -> None:
        """Return when tasks are being taken.

        Raises:
            TimeoutError: that did not happen in half a minute.
        """
        self._thread.start()
        if not self._controller.is_ready.wait(READY_S):
            raise TimeoutError("the task queue did not start")

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Take no more tasks and end; running ones must have been told before."""
        state.should_stop = 0
        for _ in range(WAKE_CALLS):
            self._app.send_task(WAKE_TASK, queue=self._queue, ignore_result=True)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            logger.debug("the task queue still winds up")
        else:
            state.should_stop = None
