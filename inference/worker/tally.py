"""From an engine's statistics to the tally that travels with a worker's heartbeat."""

from inference.bus.events import Tally
from inference.worker.engine_protocol import Durations, EngineStats


def tally_of(stats: EngineStats) -> Tally:
    """Return what an engine has done as plain numbers."""
    return Tally(
        cache_usage=stats.cache_usage,
        prompt_tokens=stats.prompt_tokens,
        cached_tokens=stats.cached_tokens,
        generated_tokens=stats.generated_tokens,
        drafted_tokens=stats.drafted_tokens,
        accepted_tokens=stats.accepted_tokens,
        preemptions=stats.preemptions,
        queue_s=_plain(stats.queue_s),
        first_token_s=_plain(stats.first_token_s),
        token_s=_plain(stats.token_s),
    )


def _plain(durations: Durations) -> tuple[float, ...]:
    return (*durations.counts, durations.total_s)
