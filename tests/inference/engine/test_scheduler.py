from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import Sequence


def scheduler_of(*, blocks=64, seqs=4, tokens=16):
    config = EngineConfig(max_num_seqs=seqs, max_batched_tokens=tokens, block_size=4)
    return Scheduler(BlockManager(block_count=blocks, block_size=4, reuse_prefixes=False), config)


def sequence_of(name, length, *, max_tokens=8):
    return Sequence(name, list(range(length)), length, max_tokens)


def run_step(scheduler):
    """Schedule, and pretend that the model computed and sampled."""
    chunks = scheduler.schedule()
    for chunk in chunks:
        is_sampled = chunk.is_sampled
        chunk.sequence.computed_tokens = chunk.end
        if is_sampled:
            chunk.sequence.tokens.append(0)
    return [(chunk.sequence.request_id, chunk.start, chunk.count) for chunk in chunks]


def test_a_long_prompt_is_read_in_chunks():
    scheduler = scheduler_of(tokens=16)
    scheduler.add(sequence_of("a", 40))

    steps = [run_step(scheduler) for _ in range(4)]

    assert steps == [[("a", 0, 16)], [("a", 16, 16)], [("a", 32, 8)], [("a", 40, 1)]]


def test_running_answers_get_their_token_before_a_prompt_is_read():
    scheduler = scheduler_of(tokens=16)
    scheduler.add(sequence_of("a", 4))
    run_step(scheduler)
    scheduler.add(sequence_of("b", 40))

    steps = [run_step(scheduler), run_step(scheduler)]

    assert steps[0] == [("a", 4, 1), ("b", 0, 15)]
    assert steps[1] == [("a", 5, 1), ("b", 15, 15)]


def test_a_step_never_exceeds_its_tokens():
    scheduler = scheduler_of(tokens=10, seqs=8)
    for name in "abcdef":
        scheduler.add(sequence_of(name, 7))

    for _ in range(12):
        assert sum(count for _, _, count in run_step(scheduler)) <= 10


def test_no_more_than_the_slots_run():
    scheduler = scheduler_of(seqs=2)
    for name in "abc":
        scheduler.add(sequence_of(name, 3))

    names = [name for name, _, _ in run_step(scheduler)]

    assert names == ["a", "b"]
    assert [sequence.request_id for sequence in scheduler.waiting] == ["c"]


def test_a_prompt_waits_until_the_cache_has_room_for_it():
    scheduler = scheduler_of(blocks=4, tokens=16)
    first = sequence_of("a", 10)
    scheduler.add(first)
    scheduler.add(sequence_of("b", 10))

    before = [name for name, _, _ in run_step(scheduler)]
    scheduler.remove(first)
    after = [name for name, _, _ in run_step(scheduler)]

    assert (before, after) == (["a"], ["b"])


def test_the_youngest_gives_way_and_comes_back_first():
    scheduler = scheduler_of(blocks=4, tokens=16)
    old, young = sequence_of("old", 7), sequence_of("young", 7)
    scheduler.add(old)
    scheduler.add(young)
    scheduler.add(sequence_of("late", 3))
    steps = [run_step(scheduler) for _ in range(4)]

    assert [name for name, _, _ in steps[0]] == ["old", "young"]
    assert [name for name, _, _ in steps[-1]] == ["old"]
    assert scheduler.preemption_count == 1
    assert [sequence.request_id for sequence in scheduler.waiting] == ["young", "late"]
    assert young.computed_tokens == 0


def test_removing_gives_the_blocks_back_wherever_the_sequence_is():
    scheduler = scheduler_of(seqs=1)
    running, waiting = sequence_of("a", 5), sequence_of("b", 5)
    scheduler.add(running)
    scheduler.add(waiting)
    run_step(scheduler)

    scheduler.remove(running)
    scheduler.remove(waiting)

    assert not scheduler.has_work()
    assert scheduler._blocks.used_blocks == 0
