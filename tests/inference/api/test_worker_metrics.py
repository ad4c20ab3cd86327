"""The workers' numbers as Prometheus reads them."""

from inference.api.worker_metrics import worker_metrics
from inference.bus.events import Heartbeat
from inference.engine.histograms import BOUNDS_S
from inference.engine.sequence import Sequence
from inference.engine.stats import Totals
from inference.worker.tally import tally_of


def beat_after(*waits_s: float, worker: str = "w" * 16) -> Heartbeat:
    """The heartbeat of an engine that gave so many first tokens."""
    totals = Totals()
    for wait_s in waits_s:
        sequence = Sequence("r", [0], prompt_tokens=1, max_tokens=1, arrived_at=1.0)
        sequence.started_at = 1.0
        totals.count_tokens(sequence, 1, now=1.0 + wait_s)
    stats = totals.stats(preemptions=5, used_blocks=3, free_blocks=1)
    return Heartbeat(worker, ("m", "alias"), slots=4, waiting=2, tally=tally_of(stats))


def test_gauges_and_counters_carry_model_and_worker() -> None:
    text = worker_metrics([beat_after(0.1)]).decode()

    labels = '{model="m",worker="wwwwwwww"}'
    assert f"fastchat_worker_waiting{labels} 2.0" in text
    assert f"fastchat_worker_cache_usage_ratio{labels} 0.75" in text
    assert f"fastchat_worker_preemptions_total{labels} 5.0" in text
    assert f"fastchat_worker_generated_tokens_total{labels} 1.0" in text


def test_durations_are_counted_up_to_each_bound() -> None:
    text = worker_metrics([beat_after(0.003, 0.2, 99.0)]).decode()

    found = [line for line in text.splitlines() if "worker_first_token_seconds_bucket" in line]
    counts = [float(line.split()[-1]) for line in found]
    assert len(counts) == len(BOUNDS_S) + 1
    assert counts[0] == 1.0
    assert counts[-2:] == [2.0, 3.0]
    assert 'fastchat_worker_first_token_seconds_sum{model="m",worker="wwwwwwww"} 99.203' in text


def test_a_worker_that_counts_in_other_buckets_is_left_out_of_histograms() -> None:
    text = worker_metrics([Heartbeat("w", ("m",), slots=1)]).decode()

    assert "fastchat_worker_slots" in text
    assert "seconds_bucket{" not in text


def test_two_workers_of_a_model_are_told_apart() -> None:
    text = worker_metrics([beat_after(worker="a" * 16), beat_after(worker="b" * 16)]).decode()

    assert text.count("fastchat_worker_running{") == 2
