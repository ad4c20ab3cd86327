"""A sequence: the tokens of one request while the engine computes them, and where they are kept."""

import time
from dataclasses import dataclass, field

from inference.engine.images import Images
from inference.engine.pooling import Pool
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
        draft: a guess at the tokens that follow `tokens`, to be checked in the next step.
        blocks: the cache blocks that hold the sequence, in order.
        digests: names of the full blocks' contents, in order (see `BlockManager`); they outlive
            the blocks.
        home: the run of blocks the sequence would like to grow into, as [first, last).
        runs: `blocks` as stretches of neighbours in one row of the cache, (first, count) each.
        is_placed: whether the sequence has been given its first blocks once before.
        named_blocks: how many of `blocks`, from the first, the block manager has named.
        priority: lower goes first; see `WaitingLine`.
        group: whose request it is; groups take turns.
        number: the scheduler's count of arrivals, set when the sequence is added.
        arrived_at: when it was made, in seconds of `time.monotonic`.
        started_at: when it first got a slot; 0 before.
        token_at: when its latest token came; 0 before the first.
        is_running: whether the sequence has a slot.
        preemptions: how often it lost its blocks to another one.
        scores_prompt: whether every token of the prompt is to be scored, as long as nothing has
            been answered.
        pool: what becomes of its tokens' states, where they are wanted instead of an answer.
        is_whole: whether all its tokens must be computed at once, as they see one another.
        images: what its prompt shows; None for text alone.
        adapter: the adapter it is computed with; empty for the bare model.
    """

    request_id: str
    tokens: list[int]
    prompt_tokens: int
    max_tokens: int
    computed_tokens: int = 0
    cached_tokens: int = 0
    draft: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    home: tuple[int, int] = (0, 0)
    runs: list[tuple[int, int]] = field(default_factory=list)
    is_placed: bool = False
    named_blocks: int = 0
    priority: int = 0
    group: str = ""
    number: int = 0
    arrived_at: float = field(default_factory=time.monotonic)
    started_at: float = 0.0
    token_at: float = 0.0
    is_running: bool = False
    preemptions: int = 0
    scores_prompt: bool = False
    pool: Pool | None = None
    is_whole: bool = False
    images: Images | None = None
    adapter: str = ""

    @property
    def standing(self) -> tuple[int, int]:
        """Who keeps its blocks when they are short: the lowest; giving way raises it a level."""
        return self.priority - self.preemptions, self.number

    @property
    def needs_every_token(self) -> bool:
        """Whether each token must be computed, also one whose keys and values are known."""
        return self.scores_prompt or self.pool is not None

    @property
    def completion_tokens(self) -> int:
        """Length of the answer so far, its end token included."""
        return len(self.tokens) - self.prompt_tokens

    @property
    def pending_tokens(self) -> int:
        """Tokens the model has not read yet: 1 while decoding, more while prefilling."""
        return len(self.tokens) - self.computed_tokens

    def add_block(self, block: int, *, begins_row: bool = False) -> None:
        """Append one block to those that hold the sequence."""
        if self.blocks and block == self.blocks[-1] + 1 and not begins_row:
            first, count = self.runs[-1]
            self.runs[-1] = (first, count + 1)
        else:
            self.runs.append((block, 1))
        self.blocks.append(block)

    def forget_blocks(self) -> None:
        """Begin again with nothing computed."""
        self.draft.clear()
        self.blocks.clear()
        self.named_blocks = 0
        self.home = (0, 0)
        self.runs.clear()
        self.computed_tokens = 0

    @property
    def usage(self) -> Usage:
        """Exact counts as of now."""
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a sequence that one step computes: tokens [start, start + count).

    It may go on into the sequence's draft.

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
        length = len(self.sequence.tokens)
        own = self.sequence.tokens[self.start : self.end]
        if self.end <= length:
            return own
        return own + self.sequence.draft[max(0, self.start - length) : self.end - length]

    @property
    def is_decoding(self) -> bool:
        """Whether all before the sequence's last token had been read."""
        return self.start >= self.sequence.prompt_tokens and self.count == self.scored

    @property
    def is_sampled(self) -> bool:
        """Whether the chunk reaches the sequence's last token, so that a new one follows."""
        return self.sequence.pool is None and self.end >= len(self.sequence.tokens)


def next_chunk(sequence: Sequence, count: int) -> Chunk:
    """Return the chunk of the next `count` tokens a sequence has not computed.

    Every token from the sequence's last one on is scored: that one and those of its draft. Of a
    prompt whose own scores are wanted all tokens are, of a text that is pooled none.
    """
    scored = max(0, count - sequence.pending_tokens + 1)
    if sequence.scores_prompt:
        scored = count
    if sequence.pool is not None:
        scored = 0
    return Chunk(sequence, sequence.computed_tokens, count, scored)
