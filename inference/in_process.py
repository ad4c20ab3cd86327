"""A model held in this process: the door for commands that ask one without a site around them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from celery import current_app
from django.conf import settings

from inference.client import close_client
from inference.conf import inference_settings
from inference.messages import Message
from inference.providers.transport import site_bus
from inference.worker.celery_thread import CeleryThread
from inference.worker.engine_host import EngineHost
from inference.worker.model_specs import ModelSpec, default_name
from inference.worker.serving import (
    hasten_exit,
    queues_of,
    start_hosts,
    stay,
    stop_hosts,
    task_threads,
)

__all__ = ["HeldModel", "ModelSpec", "default_name", "hasten_exit", "hold_model"]

MEMORY_BROKER = {
    "broker_url": "memory://localhost/",
    "broker_transport_options": {"polling_interval": 0.004},
}


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model that `inference.client` can ask by its name.

    Attributes:
        name: what to ask for.
        path: where it came from: a folder or a hub id.
        architecture: its type, such as "llama" or "t5".
        context_length: its window in tokens.
        template: the family whose chat template is used; "" where the model has its own.
        description: how it is computed, for people.
    """

    name: str
    path: str
    architecture: str
    context_length: int
    template: str
    description: str
    _host: EngineHost

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """Return the text the model reads for a conversation.

        Raises:
            InferenceError: its template refuses the conversation.
        """
        return self._host.prompt_text(messages)


@contextmanager
def hold_model(spec: ModelSpec, *, say: Callable[[str], None]) -> Iterator[HeldModel]:
    """Load a model, answer for it inside this process, and let it go at the end.

    It takes the road of `serve`: engine, bus, task queue. The site's database is not touched, and
    within the block no endpoint and no script answers. Bus and queue of this process are inside it
    from now on, whatever REDIS_URL says.

    Args:
        spec: what to load.
        say: hears of the progress.

    Raises:
        InferenceError: the model cannot be loaded; the message says what to do.
    """
    _leave_redis()
    with _alone():
        yield from _hold(spec, say)


def _hold(spec: ModelSpec, say: Callable[[str], None]) -> Iterator[HeldModel]:
    hosts = start_hosts(
        [spec],
        bus=site_bus(),
        settings=inference_settings(),
        on_fatal=stay,
        say=say,
        are_registered=False,
    )
    tasks = CeleryThread(queues_of([spec]), concurrency=task_threads([spec]))
    try:
        tasks.start()
        yield _held(spec, hosts[0])
    finally:
        for host in hosts:
            host.finish(timeout_s=0)
        tasks.stop()
        stop_hosts(hosts)
        close_client()


def _leave_redis() -> None:
    """Let this process be its own bus and broker."""
    if not inference_settings().redis_url:
        return
    settings.INFERENCE = {**settings.INFERENCE, "redis_url": ""}
    current_app.conf.update(MEMORY_BROKER)


@contextmanager
def _alone() -> Iterator[None]:
    """Let nobody else answer: a held model may have the name of an endpoint's."""
    outside = settings.INFERENCE
    settings.INFERENCE = {**outside, "uses_endpoints": False, "scripted_models": ()}
    try:
        yield
    finally:
        settings.INFERENCE = outside


def _held(spec: ModelSpec, host: EngineHost) -> HeldModel:
    facts = host.facts
    return HeldModel(
        name=spec.names[0],
        path=spec.path,
        architecture=facts.architecture,
        context_length=facts.context_length,
        template=facts.template,
        description=f"{facts.device} in {facts.dtype}: {facts.description}",
        _host=host,
    )
