"""The flat batch: the chunks of a step side by side in one row of tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inference.engine.kv_cache import CacheShape
from inference.engine.sequence import Chunk


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one sequence's keys that lie side by side in one row of the cache.

    Attributes:
        row: which row.
        offset: place of the first of them in the row.
        count: how many.
    """

    row: int
    offset: int
    count: int


@dataclass(frozen=True, slots=True)
class Span:
    """Where one chunk of the step lies, in the flat batch and in the cache.

    Attributes:
        first: its first column in the flat batch.
        count: its tokens (queries).
        keys: tokens its last query sees; the chunk's own are the last of them.
        runs: where those keys are, in order, where the batch was laid out with runs.
        blocks: the cache blocks that hold them, in order.
    """

    first: int
    count: int
    keys: int
    runs: tuple[Run, ...]
    blocks: Sequence[int]


@dataclass(frozen=True, slots=True)
class FlatBatch:
    """The tokens of a step and where everything of them goes.

    Attributes:
        tokens: the token of every column [N].
        positions: its place in its sequence [N].
        turns: the position that turns its query and key [N]; another than its place after images
            that take up less room in positions than in tokens.
        slots: the cache slot that takes its keys and values [N].
        scored: the columns whose next-token scores are wanted [S].
        spans: the sequences' parts, in order and without gaps.
    """

    tokens: list[int]
    positions: list[int]
    turns: list[int]
    slots: list[int]
    scored: list[int]
    spans: list[Span]


def lay_out(chunks: Sequence[Chunk], shape: CacheShape, *, has_runs: bool = True) -> FlatBatch:
    """Put chunks side by side, in the order given.

    Args:
        chunks: what the step computes.
        shape: how the cache is divided.
        has_runs: whether spans tell their runs, which nobody asks for who reads page tables.
    """
    places: list[int] = []
    has_images = any(chunk.sequence.images for chunk in chunks)
    batch = FlatBatch([], places, [] if has_images else places, [], [], [])
    for chunk in chunks:
        runs = tuple(_runs(chunk, shape)) if has_runs else ()
        first = len(batch.tokens)
        batch.spans.append(Span(first, chunk.count, chunk.end, runs, chunk.sequence.blocks))
        batch.tokens.extend(chunk.tokens)
        batch.positions.extend(range(chunk.start, chunk.end))
        if has_images:
            shift = _shift(chunk)
            batch.turns.extend(range(chunk.start + shift, chunk.end + shift))
        batch.slots.extend(_slots(chunk, shape.block_size))
        batch.scored.extend(range(len(batch.tokens) - chunk.scored, len(batch.tokens)))
    return batch


def _shift(chunk: Chunk) -> int:
    """What to add to places for positions; inside a prompt with images it is not one number."""
    images = chunk.sequence.images
    return images.shift if images and chunk.start >= chunk.sequence.prompt_tokens else 0


def _slots(chunk: Chunk, block_size: int) -> list[int]:
    blocks = chunk.sequence.blocks
    if chunk.count == 1:
        return [blocks[chunk.start // block_size] * block_size + chunk.start % block_size]
    return [
        blocks[at // block_size] * block_size + at % block_size
        for at in range(chunk.start, chunk.end)
    ]


def _runs(chunk: Chunk, shape: CacheShape) -> Iterator[Run]:
    """Return where the keys are that a chunk's last query sees."""
    left = chunk.end
    for first_block, block_count in chunk.sequence.runs:
        count = min(left, block_count * shape.block_size)
        row, block = divmod(first_block, shape.row_blocks)
        yield Run(row, block * shape.block_size, count)
        left -= count
        if not left:
            break
