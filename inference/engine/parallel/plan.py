"""A step's plan as whole numbers: which chunks every process of a model computes together.

    words = forgotten count, forgotten numbers …, edit count, (source, target) …, chunk …
    chunk = sequence number, start, count, scored, run count, (first block, blocks) …, token …

A chunk names the cache blocks of its whole sequence, as runs of neighbours, and its own tokens
only, so a decoding sequence takes a handful of words however long it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence

NOTHING = -1
"""In place of a source block: the target is cleared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one step asks of every process.

    Attributes:
        forgotten: sequences that ended since the last step.
        edits: cache blocks to copy before the step, (source, target) each and in this order;
            where the source is `NOTHING` the target is cleared.
        chunks: what to compute, in order.
    """

    forgotten: list[RunningSequence]
    edits: list[tuple[int, int]]
    chunks: list[Chunk]


class PlanWriter:
    """Writes the plans of one model's steps; numbers the sequences as they come."""

    def __init__(self) -> None:
        self._numbers: dict[RunningSequence, int] = {}
        self._forgotten: list[int] = []
        self._edits: list[tuple[int, int]] = []
        self._next_number = 0

    def forget(self, sequence: RunningSequence) -> None:
        """Let the next plan say that a sequence has ended."""
        number = self._numbers.pop(sequence, None)
        if number is not None:
            self._forgotten.append(number)

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Let the next plan say that blocks are copied."""
        self._edits += pairs

    def clear(self, blocks: Sequence[int]) -> None:
        """Let the next plan say that blocks are cleared."""
        self._edits += ((NOTHING, block) for block in blocks)

    def write(self, chunks: Sequence[Chunk]) -> list[int]:
        """Return the plan of a step over `chunks`."""
        words = [len(self._forgotten), *self._forgotten, len(self._edits)]
        for edit in self._edits:
            words += edit
        self._forgotten.clear()
        self._edits.clear()
        for chunk in chunks:
            runs = chunk.sequence.runs
            number = self._number_of(chunk.sequence)
            words += (number, chunk.start, chunk.count, chunk.scored, len(runs))
            for run in runs:
                words += run
            words += chunk.tokens
        return words

    def _number_of(self, sequence: RunningSequence) -> int:
        number = self._numbers.get(sequence)
        if number is None:
            number = self._numbers[sequence] = self._next_number
            self._next_number += 1
        return number


class PlanReader:
    """Reads the plans of one model's steps into chunks of its own sequences.

    A sequence here has its chunks' tokens at their places; what the cache held already, for
    example a prefix that was found again, is filled up with zeros nobody reads.
    """

    def __init__(self) -> None:
        self._sequences: dict[int, RunningSequence] = {}

    def read(self, words: Sequence[int]) -> Plan:
        """Return what a plan asks for."""
        rest = iter(words)
        forgotten = [
            self._sequences.pop(number)
            for number in _take(rest, next(rest))
            if number in self._sequences
        ]
        edits = [(next(rest), next(rest)) for _ in range(next(rest))]
        chunks = []
        for number in rest:
            start, count, scored, run_count = _take(rest, 4)
            runs = [(next(rest), next(rest)) for _ in range(run_count)]
            sequence = self._sequence(number, runs)
            sequence.tokens += [0] * (start - len(sequence.tokens))
            sequence.tokens[start:] = _take(rest, count)
            chunks.append(Chunk(sequence, start, count, scored))
        return Plan(forgotten, edits, chunks)

    def _sequence(self, number: int, runs: list[tuple[int, int]]) -> RunningSequence:
        """Return the sequence of a number, in the blocks the leader keeps it in now."""
        sequence = self._sequences.get(number)
        if sequence is None:
            sequence = RunningSequence(f"sequence {number}", [], prompt_tokens=0, max_tokens=0)
            self._sequences[number] = sequence
        if sequence.runs != runs:
            sequence.runs = runs
            sequence.blocks = [first + at for first, count in runs for at in range(count)]
        return sequence


def _take(words: Iterator[int], count: int) -> list[int]:
    """Take the next words."""
    return [next(words) for _ in range(count)]
