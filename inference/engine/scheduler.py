"""The scheduler: decides what the next step computes."""

from collections import deque

from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.sequence import Chunk, Sequence, next_chunk


class Scheduler:
    """Keeps the sequences that wait and those that run, first come, first served.

    Every step first gives each decoding sequence its one token, then fills what the step has left
    with the prompts that are being read, then admits new ones. Where the cache runs out of
    blocks, the youngest sequence gives its blocks back and is computed again later (preemption by
    recomputation), so the oldest always comes to its end.
    """

    def __init__(self, blocks: BlockManager, config: EngineConfig) -> None:
        self._blocks = blocks
        self._max_num_seqs = config.max_num_seqs
        self._max_batched_tokens = config.max_batched_tokens
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []  # oldest first
        self.preemption_count = 0

    def has_work(self) -> bool:
        """Whether a step would compute anything."""
        return bool(self.waiting or self.running)

    def add(self, sequence: Sequence) -> None:
        """Let a new sequence wait for its turn."""
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is, and its blocks back."""
        if sequence in self.running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)
        self._blocks.release(sequence)

    def schedule(self) -> list[Chunk]:
        """Choose the chunks of the next step: decode first, then prefill.

        Returns:
            At most one chunk a sequence, together at most `max_batched_tokens` tokens.
        """
        budget = self._max_batched_tokens
        preempted_before = self.preemption_count
        chunks: list[Chunk] = []
        # A prompt that is being read takes all that is left, so whoever is younger still waits
        # and everybody who decodes comes before it.
        for sequence in list(self.running):
            if budget and sequence in self.running:  # an earlier one may have preempted it
                chunk = self._chunk_of(sequence, budget)
                if chunk is not None:
                    chunks.append(chunk)
                    budget -= chunk.count
        # Preemption takes the youngest, which may have been given its chunk already.
        chunks = [chunk for chunk in chunks if chunk.sequence.blocks]
        if self.preemption_count > preempted_before:
            return chunks  # whoever gave way would only come back to give way again
        while self.waiting and budget and len(self.running) < self._max_num_seqs:
            if not self._admit(self.waiting[0]):
                break
            sequence = self.waiting.popleft()
            self.running.append(sequence)
            count = min(sequence.pending_tokens, budget)
            chunks.append(next_chunk(sequence, count))
            budget -= count
        return chunks

    def _chunk_of(self, sequence: Sequence, budget: int) -> Chunk | None:
        """Give a running sequence its blocks for the step; None where it was preempted itself."""
        count = min(sequence.pending_tokens, budget)
        while not self._blocks.grow(sequence, sequence.computed_tokens + count):
            youngest = self.running[-1]
            self._preempt(youngest)
            if youngest is sequence:
                return None
        return next_chunk(sequence, count)

    def _admit(self, sequence: Sequence) -> bool:
        """Place a waiting sequence if the cache has room for all its tokens and one more."""
        self._blocks.reuse_prefix(sequence)
        if not sequence.is_placed:
            sequence.cached_tokens = sequence.computed_tokens
        self._blocks.settle(sequence, expected_tokens=sequence.prompt_tokens + sequence.max_tokens)
        if not self._blocks.grow(sequence, len(sequence.tokens) + 1):
            self._blocks.release(sequence)
            return False
        sequence.is_placed = True
        return True

    def _preempt(self, sequence: Sequence) -> None:
        """Send a running sequence back to the front of the queue without its blocks."""
        self.running.remove(sequence)
        self._blocks.release(sequence)
        self.waiting.appendleft(sequence)
        self.preemption_count += 1
