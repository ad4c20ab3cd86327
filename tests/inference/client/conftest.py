"""A whole embedded serving path: real queue, real bus, real host, an engine that only counts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings
from django.test import override_settings

from inference.client import close_client
from inference.conf import inference_settings
from inference.providers.transport import site_bus
from inference.providers.worker import queue_of
from inference.worker.celery_thread import CeleryThread
from inference.worker.engine_host import EngineHost, ModelFacts
from inference.worker.hosts import add_host
from inference.worker.serving import stay, stop_hosts
from tests.support.fake_engine import FakeEngine

NAME = "counter"


@pytest.fixture
def inference_setting() -> Iterator[Callable[..., None]]:
    """Changes keys of `INFERENCE` for one test."""
    with ExitStack() as changes:
        yield lambda **values: changes.enter_context(
            override_settings(INFERENCE={**settings.INFERENCE, **values})
        )


@pytest.fixture(scope="module")
def queue() -> Iterator[CeleryThread]:
    """The embedded task queue, started once for a module's tests."""
    thread = CeleryThread([queue_of(NAME)], concurrency=64)
    thread.start()
    yield thread
    thread.stop()


class Embedded:
    """The host of the counting model, made when a test knows what it wants."""

    def __init__(self) -> None:
        self.hosts: list[EngineHost] = []

    def serve(self, engine: FakeEngine) -> EngineHost:
        host = EngineHost(
            engine,
            names=[NAME],
            bus=site_bus(),
            settings=inference_settings(),
            facts=ModelFacts(),
            on_fatal=stay,
        )
        self.hosts.append(host)
        add_host(host)
        assert host.wait_until_live(10)
        return host


@pytest.fixture
def embedded(queue: CeleryThread) -> Iterator[Embedded]:
    """A fresh bus; what was served on it is closed at the end."""
    world = Embedded()
    yield world
    stop_hosts(world.hosts)
    close_client()
