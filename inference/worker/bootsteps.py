"""What a Celery worker gets beside its own parts: engines before tasks, and a gate."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from celery import bootsteps

from inference.worker.engine_host import EngineHost
from inference.worker.hosts import all_hosts


def engine_step(
    load: Callable[[], Sequence[EngineHost]], leave: Callable[[Sequence[EngineHost]], None]
) -> type[bootsteps.StartStopStep]:
    """Return a worker step that loads models before the first task is taken.

    Args:
        load: loads all models and returns their hosts.
        leave: called with all hosts when the worker is asked to leave; must not wait.
    """

    class EngineStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        """Engines start before the consumer; at the worker's end they are told first."""

        requires = {"celery.worker.components:Pool"}

        def start(self, worker: Any) -> None:  # noqa: ARG002  (Celery's signature)
            load()

        def stop(self, worker: Any) -> None:  # noqa: ARG002  (Celery's signature)
            # Tasks still run when this is called, so it only announces the end.
            leave(all_hosts())

    return EngineStep


class Gate(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Takes no task off the queue while no engine has a free slot.

    So other workers get it, and a lost broker finds nothing fetched and unacknowledged here. A
    pipe wakes Celery's loop when an engine gets room.
    """

    requires = {"celery.worker.consumer.tasks:Tasks"}

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        """Open the pipe; one serves every reconnection."""
        super().__init__(consumer, **kwargs)
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def start(self, consumer: Any) -> None:
        """Put the engines' word into the consumer's decision."""
        qos = consumer.task_consumer.channel.qos
        may_consume = qos.can_consume

        def can_consume() -> bool:
            return bool(may_consume()) and any(host.has_room for host in all_hosts())

        qos.can_consume = can_consume
        for host in all_hosts():
            host.on_room = self._wake

    def register_with_event_loop(self, consumer: Any, hub: Any) -> None:
        """Let the pipe wake Celery's loop; called again after every reconnection."""
        del consumer
        hub.add_reader(self._reader, self._empty_pipe)

    def _wake(self) -> None:
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            return  # full: the loop will wake anyway

    def _empty_pipe(self) -> None:
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return
