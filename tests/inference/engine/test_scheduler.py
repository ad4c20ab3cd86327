from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import Sequence


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def scheduler_of(*, blocks=64, seqs=4, tokens=16, clock=None, **settings):
    config = EngineConfig(max_num_seqs=seqs, max_batched_tokens=tokens, block_size=4, **settings)
    manager = BlockManager(block_count=blocks, block_size=4, reuse_prefixes=False)
    return Scheduler(manager, config, clock=clock or Clock())


def sequence_of(name, length, *, max_tokens=8, **turn):
    return Sequence(name, list(range(length)), length, max_tokens, **turn)


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


def test_room_is_kept_for_those_who_run_when_another_is_let_in():
    scheduler = scheduler_of(blocks=5, tokens=16)
    scheduler.add(sequence_of("runs", 7))
    scheduler.add(sequence_of("waits", 7))

    names = {name for _ in range(8) for name, _, _ in run_step(scheduler)}

    assert names == {"runs"}  # the two would have needed the fifth block before long
    assert scheduler.preemption_count == 0


def test_no_room_is_kept_for_what_nobody_will_say():
    scheduler = scheduler_of(blocks=4, tokens=16)
    scheduler.add(sequence_of("short", 7, max_tokens=1))
    scheduler.add(sequence_of("next", 6))

    assert [name for name, _, _ in run_step(scheduler)] == ["short", "next"]


def test_the_youngest_gives_way_and_comes_back_first():
    scheduler = scheduler_of(blocks=6, tokens=16)
    old, young = sequence_of("old", 7), sequence_of("young", 7)
    scheduler.add(old)
    scheduler.add(young)
    scheduler.add(sequence_of("late", 3))
    steps = [run_step(scheduler) for _ in range(7)]

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


def test_a_short_prompt_is_not_kept_waiting_by_a_long_one():
    scheduler = scheduler_of(tokens=16)
    scheduler.add(sequence_of("long", 60))
    run_step(scheduler)
    scheduler.add(sequence_of("short", 6))

    step = run_step(scheduler)

    assert step == [("short", 0, 6), ("long", 16, 10)]


def test_short_prompts_do_not_pass_an_undivided_text_for_ever():
    scheduler = scheduler_of(tokens=16, seqs=8)
    scheduler.add(sequence_of("whole", 14, is_whole=True))
    for name in "abc":
        scheduler.add(sequence_of(name, 4))

    step = run_step(scheduler)

    assert step[0] == ("whole", 0, 14)


def test_long_prompts_are_finished_one_after_the_other():
    scheduler = scheduler_of(tokens=16)
    scheduler.add(sequence_of("first", 30))
    scheduler.add(sequence_of("second", 30))

    steps = [run_step(scheduler) for _ in range(3)]

    assert steps[0] == [("first", 0, 16)]
    assert steps[1] == [("first", 16, 14), ("second", 0, 2)]
    assert steps[2] == [("first", 30, 1), ("second", 2, 15)]


def test_only_so_many_prompts_are_read_side_by_side():
    scheduler = scheduler_of(tokens=16, seqs=8, max_prefilling=2)
    for name in "abcd":
        scheduler.add(sequence_of(name, 40))

    run_step(scheduler)

    assert [sequence.request_id for sequence in scheduler.running] == ["a", "b"]


def test_many_short_prompts_are_read_in_one_step():
    scheduler = scheduler_of(tokens=16, seqs=8, max_prefilling=1)
    for name in "abcde":
        scheduler.add(sequence_of(name, 3))

    step = run_step(scheduler)

    assert [name for name, _, _ in step] == ["a", "b", "c", "d", "e"]


def test_one_group_does_not_take_all_slots_while_others_wait():
    scheduler = scheduler_of(seqs=4, tokens=64)
    for number in range(10):
        scheduler.add(sequence_of(f"greedy {number}", 3, group="greedy"))
    scheduler.add(sequence_of("modest", 3, group="modest"))

    names = {name for name, _, _ in run_step(scheduler)}

    assert names == {"greedy 0", "modest", "greedy 1", "greedy 2"}


def test_an_urgent_request_is_let_in_first():
    scheduler = scheduler_of(seqs=1)
    scheduler.add(sequence_of("usual", 3))
    scheduler.add(sequence_of("urgent", 3, priority=-5))

    assert [name for name, _, _ in run_step(scheduler)] == ["urgent"]


def test_the_least_urgent_gives_way_before_the_youngest():
    scheduler = scheduler_of(blocks=6, tokens=16)
    scheduler.add(sequence_of("patient", 7, priority=5))
    run_step(scheduler)
    scheduler.add(sequence_of("urgent", 7))

    steps = [run_step(scheduler) for _ in range(6)]

    assert [name for name, _, _ in steps[-1]] == ["urgent"]
    assert [sequence.request_id for sequence in scheduler.waiting] == ["patient"]


def test_whoever_gives_way_again_and_again_comes_to_an_end():
    clock = Clock()
    scheduler = scheduler_of(blocks=6, tokens=16, seqs=2, ageing_s=5.0, clock=clock)
    patient = sequence_of("patient", 7, priority=2, max_tokens=9)
    scheduler.add(patient)
    running = []

    for number in range(200):
        clock.now = float(number)
        if len(scheduler.waiting) < 2:
            scheduler.add(sequence_of(f"urgent {number}", 7, max_tokens=9))
        run_step(scheduler)
        running = [s for s in scheduler.running if s.completion_tokens >= s.max_tokens]
        for sequence in running:
            scheduler.remove(sequence)
        if patient in running:
            break

    assert patient in running
    assert patient.preemptions > 0


def test_overdue_are_those_who_waited_too_long():
    clock = Clock()
    scheduler = scheduler_of(seqs=1, max_waiting_s=10.0, clock=clock)
    for name in ("runs", "waits"):
        scheduler.add(sequence_of(name, 3, arrived_at=0.0))
    run_step(scheduler)
    clock.now = 9.0
    scheduler.add(sequence_of("came later", 3, arrived_at=9.0))
    early = scheduler.overdue()

    clock.now = 10.5

    assert early == []
    assert [sequence.request_id for sequence in scheduler.overdue()] == ["waits"]


def test_a_fork_goes_on_from_what_its_parent_computed():
    scheduler = scheduler_of(tokens=16)
    parent = sequence_of("parent", 10)
    scheduler.add(parent)
    run_step(scheduler)
    child = sequence_of("child", 11)

    copies = scheduler.fork(parent, child)

    assert copies == [(parent.blocks[2], child.blocks[2])]
    assert child.blocks[:2] == parent.blocks[:2]
    assert run_step(scheduler) == [("parent", 10, 1), ("child", 10, 1)]


def test_a_fork_without_a_slot_waits_and_begins_anew():
    scheduler = scheduler_of(tokens=16, seqs=1)
    parent = sequence_of("parent", 10)
    scheduler.add(parent)
    run_step(scheduler)
    child = sequence_of("child", 11)

    copies = scheduler.fork(parent, child)
    scheduler.remove(parent)

    assert copies is None
    assert run_step(scheduler) == [("child", 0, 11)]
