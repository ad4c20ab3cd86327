"""A sequence: the tokens of one request while the engine computes them, and where they are kept."""

from dataclasses import dataclass, field

from inference.generation import Usage


@dataclass(slots=True, eq=False)
class Sequence:
    """The tokens of one request and how far the model has read them.

    Attributes:
        request_id: names the request in outputs.
        tokens: prompt and answer so far.
        prompt_tokens: how many of `tokens` are the prompt.
        max_tokens: most tokens the answer may have; prompt and answer fit into the window.
        computed_tokens: how many of `tokens` have their keys and values in the cache.
        cached_tokens: how many of the prompt were found in the cache when it was first placed.
        blocks: the cache blocks that hold the sequence, in order.
        digests: names of the full blocks' contents, in order (see `BlockManager`).
        home: the run of blocks the sequence would like to grow into, as [first, last).
        is_scattered: whether some blocks are not neighbours in ascending order.
        is_placed: whether the sequence has been given its first blocks once before.
    """

    request_id: str
    tokens: list[int]
    prompt_tokens: int
    max_tokens: int
    computed_tokens: int = 0
    cached_tokens: int = 0
    blocks: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    home: tuple[int, int] = (0, 0)
    is_scattered: bool = False
    is_placed: bool = False

    @property
    def completion_tokens(self) -> int:
        """Length of the answer so far, its end token included."""
        return len(self.tokens) - self.prompt_tokens

    @property
    def pending_tokens(self) -> int:
        """Tokens the model has not read yet: 1 while decoding, more while prefilling."""
        return len(self.tokens) - self.computed_tokens

    def add_block(self, block: int) -> None:
        """Append one block to those that hold the sequence."""
        if self.blocks and block != self.blocks[-1] + 1:
            self.is_scattered = True
        self.blocks.append(block)

    def forget_blocks(self) -> None:
        """Begin again with nothing computed."""
        self.blocks.clear()
        self.digests.clear()
        self.home = (0, 0)
        self.is_scattered = False
        self.computed_tokens = 0

    @property
    def usage(self) -> Usage:
        """Exact counts as of now."""
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a sequence that one step computes: tokens [start, start + count).

    Attributes:
        sequence: whose.
        start: index of the first token.
        count: how many tokens.
        scored: how many of the last tokens need their next-token scores; 1 where a token is
            sampled after the chunk, 0 in the middle of a prompt.
    """

    sequence: Sequence
    start: int
    count: int
    scored: int

    @property
    def end(self) -> int:
        """Index after the chunk's last token: how many keys its last query sees."""
        return self.start + self.count

    @property
    def tokens(self) -> list[int]:
        """The tokens to compute."""
        return self.sequence.tokens[self.start : self.end]

    @property
    def is_sampled(self) -> bool:
        """Whether the chunk reaches the sequence's end, so that a new token follows."""
        return self.end == len(self.sequence.tokens)


def next_chunk(sequence: Sequence, count: int) -> Chunk:
    """Return the chunk of the next `count` tokens a sequence has not computed."""
    is_sampled = count == sequence.pending_tokens
    return Chunk(sequence, sequence.computed_tokens, count, scored=int(is_sampled))
