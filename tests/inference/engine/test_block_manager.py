import random

import pytest

from inference.engine.block_manager import BlockManager
from inference.engine.sequence import Sequence


def sequence_of(tokens, *, max_tokens=8):
    tokens = list(tokens)
    return Sequence("request", tokens, len(tokens), max_tokens)


def compute(manager, sequence):
    """Give a sequence its blocks and mark everything as computed."""
    assert manager.grow(sequence, len(sequence.tokens))
    sequence.computed_tokens = len(sequence.tokens)
    manager.remember(sequence)


def test_blocks_are_counted_and_come_back():
    manager = BlockManager(block_count=8, block_size=4)
    sequence = sequence_of(range(10))

    compute(manager, sequence)
    used = manager.used_blocks
    manager.release(sequence)

    assert used == 3
    assert manager.free_blocks == 8
    assert sequence.blocks == []


def test_growing_beyond_what_is_free_changes_nothing():
    manager = BlockManager(block_count=2, block_size=4)
    sequence = sequence_of(range(4))
    compute(manager, sequence)

    assert manager.grow(sequence, 13) is False
    assert (len(sequence.blocks), manager.free_blocks) == (1, 1)


def test_a_prompt_finds_the_blocks_of_one_that_began_alike():
    manager = BlockManager(block_count=8, block_size=4)
    first = sequence_of(range(10))
    compute(manager, first)
    kept = list(first.blocks)
    manager.release(first)
    second = sequence_of([*range(8), 99, 98])

    manager.reuse_prefix(second)

    assert second.blocks == kept[:2]
    assert second.computed_tokens == 8


def test_blocks_are_shared_while_both_run_and_freed_with_the_last():
    manager = BlockManager(block_count=8, block_size=4)
    first, second = sequence_of(range(9)), sequence_of(range(9))
    compute(manager, first)

    manager.reuse_prefix(second)
    compute(manager, second)
    manager.release(first)

    assert manager.used_blocks == 3
    manager.release(second)
    assert manager.used_blocks == 0


def test_the_last_token_is_always_left_to_compute():
    manager = BlockManager(block_count=8, block_size=4)
    first = sequence_of(range(8))
    compute(manager, first)
    second = sequence_of(range(8))

    manager.reuse_prefix(second)

    assert second.computed_tokens == 4


def test_equal_blocks_after_different_beginnings_are_not_shared():
    manager = BlockManager(block_count=8, block_size=4)
    first = sequence_of([0, 0, 0, 0, 5, 5, 5, 5, 1])
    compute(manager, first)
    second = sequence_of([9, 9, 9, 9, 5, 5, 5, 5, 1])

    manager.reuse_prefix(second)

    assert second.blocks == []


def test_a_block_taken_by_another_is_found_no_more():
    manager = BlockManager(block_count=2, block_size=4)
    first = sequence_of(range(8))
    compute(manager, first)
    manager.release(first)
    other = sequence_of(range(100, 108))
    compute(manager, other)
    manager.release(other)
    again = sequence_of(range(9))

    manager.reuse_prefix(again)

    assert again.blocks == []


def test_without_reuse_nothing_is_found():
    manager = BlockManager(block_count=8, block_size=4, reuse_prefixes=False)
    first = sequence_of(range(10))
    compute(manager, first)
    manager.release(first)
    second = sequence_of(range(10))

    manager.reuse_prefix(second)

    assert second.blocks == []


def test_a_fork_shares_full_blocks_and_owns_the_last():
    manager = BlockManager(block_count=8, block_size=4)
    parent = sequence_of(range(10))
    compute(manager, parent)
    child = sequence_of(range(11))

    copies = manager.fork(parent, child)

    assert child.blocks[:2] == parent.blocks[:2]
    assert copies == [(parent.blocks[2], child.blocks[2])]
    assert child.computed_tokens == 10
    assert manager.used_blocks == 4
    manager.release(parent)
    assert manager.used_blocks == 3
    manager.release(child)
    assert manager.used_blocks == 0


def test_a_fork_at_the_end_of_a_block_copies_nothing():
    manager = BlockManager(block_count=8, block_size=4)
    parent = sequence_of(range(8))
    compute(manager, parent)
    child = sequence_of(range(9))

    copies = manager.fork(parent, child)

    assert copies == []
    assert child.blocks[2] not in parent.blocks


def test_a_fork_leaves_itself_a_token_to_compute():
    manager = BlockManager(block_count=8, block_size=4)
    parent = sequence_of(range(10))
    compute(manager, parent)
    child = sequence_of(range(10))

    manager.fork(parent, child)

    assert child.pending_tokens == 1


def test_a_fork_without_room_changes_nothing():
    manager = BlockManager(block_count=3, block_size=4)
    parent = sequence_of(range(10))
    compute(manager, parent)
    child = sequence_of(range(11))

    assert manager.fork(parent, child) is None
    assert (child.blocks, manager.free_blocks) == ([], 0)


def test_room_is_told_with_what_is_known_already():
    manager = BlockManager(block_count=4, block_size=4)
    running = sequence_of(range(10))
    compute(manager, running)

    assert manager.has_room(sequence_of(range(9)), 9)  # two known blocks and a free one
    assert not manager.has_room(sequence_of(range(50, 59)), 9)


def test_unused_known_blocks_are_not_counted_twice():
    manager = BlockManager(block_count=3, block_size=4)
    known = sequence_of(range(8))
    compute(manager, known)
    manager.release(known)
    other = sequence_of(range(50, 54))
    compute(manager, other)

    assert manager.has_room(sequence_of(range(8)), 8)
    assert not manager.has_room(sequence_of(range(12)), 12)


def test_names_of_blocks_never_outnumber_them():
    manager = BlockManager(block_count=8, block_size=4)

    for start in range(0, 4_000, 40):
        sequence = sequence_of(range(start, start + 20))
        manager.reuse_prefix(sequence)
        compute(manager, sequence)
        manager.release(sequence)

    assert len(manager._block_of) == len(manager._digest_of) <= 8
    assert not manager._promised.any()


def test_sequences_that_grow_side_by_side_stay_in_one_piece():
    manager = BlockManager(block_count=32, block_size=4)
    sequences = [sequence_of(range(start, start + 6), max_tokens=20) for start in (0, 50, 100)]
    for sequence in sequences:
        manager.settle(sequence, expected_tokens=26)
        compute(manager, sequence)

    for length in range(7, 27):
        for sequence in sequences:
            assert manager.grow(sequence, length)

    assert [len(sequence.runs) for sequence in sequences] == [1] * 3


def test_each_sequence_begins_a_row_while_there_are_empty_ones():
    manager = BlockManager(block_count=24, block_size=4, row_blocks=6)
    sequences = [sequence_of(range(start, start + 6), max_tokens=10) for start in (0, 50, 100, 150)]

    for sequence in sequences:
        manager.settle(sequence, expected_tokens=16)
        compute(manager, sequence)

    assert [sequence.blocks[0] for sequence in sequences] == [0, 6, 12, 18]


def test_a_sequence_longer_than_a_row_goes_on_at_the_start_of_another():
    manager = BlockManager(block_count=24, block_size=4, row_blocks=6)
    sequence = sequence_of(range(30), max_tokens=10)

    manager.settle(sequence, expected_tokens=40)
    compute(manager, sequence)
    assert manager.grow(sequence, 40)

    assert sequence.runs == [(0, 6), (6, 4)]
    assert manager._promised.sum() == 4
    manager.release(sequence)
    assert not manager._promised.any()


def test_a_next_turn_grows_in_the_row_of_the_last_one():
    manager = BlockManager(block_count=24, block_size=4, row_blocks=6)
    first, other = sequence_of(range(9), max_tokens=3), sequence_of(range(50, 60), max_tokens=3)
    for sequence in (first, other):
        manager.settle(sequence, expected_tokens=12)
        compute(manager, sequence)
    manager.release(first)

    second = sequence_of(range(14), max_tokens=6)
    manager.reuse_prefix(second)
    manager.settle(second, expected_tokens=20)
    compute(manager, second)

    assert second.runs == [(0, 4)]


def test_a_crowded_cache_scatters_rather_than_refuses():
    manager = BlockManager(block_count=6, block_size=4)
    first, second = sequence_of(range(4)), sequence_of(range(50, 54))
    for sequence in (first, second):
        manager.settle(sequence, expected_tokens=4)
        compute(manager, sequence)

    assert manager.grow(first, 16)
    assert manager.grow(second, 8)
    assert manager.free_blocks == 0


@pytest.mark.parametrize("seed", range(5))
def test_no_block_is_ever_written_by_two(seed):
    rng = random.Random(seed)
    manager = BlockManager(block_count=24, block_size=4)
    running = []
    for _ in range(400):
        if running and rng.random() < 0.3:
            manager.release(running.pop(rng.randrange(len(running))))
        elif running and rng.random() < 0.6:
            sequence = rng.choice(running)
            sequence.tokens.append(rng.randrange(3))
            if manager.grow(sequence, len(sequence.tokens)):
                sequence.computed_tokens = len(sequence.tokens)
                manager.remember(sequence)
            else:
                sequence.tokens.pop()
        else:
            sequence = sequence_of([rng.randrange(2) for _ in range(rng.randint(1, 12))])
            manager.reuse_prefix(sequence)
            manager.settle(sequence, expected_tokens=len(sequence.tokens) + 8)
            if manager.grow(sequence, len(sequence.tokens)):
                sequence.computed_tokens = len(sequence.tokens)
                manager.remember(sequence)
                running.append(sequence)
            else:
                manager.release(sequence)

        # A block held by several must be full and hold the same tokens after the same beginning.
        holders = {}
        for sequence in running:
            for number, block in enumerate(sequence.blocks):
                text = tuple(sequence.tokens[: (number + 1) * 4])
                is_full = (number + 1) * 4 <= len(sequence.tokens)
                holders.setdefault(block, []).append((text, is_full))
        for found in holders.values():
            if len(found) > 1:
                assert len({text for text, _ in found}) == 1
                assert all(is_full for _, is_full in found)
        assert manager.used_blocks == len(holders)
