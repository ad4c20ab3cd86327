"""A worker's life: load, register, answer, leave."""

import gc
import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from django.db import DatabaseError

from inference import services
from inference.bus import Bus
from inference.conf import InferenceSettings
from inference.loading.model_card import read_card
from inference.providers.worker import queue_of
from inference.worker.engine_host import EngineHost
from inference.worker.hosts import add_host, remove_hosts
from inference.worker.model_specs import ModelSpec, host_model
from inference.worker.shared_bases import share_bases

if TYPE_CHECKING:
    from inference.engine.parallel.channel import PlanChannel

logger = logging.getLogger(__name__)

EXIT_STUCK = 70  # EX_SOFTWARE: a supervisor starts the worker again
SPARE_THREADS = 64


def exit_stuck(reason: str) -> None:
    """End this process at once: a stuck engine holds its thread, so nothing gentler works."""
    logger.critical("the worker ends: %s", reason)
    os._exit(EXIT_STUCK)


def stay(reason: str) -> None:
    """Keep the process: in the embedded mode the site lives on without the model."""
    logger.critical("a model is gone until the next start: %s", reason)


def start_hosts(
    specs: Sequence[ModelSpec],
    *,
    bus: Bus,
    settings: InferenceSettings,
    on_fatal: Callable[[str], None],
    say: Callable[[str], None],
    channel: "PlanChannel | None" = None,
    are_registered: bool = True,
) -> list[EngineHost]:
    """Load models one after the other; all or none.

    Args:
        specs: what to load.
        bus: where they answer.
        settings: the times.
        on_fatal: what happens when an engine is stuck.
        say: hears of the progress.
        channel: reaches the other processes of the one model that several share.
        are_registered: whether the models get cards in the site's database.

    Raises:
        InferenceError: a model cannot be loaded.
    """
    hosts: list[EngineHost] = []
    try:
        for spec in share_bases(specs):
            beside = f" with {len(spec.adapters)} adapters" if spec.adapters else ""
            say(f"Loading {spec.names[0]} from {spec.path}{beside} …")
            host = host_model(spec, bus=bus, settings=settings, on_fatal=on_fatal, channel=channel)
            hosts.append(host)
            add_host(host)
            if are_registered:
                _register(spec, host)
            host.wait_until_live(settings.heartbeat_ttl_s)
    except BaseException:
        stop_hosts(hosts)
        raise
    return hosts


def _register(spec: ModelSpec, host: EngineHost) -> None:
    """Give the models their cards; a worker without a database serves all the same."""
    paths = {name: adapter.path for adapter in spec.adapters for name in adapter.names}
    try:
        for name in spec.names:
            path = paths.get(name, spec.path)
            facts = read_card(path)
            services.register_model(
                name=name,
                path=path,
                context_length=host.context_length or None,
                takes_images=host.takes_images,
                organisation=facts.organisation,
                licence=facts.licence,
                description=facts.description,
            )
    except DatabaseError as error:
        logger.warning("the model card was not written: %s", error)


def stop_hosts(hosts: Sequence[EngineHost]) -> None:
    """Close hosts and forget them."""
    for host in hosts:
        host.close()
    remove_hosts(hosts)


def register_scripted(names: Iterable[str]) -> None:
    """Give the names that a script answers their cards, so that they can chat and battle."""
    for name in names:
        services.register_model(name=name, description="Answers from a script, for rehearsals.")


class LeaveInTime:
    """Lets running answers finish, but not for ever.

    Args:
        drain_s: time they get.
    """

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s

    def __call__(self, hosts: Sequence[EngineHost]) -> None:
        """Announce the end and count down in the background."""
        for host in hosts:
            host.drain()
            threading.Thread(
                target=host.finish, args=[self._drain_s], name="drain", daemon=True
            ).start()


def hasten_exit() -> None:
    """Spare the ending process its last garbage collection, which takes seconds after torch."""
    gc.freeze()


def queues_of(specs: Sequence[ModelSpec]) -> list[str]:
    """Return the Celery queues of all names."""
    return [queue_of(name) for spec in specs for name in spec.names]


def task_threads(specs: Sequence[ModelSpec]) -> int:
    """Return how many tasks may wait for answers at a time."""
    return 2 * sum(spec.max_batch for spec in specs) + SPARE_THREADS
