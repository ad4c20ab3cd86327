from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import Chunk, Sequence, next_chunk


def scheduler_of(*, blocks=64, tokens=16):
    config = EngineConfig(max_num_seqs=4, max_batched_tokens=tokens, block_size=4)
    return Scheduler(BlockManager(block_count=blocks, block_size=4, reuse_prefixes=False), config)


def decoding(scheduler, *names, length=7):
    """Sequences that have read their prompts and hold one token of their answer."""
    sequences = [Sequence(name, list(range(length)), length, 50) for name in names]
    for sequence in sequences:
        scheduler.add(sequence)
    for chunk in scheduler.schedule():
        chunk.sequence.computed_tokens = chunk.end
        chunk.sequence.tokens.append(9)
    return sequences


def leave_free(scheduler, *, blocks):
    """Give all blocks but so many to somebody who never gives way."""
    manager = scheduler._blocks
    taken = (manager.free_blocks - blocks) * manager.block_size
    assert manager.grow(Sequence("elsewhere", [], 0, 1), taken)


def test_a_chunk_goes_on_into_the_draft_and_every_guess_is_scored():
    sequence = Sequence("a", [1, 2, 3, 4], 4, 50, computed_tokens=3, draft=[7, 8])

    chunk = next_chunk(sequence, 3)

    assert chunk == Chunk(sequence, start=3, count=3, scored=3)
    assert chunk.tokens == [4, 7, 8]
    assert chunk.is_sampled
    assert Chunk(sequence, start=5, count=1, scored=1).tokens == [8]


def test_a_prompt_is_scored_at_its_end_alone():
    sequence = Sequence("a", [1, 2, 3, 4], 4, 50)

    assert [next_chunk(sequence, count).scored for count in (1, 3, 4)] == [0, 0, 1]


def test_drafts_count_as_tokens_of_the_step():
    scheduler = scheduler_of(tokens=16)
    first, _ = decoding(scheduler, "a", "b")
    scheduler.add(Sequence("late", list(range(40)), 40, 50))
    first.draft[:] = [1, 2, 3]

    counts = [(chunk.sequence.request_id, chunk.count) for chunk in scheduler.schedule()]

    assert counts == [("a", 4), ("b", 1), ("late", 11)]


def test_a_draft_never_takes_anothers_token():
    scheduler = scheduler_of(tokens=6)
    first, second = decoding(scheduler, "a", "b", length=3)
    first.draft[:] = [1, 2, 3]
    second.draft[:] = [4, 5, 6]

    counts = [(chunk.sequence.request_id, chunk.count) for chunk in scheduler.schedule()]

    assert counts == [("a", 4), ("b", 2)]
    assert second.draft == [4]


def test_a_draft_without_blocks_is_given_up_before_anybody_gives_way():
    scheduler = scheduler_of()
    first, _ = decoding(scheduler, "a", "b")
    leave_free(scheduler, blocks=0)
    first.draft[:] = [1, 2]

    counts = [chunk.count for chunk in scheduler.schedule()]

    assert counts == [1, 1]
    assert first.draft == []
    assert scheduler.preemption_count == 0


def test_a_sequence_that_gives_way_loses_its_draft():
    scheduler = scheduler_of()
    first, second = decoding(scheduler, "a", "b")
    leave_free(scheduler, blocks=1)
    for sequence in (first, second):
        sequence.computed_tokens = 8
        sequence.tokens.append(9)
    second.draft[:] = [1, 2]

    chunks = scheduler.schedule()

    assert [chunk.sequence for chunk in chunks] == [first]
    assert second.draft == []
