"""What the workers count, for `/metrics`: their heartbeats as Prometheus writes numbers."""

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from inference.bus.events import Heartbeat
from inference.engine.histograms import BOUNDS_S

LABELS = ("model", "worker")
SHOWN_ID_CHARACTERS = 8

Read = Callable[[Heartbeat], float]

GAUGES: dict[str, tuple[str, Read]] = {
    "running": ("Answers being generated.", lambda beat: beat.running),
    "waiting": ("Answers that wait for a slot.", lambda beat: beat.waiting),
    "slots": ("Answers that can be generated at the same time.", lambda beat: beat.slots),
    "cache_usage_ratio": ("Part of the KV cache in use.", lambda beat: beat.tally.cache_usage),
}
COUNTERS: dict[str, tuple[str, Read]] = {
    "prompt_tokens": ("Tokens of prompts.", lambda beat: beat.tally.prompt_tokens),
    "cached_tokens": (
        "Tokens of prompts that began like an earlier one.",
        lambda beat: beat.tally.cached_tokens,
    ),
    "generated_tokens": ("Tokens of answers.", lambda beat: beat.tally.generated_tokens),
    "drafted_tokens": ("Tokens that were guessed ahead.", lambda beat: beat.tally.drafted_tokens),
    "accepted_tokens": (
        "Tokens that were guessed ahead rightly.",
        lambda beat: beat.tally.accepted_tokens,
    ),
    "preemptions": (
        "Times an answer lost its place in the KV cache.",
        lambda beat: beat.tally.preemptions,
    ),
}
HISTOGRAMS: dict[str, tuple[str, Callable[[Heartbeat], Sequence[float]]]] = {
    "queue_seconds": ("Waits for a slot.", lambda beat: beat.tally.queue_s),
    "first_token_seconds": ("Times to the first token.", lambda beat: beat.tally.first_token_s),
    "token_seconds": ("Times from one token to the next.", lambda beat: beat.tally.token_s),
}


class HeartbeatCollector(Collector):
    """Collects the numbers of the workers that live now."""

    def __init__(self, beats: Iterable[Heartbeat]) -> None:
        self._labelled = [
            ((beat.models[0], beat.worker_id[:SHOWN_ID_CHARACTERS]), beat) for beat in beats
        ]

    def collect(self) -> Iterable[Metric]:
        """Return all numbers of all workers."""
        for name, (text, read) in GAUGES.items():
            gauge = GaugeMetricFamily(f"fastchat_worker_{name}", text, labels=LABELS)
            for labels, beat in self._labelled:
                gauge.add_metric(labels, read(beat))
            yield gauge
        for name, (text, read) in COUNTERS.items():
            counter = CounterMetricFamily(f"fastchat_worker_{name}", text, labels=LABELS)
            for labels, beat in self._labelled:
                counter.add_metric(labels, read(beat))
            yield counter
        for name, (text, numbers) in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(f"fastchat_worker_{name}", text, labels=LABELS)
            for labels, beat in self._labelled:
                if len(numbers(beat)) == len(BOUNDS_S) + 2:  # another version may count otherwise
                    *counts, total = numbers(beat)
                    histogram.add_metric(labels, _buckets(counts), total)
            yield histogram


def worker_metrics(beats: Iterable[Heartbeat]) -> bytes:
    """Return the workers' numbers in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(HeartbeatCollector(beats))
    return generate_latest(registry)


def _buckets(counts: Sequence[float]) -> list[tuple[str, float]]:
    """Each bound with how many took at most so long."""
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    return list(zip(bounds, accumulate(counts), strict=True))
