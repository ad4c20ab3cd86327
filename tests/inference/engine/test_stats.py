import pytest

from inference.engine.histograms import BOUNDS_S, Histogram
from inference.engine.sequence import Sequence
from inference.engine.stats import Totals
from tests.support.engine_runs import GREEDY, answer_together, drain, said


@pytest.mark.parametrize(("duration_s", "bucket"), [(0.0, 0), (0.005, 0), (0.0051, 1), (99.0, -1)])
def test_a_duration_is_counted_in_the_first_bucket_that_holds_it(duration_s, bucket):
    histogram = Histogram()

    histogram.add(duration_s)

    counts = [0] * (len(BOUNDS_S) + 1)
    counts[bucket] = 1
    assert histogram.durations().counts == tuple(counts)


def test_the_mean_of_durations_is_that_of_all_of_them():
    histogram = Histogram()
    histogram.add(1.0, times=3)
    histogram.add(5.0)

    assert histogram.durations().mean_s == 2.0
    assert Histogram().durations().mean_s == 0.0


def test_waits_and_gaps_between_tokens_are_counted():
    totals = Totals()
    sequence = Sequence("a", [0], prompt_tokens=1, max_tokens=9, arrived_at=10.0)
    sequence.started_at = 11.0

    totals.count_tokens(sequence, 1, now=14.0)
    totals.count_tokens(sequence, 2, now=15.0)

    stats = totals.stats(preemptions=0, used_blocks=1, free_blocks=3)
    assert (stats.queue_s.total_s, stats.first_token_s.total_s) == (1.0, 4.0)
    assert (stats.token_s.count, stats.token_s.mean_s) == (2, 0.5)
    assert (stats.generated_tokens, stats.cache_usage) == (3, 0.25)


def test_an_engine_counts_every_token_as_it_comes(make_engine):
    engine = make_engine()
    engine.submit("a", messages=said("Hello!"), params=GREEDY)

    engine.step()
    engine.step()
    midway = engine.stats()
    drain(engine)

    assert (midway.generated_tokens, midway.completion_tokens) == (2, 0)
    end = engine.stats()
    assert end.generated_tokens == end.completion_tokens == GREEDY.max_tokens
    assert end.first_token_s.count == end.queue_s.count == 1
    assert end.token_s.count == GREEDY.max_tokens - 1


def test_a_step_tells_what_it_did(make_engine):
    engine = make_engine(max_batched_tokens=16, max_num_seqs=2)
    engine.submit("a", messages=said("x"), params=GREEDY)
    before = engine.last_step
    while engine.stats().generated_tokens < 2:
        engine.step()
    for name in "bc":
        engine.submit(name, messages=said("Hello!"), params=GREEDY)

    engine.step()

    assert before is None
    step = engine.last_step
    assert (step.running, step.waiting, step.batch_size) == (2, 1, 2)
    assert (step.decode_tokens, step.prefill_tokens) == (1, 15)
    assert 0 < step.cache_usage < 1
    assert min(step.forward_s, step.sampling_s, step.rest_s) > 0


def test_steps_without_work_are_not_counted(make_engine):
    engine = make_engine()
    answer_together(engine, ["x"])
    steps = engine.stats().steps

    engine.step()

    assert engine.stats().steps == steps
