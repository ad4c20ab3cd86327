"""A draft model: a small model that reads what the large one reads and runs ahead of it."""

import logging
from collections.abc import Sequence as Items
from dataclasses import dataclass, field, replace
from itertools import takewhile

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.model_runner import ModelRunner
from inference.engine.runner_choice import choose_runner
from inference.engine.sequence import Chunk, Sequence, next_chunk
from inference.engine.speculation.acceptance import draw_from
from inference.engine.speculation.proposer import Draft, DraftRequest
from inference.engine.truncation import Truncation
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Follower:
    """The draft model's own copy of a sequence.

    Attributes:
        sequence: shares its tokens with the sequence it follows and has its own place in the
            draft model's cache; its draft is the last guess.
        known_tokens: length of the tokens when the last guess began.
        is_able: whether the draft model can compute it.
    """

    sequence: Sequence
    known_tokens: int
    is_able: bool = True


@dataclass(slots=True, eq=False)
class Job:
    """One draft in the making.

    Attributes:
        request: what is wanted.
        follower: whose draft grows.
        limit: most tokens to guess.
        rows: distributions the tokens were drawn from, float [V] each.
    """

    request: DraftRequest
    follower: Follower
    limit: int
    rows: list[Tensor] = field(default_factory=list)

    def draft(self) -> Draft:
        """Return what has been guessed."""
        tokens = list(self.follower.sequence.draft)
        return Draft(tokens, torch.stack(self.rows) if self.rows else None)


class DraftModel:
    """Guesses with a smaller model of the same vocabulary, all sequences in one flat batch.

    It keeps its own cache. What the large model refused is cut off when the sequence is seen
    next; what it said meanwhile is read in one pass together with the others' next tokens. A
    prompt longer than a step is read over several steps, without a guess until it has been read.

    Args:
        runner: the draft model's.
        blocks: the blocks of its cache.
        context_length: its window in tokens.
        max_batched_tokens: tokens of its largest forward pass.
        vocabulary_size: tokens the large model knows; the draft model guesses no others.
    """

    def __init__(
        self,
        runner: ModelRunner,
        blocks: BlockManager,
        *,
        context_length: int,
        max_batched_tokens: int,
        vocabulary_size: int,
    ) -> None:
        self._runner = runner
        self._blocks = blocks
        self._context_length = context_length
        self._max_batched_tokens = max_batched_tokens
        self._vocabulary_size = vocabulary_size
        self._followers: dict[Sequence, Follower] = {}

    def propose(self, requests: Items[DraftRequest]) -> list[Draft]:
        """Return one draft for each request, in their order."""
        wanted = {request.sequence for request in requests}
        jobs = [self._begin(request, wanted) for request in requests]
        job_of = {job.follower.sequence: job for job in jobs}
        chunks = self._unread(jobs)
        while chunks:
            result = self._runner.run(chunks)
            for chunk, error in result.failures:
                logger.warning("the draft model failed on a sequence", exc_info=error)
                job_of[chunk.sequence].follower.is_able = False
            for chunk in result.chunks:
                chunk.sequence.computed_tokens = chunk.end
            guessing = [job_of[chunk.sequence] for chunk in result.chunks if chunk.scored]
            chunks = self._extend(guessing, result.logits)
        return [job.draft() for job in jobs]

    def forget(self, sequence: Sequence) -> None:
        """Give back the blocks of a sequence that ended."""
        follower = self._followers.pop(sequence, None)
        if follower is not None:
            self._blocks.release(follower.sequence)
            self._runner.forget(follower.sequence)

    def _begin(self, request: DraftRequest, wanted: set[Sequence]) -> Job:
        """Catch up with the sequence and make room for its draft."""
        follower = self._follow(request.sequence)
        length = follower.known_tokens
        limit = min(request.limit, self._context_length - length)
        if limit < 1 or not follower.is_able:
            return Job(request, follower, 0)
        # The last guess is not computed.
        if not self._make_room(follower.sequence, length + limit - 1, wanted):
            limit = 0
        return Job(request, follower, limit)

    def _follow(self, sequence: Sequence) -> Follower:
        """Return the sequence's follower, without what was guessed wrong."""
        follower = self._followers.get(sequence)
        if follower is None:
            own = without_place(sequence)
            follower = self._followers[sequence] = Follower(own, len(sequence.tokens))
            self._blocks.reuse_prefix(own)
            expected = min(own.prompt_tokens + own.max_tokens, self._context_length)
            self._blocks.settle(own, expected_tokens=expected)
            return follower
        own = follower.sequence
        said = sequence.tokens[follower.known_tokens :]
        foreseen = takewhile(lambda pair: pair[0] == pair[1], zip(own.draft, said, strict=False))
        valid_tokens = follower.known_tokens + sum(1 for _ in foreseen)
        # The last token is always read again: its scores begin the next guess.
        own.computed_tokens = min(own.computed_tokens, valid_tokens, len(sequence.tokens) - 1)
        own.draft.clear()
        follower.known_tokens = len(sequence.tokens)
        self._blocks.remember(own)
        return follower

    def _make_room(self, own: Sequence, tokens: int, wanted: set[Sequence]) -> bool:
        """Grow a follower; where blocks are short, at the cost of those nobody asks about."""
        if self._blocks.grow(own, tokens):
            return True
        for idle in self._followers.keys() - wanted:
            self.forget(idle)
        return self._blocks.grow(own, tokens)

    def _unread(self, jobs: Items[Job]) -> list[Chunk]:
        """Return what the followers have not read, in order, as far as one pass reaches."""
        budget = self._max_batched_tokens
        chunks = []
        for job in jobs:
            own = job.follower.sequence
            count = min(own.pending_tokens, budget)
            if job.limit and count:
                chunks.append(next_chunk(own, count))
                budget -= count
        return chunks

    def _extend(self, jobs: Items[Job], logits: Tensor) -> list[Chunk]:
        """Add a token to each draft; return the chunks of those that go on.

        Args:
            jobs: whose drafts.
            logits: one row for each, [B, V of the draft model].
        """
        if not jobs:
            return []
        logits = self._shared_vocabulary(logits)
        tokens: list[int | None] = logits.argmax(dim=-1).tolist()
        drawn = [row for row, job in enumerate(jobs) if job.request.is_drawn]
        if drawn:
            states = [jobs[row].request.sampling for row in drawn]
            truncation = Truncation(
                [state.params for state in states],
                device=logits.device,
                vocabulary=self._vocabulary_size,
            )
            weights = truncation.probabilities(logits[drawn].float())
            chosen = draw_from(weights, [state.rng.random() for state in states])
            for row, weight, token in zip(drawn, weights, chosen, strict=True):
                tokens[row] = token
                if token is not None:
                    jobs[row].rows.append(weight)
        chunks = []
        for job, token in zip(jobs, tokens, strict=True):
            own = job.follower.sequence
            if token is None:
                continue
            own.draft.append(token)
            if len(own.draft) < job.limit:
                chunks.append(Chunk(own, own.computed_tokens, 1, scored=1))
        return chunks

    def _shared_vocabulary(self, logits: Tensor) -> Tensor:
        """Bring scores to the large model's vocabulary; families pad theirs differently."""
        missing = self._vocabulary_size - logits.shape[-1]
        return pad(logits, (0, missing), value=float("-inf")) if missing else logits


def without_place(sequence: Sequence) -> Sequence:
    """Return a sequence that shares the tokens and has no place in any cache yet."""
    return Sequence(
        sequence.request_id,
        sequence.tokens,
        prompt_tokens=sequence.prompt_tokens,
        max_tokens=sequence.max_tokens,
    )


def make_draft_model(
    model: PreTrainedModel,
    config: EngineConfig,
    *,
    context_length: int,
    cache_tokens: int,
    vocabulary_size: int,
) -> DraftModel:
    """Return a proposer that runs a small model beside the large one.

    Args:
        model: a transformers decoder of the same tokenizer; it belongs to the proposer now.
        config: the large model's.
        context_length: the large model's window.
        cache_tokens: tokens its cache has room for, as many as the large model's.
        vocabulary_size: tokens the large model knows.

    Raises:
        ModelLoadError: the model does not run in the flat batch, so it cannot take back what it
            read.
    """
    window = min(context_length, int(model.config.get_text_config().max_position_embeddings))
    name = f"the draft model of {config.name}"
    config = replace(config, name=name, kv_cache_tokens=cache_tokens)
    chosen = choose_runner(model.eval(), config, context_length=window)
    if not chosen.runner.has_prefix_reuse:
        raise ModelLoadError(f"{config.name} cannot guess ahead: its memory cannot be cut back")
    blocks = BlockManager(
        block_count=chosen.shape.block_count,
        block_size=chosen.shape.block_size,
        row_blocks=chosen.shape.row_blocks,
        reuse_prefixes=config.prefix_cache,
    )
    return DraftModel(
        chosen.runner,
        blocks,
        context_length=chosen.context_length,
        max_batched_tokens=config.max_batched_tokens,
        vocabulary_size=vocabulary_size,
    )
