"""A worker of several processes that share one model: the first leads, the others follow."""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference.engine.parallel.channel import PlanChannel
from inference.engine.parallel.runner import follow
from inference.engine.runner_choice import choose_runner
from inference.exceptions import EngineLostError
from inference.loading.ranks import join_ranks, leave_ranks
from inference.worker.model_specs import ModelSpec, device_of, engine_config, load_spec

logger = logging.getLogger(__name__)


@contextmanager
def joined_ranks(spec: ModelSpec) -> Iterator[PlanChannel]:
    """Meet the other processes of a model; at the end the leader dismisses them.

    Raises:
        ModelLoadError: they cannot meet; the message says what to do.
    """
    join_ranks(device_of(spec))
    try:
        channel = PlanChannel()
        yield channel
        if channel.is_leader:
            _dismiss(channel)
    finally:
        leave_ranks()


def follow_leader(spec: ModelSpec, channel: PlanChannel, *, say: Callable[[str], None]) -> None:
    """Load this process's share of a model and compute along until the leader leaves.

    From then on SIGINT and SIGTERM are the leader's business: whoever starts the processes
    signals all of them, and answers still run while the leader winds up.

    Raises:
        InferenceError: the model cannot be loaded, or the leader is gone without a word.
    """
    loaded = load_spec(spec)
    config = engine_config(spec, loaded)
    chosen = choose_runner(
        loaded.model, config, context_length=config.context_length or loaded.context_length
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    say(f"This process computes its share of {spec.names[0]}")
    follow(chosen.runner, channel, threads=config.threads)


def _dismiss(channel: PlanChannel) -> None:
    """Let the followers go; one that is gone already changes nothing."""
    try:
        channel.dismiss()
    except EngineLostError as error:
        logger.warning("not every process could be told to leave: %s", error)
