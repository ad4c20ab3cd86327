"""The scheduler: decides what the next step computes."""

import time
from collections import Counter
from collections.abc import Callable

from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.sequence import Chunk, Sequence, next_chunk
from inference.engine.waiting import WaitingLine

RESERVED_BLOCKS = 2
"""Blocks that are left free for each running sequence when another one is let in."""


class Scheduler:
    """Keeps the sequences that wait and those that run.

    Every step first gives each decoding sequence its one token, then lets waiting ones in, then
    shares what the step has left among the prompts that are being read: short ones are finished,
    the rest goes to the one with the best standing. Where the cache runs out of blocks, the
    sequence of the lowest priority, the youngest of them, gives its blocks back and is computed
    again later (preemption by recomputation). Giving way improves its standing, so everybody
    comes to an end.

    Args:
        blocks: the cache's blocks.
        config: see `EngineConfig`.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        blocks: BlockManager,
        config: EngineConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._blocks = blocks
        self._clock = clock
        self._max_num_seqs = config.max_num_seqs
        self._max_batched_tokens = config.max_batched_tokens
        self._step_tokens = config.max_batched_tokens
        self._max_prefilling = config.max_prefilling
        self._max_waiting_s = config.max_waiting_s
        self._running_of: Counter[str] = Counter()  # groups without any are left out
        self._arrivals = 0
        self.waiting = WaitingLine(ageing_s=config.ageing_s)
        self.running: list[Sequence] = []
        self.preemption_count = 0

    def has_work(self) -> bool:
        """Whether a step would compute anything."""
        return bool(self.waiting or self.running)

    def add(self, sequence: Sequence) -> None:
        """Let a new sequence wait for its turn."""
        self._register(sequence)
        self.waiting.add(sequence, now=self._clock())

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is, and take its blocks back."""
        if sequence.is_running:
            self._stop(sequence)
        else:
            self.waiting.remove(sequence)

    def fork(self, parent: Sequence, child: Sequence) -> list[tuple[int, int]] | None:
        """Let a new sequence go on from what a running one has computed.

        Returns:
            The blocks whose content must be copied before the next step, as (source, target);
            None where there is no slot or no block left: the child then waits for them.
        """
        self._register(child)
        copies = None
        if len(self.running) < self._max_num_seqs:
            copies = self._blocks.fork(parent, child)
        if copies is None:
            self.waiting.give_back(child, now=self._clock())
        else:
            child.is_placed = True
            child.cached_tokens = parent.cached_tokens
            self._start(child)
        return copies

    def overdue(self) -> list[Sequence]:
        """Return the sequences that have waited too long for their first slot."""
        if self._max_waiting_s is None:
            return []
        return self.waiting.overdue(since=self._clock() - self._max_waiting_s)

    def adapt(self, too_many_tokens: int | None) -> None:
        """Halve the coming steps after one ran out of memory; else let them grow by a token.

        Args:
            too_many_tokens: tokens of the forward pass memory was short for; None if there is none.
        """
        if too_many_tokens is None:
            self._step_tokens = min(self._step_tokens + 1, self._max_batched_tokens)
        else:
            self._step_tokens = max(self._max_num_seqs, too_many_tokens // 2)

    def schedule(self) -> list[Chunk]:
        """Choose the chunks of the next step: decode first, then prefill.

        Returns:
            At most one chunk a sequence, together at most `max_batched_tokens` tokens.
        """
        preempted_before = self.preemption_count
        decoding = [sequence for sequence in self.running if sequence.pending_tokens == 1]
        chunks = self._decode(decoding)
        left = self._step_tokens - sum(chunk.count for chunk in chunks)
        reading = [sequence for sequence in self.running if sequence.pending_tokens > 1]
        # Whoever gave way in this step would only come back to give way again.
        if left and self.preemption_count == preempted_before:
            reading += self._let_in(left, reading)
        chunks += self._read(reading, left)
        # Somebody may have lost its blocks after it was given a chunk.
        return [chunk for chunk in chunks if chunk.sequence.is_running]

    def _decode(self, decoding: list[Sequence]) -> list[Chunk]:
        """Give each its one token, and its draft where that takes nothing from anybody."""
        spare = self._step_tokens - len(decoding)
        chunks = []
        for sequence in decoding:
            del sequence.draft[spare:]
            count = 1 + len(sequence.draft)
            if sequence.draft and not self._blocks.grow(sequence, sequence.computed_tokens + count):
                sequence.draft.clear()
                count = 1
            if self._make_room(sequence, count):
                chunks.append(next_chunk(sequence, count))
                spare -= count - 1
        return chunks

    def _let_in(self, left: int, reading: list[Sequence]) -> list[Sequence]:
        """Give slots to waiting sequences; return those that got one."""
        unread = sum(sequence.pending_tokens for sequence in reading)
        count = len(reading)
        admitted: list[Sequence] = []
        now = self._clock()
        while self.waiting and len(self.running) < self._max_num_seqs:
            if unread >= left and count >= self._max_prefilling:
                break
            sequence = self.waiting.first(self._running_of, now=now)
            if not self._admit(sequence):
                break
            self.waiting.serve(sequence, now=now)
            self._start(sequence)
            admitted.append(sequence)
            unread += sequence.pending_tokens
            count += 1
        return admitted

    def _read(self, reading: list[Sequence], left: int) -> list[Chunk]:
        """Share `left` tokens: prompts that need no more than an equal part, then the others."""
        if not reading:
            return []
        part = left // len(reading)
        by_standing = sorted(reading, key=lambda sequence: sequence.standing)
        first = by_standing[0]
        if first.is_whole and first.pending_tokens > left:  # its own step, however long
            has_room = self._make_room(first, first.pending_tokens)
            return [next_chunk(first, first.pending_tokens)] if has_room else []

        def is_early(sequence: Sequence) -> bool:
            # Short ones must not pass a text for ever that cannot be divided.
            return sequence.pending_tokens <= part or (sequence is first and first.is_whole)

        chunks = []
        for sequence in sorted(by_standing, key=is_early, reverse=True):
            count = min(sequence.pending_tokens, left)
            if sequence.is_whole and count < sequence.pending_tokens:
                continue
            if count and sequence.is_running and self._make_room(sequence, count):
                chunks.append(next_chunk(sequence, count))
                left -= count
        return chunks

    def _make_room(self, sequence: Sequence, count: int) -> bool:
        """Give a sequence blocks for its next tokens; False where it had to give way itself."""
        while sequence.is_running and not self._blocks.grow(
            sequence, sequence.computed_tokens + count
        ):
            self._preempt(max(self.running, key=lambda other: other.standing))
        return sequence.is_running

    def _admit(self, sequence: Sequence) -> bool:
        """Place a waiting sequence if the cache has room for its tokens and the next one."""
        wanted_tokens = len(sequence.tokens) + (sequence.pool is None)
        if not self._blocks.has_room(sequence, wanted_tokens + self._reserved_tokens()):
            return False
        self._blocks.reuse_prefix(sequence)
        if not sequence.is_placed:
            sequence.cached_tokens = sequence.computed_tokens
        self._blocks.settle(sequence, expected_tokens=sequence.prompt_tokens + sequence.max_tokens)
        sequence.is_placed = self._blocks.grow(sequence, wanted_tokens)
        assert sequence.is_placed, "has_room promised the blocks"
        return True

    def _reserved_tokens(self) -> int:
        """Room that running sequences will need soon, so that a newcomer need not give way at once.

        In a cache for a third of what runs, this took recomputation from 0.6 to 0.1 of the tokens.
        """
        soon = RESERVED_BLOCKS * self._blocks.block_size
        return sum(min(soon, other.max_tokens - other.completion_tokens) for other in self.running)

    def _register(self, sequence: Sequence) -> None:
        sequence.number = self._arrivals
        self._arrivals += 1

    def _start(self, sequence: Sequence) -> None:
        """Give a sequence a slot."""
        if not sequence.started_at:
            sequence.started_at = self._clock()
        self.running.append(sequence)
        sequence.is_running = True
        self._running_of[sequence.group] += 1

    def _stop(self, sequence: Sequence) -> None:
        """Take a sequence's slot and blocks."""
        self.running.remove(sequence)
        sequence.is_running = False
        self._running_of[sequence.group] -= 1
        if not self._running_of[sequence.group]:
            del self._running_of[sequence.group]
        self._blocks.release(sequence)

    def _preempt(self, sequence: Sequence) -> None:
        """Send a running sequence back to wait, without its blocks."""
        self._stop(sequence)
        sequence.preemptions += 1
        self.preemption_count += 1
        self.waiting.give_back(sequence, now=self._clock())
