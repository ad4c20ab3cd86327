import logging

import pytest
import torch

from inference.engine.isolation import first_half, run_apart, run_isolating
from inference.engine.sequence import Chunk, Sequence


def chunk_of(name, count, *, scored=1):
    return Chunk(Sequence(name, [0] * count, count, 1), 0, count, scored)


class Machine:
    """Computes chunks: every score is the length of its chunk, unless something is in the way."""

    def __init__(self, *, memory_tokens=10_000, poisoned=()):
        self.memory_tokens = memory_tokens
        self.poisoned = poisoned
        self.passes = []

    def __call__(self, chunks):
        names = [chunk.sequence.request_id for chunk in chunks]
        self.passes.append(names)
        if sum(chunk.count for chunk in chunks) > self.memory_tokens:
            raise torch.OutOfMemoryError("no memory left")
        if set(names) & set(self.poisoned):
            raise RuntimeError("bad kernel")
        return torch.cat([torch.full((chunk.scored, 1), float(chunk.count)) for chunk in chunks])


def names_of(chunks):
    return [chunk.sequence.request_id for chunk in chunks]


def test_what_works_is_run_once():
    machine = Machine()

    result = run_isolating(machine, [chunk_of("a", 3), chunk_of("b", 1)])

    assert machine.passes == [["a", "b"]]
    assert result.logits.flatten().tolist() == [3.0, 1.0]
    assert result.too_many_tokens is None


@pytest.mark.parametrize("poisoned", ["a", "d", "h"])
def test_the_one_that_breaks_the_model_fails_alone(poisoned):
    chunks = [chunk_of(name, at + 1) for at, name in enumerate("abcdefgh")]

    result = run_isolating(Machine(poisoned=poisoned), chunks)

    good = [chunk for chunk in chunks if chunk.sequence.request_id != poisoned]
    assert names_of(chunk for chunk, _ in result.failures) == [poisoned]
    assert result.chunks == good
    assert result.logits.flatten().tolist() == [float(chunk.count) for chunk in good]


def test_a_step_too_large_for_memory_is_run_in_parts():
    chunks = [chunk_of(name, 4) for name in "abcd"]

    result = run_isolating(Machine(memory_tokens=8), chunks)

    assert result.chunks == chunks
    assert result.failures == []
    assert result.too_many_tokens == 16


def test_a_chunk_too_large_for_memory_is_shortened():
    result = run_isolating(Machine(memory_tokens=8), [chunk_of("a", 30), chunk_of("b", 2)])

    assert [(chunk.count, chunk.scored) for chunk in result.chunks] == [(7, 0), (2, 1)]
    assert result.too_many_tokens == 15
    assert result.logits.flatten().tolist() == [2.0]


def test_a_draft_is_given_up_before_a_token():
    chunk = chunk_of("a", 5, scored=5)
    chunk.sequence.draft[:] = [7, 7, 7, 7]

    result = run_isolating(Machine(memory_tokens=4), [chunk])

    assert [(chunk.count, chunk.scored) for chunk in result.chunks] == [(1, 1)]
    assert chunk.sequence.draft == []


def test_what_does_not_fit_even_as_one_token_has_failed():
    result = run_isolating(Machine(memory_tokens=0), [chunk_of("a", 4)])

    ((chunk, error),) = result.failures
    assert chunk.sequence.request_id == "a"
    assert isinstance(error, torch.OutOfMemoryError)
    assert error.__traceback__ is None  # or its frames would keep the memory


@pytest.mark.parametrize(("scored", "left"), [(0, 0), (1, 0), (4, 0), (5, 1), (7, 3)])
def test_half_a_chunk_keeps_the_scores_that_fall_into_it(scored, left):
    half = first_half(chunk_of("a", 7, scored=scored))

    assert (half.count, half.scored) == (3, left)


def test_what_is_run_apart_is_never_run_twice():
    machine = Machine(poisoned="b")

    result = run_apart(machine, [chunk_of(name, 1) for name in "abc"])

    assert machine.passes == [["a"], ["b"], ["c"]]
    assert names_of(result.chunks) == ["a", "c"]


def test_a_failed_step_is_told_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        run_isolating(Machine(poisoned="a"), [chunk_of("a", 1), chunk_of("b", 1)])

    assert "a step of 2 chunks failed: RuntimeError" in caplog.text
