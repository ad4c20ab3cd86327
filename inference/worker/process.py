"""A Celery process around engine hosts, from loading to leaving."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from celery import current_app
from celery.apps.worker import Worker
from celery.exceptions import WorkerShutdown
from celery.signals import worker_shutting_down

from inference.exceptions import InferenceError
from inference.worker.bootsteps import Gate, engine_step
from inference.worker.engine_host import EngineHost
from inference.worker.serving import LeaveInTime


def run_worker_process(
    load: Callable[[], Sequence[EngineHost]],
    *,
    queues: Sequence[str],
    concurrency: int,
    drain_s: float,
) -> int:
    """Load, take tasks until SIGTERM or SIGINT, finish what runs; return the exit status.

    Args:
        load: loads the models and makes their hosts known; called once, before the first task.
        queues: Celery queues to consume.
        concurrency: tasks that may wait for their answers at a time.
        drain_s: time running answers get at the end.

    Raises:
        InferenceError: a model cannot be loaded; the message says what to do.
    """
    refused: list[InferenceError] = []

    def load_or_leave() -> Sequence[EngineHost]:
        try:
            return load()
        except InferenceError as error:  # Celery would print a traceback
            refused.append(error)
            raise WorkerShutdown(1) from error

    app = current_app._get_current_object()  # noqa: SLF001  (Celery's own idiom)
    app.steps["worker"].add(engine_step(load_or_leave, LeaveInTime(drain_s)))
    app.steps["consumer"].add(Gate)
    worker = Worker(
        app=app,
        hostname=f"worker-{os.getpid()}@%h",
        pool_cls="threads",
        concurrency=concurrency,
        queues=list(queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="INFO",
        redirect_stdouts=False,
        quiet=True,
    )
    asked = []

    def note(*, how: str, **_: Any) -> None:
        asked.append(how)

    worker_shutting_down.connect(note, weak=False)
    worker.start()
    if refused:
        raise refused[0]
    # Celery calls Ctrl-C a failure; leaving when asked to is none.
    return 0 if asked == ["Warm"] else int(worker.exitcode or 0)
