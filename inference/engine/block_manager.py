"""The block manager: which blocks of the KV cache belong to whom, and which can be used again."""

import hashlib
from array import array

import numpy as np

from inference.engine.sequence import Sequence


class BlockManager:
    """Hands out the blocks of a paged cache.

    A full block is named by a digest of its tokens and of everything before them. A freed block
    keeps its name until somebody else takes it, so a prompt that begins like an earlier one (the
    next turn of a conversation, a common system message) finds its blocks and need not be read
    again. Several sequences may share such a block; nobody writes into a full one.

    On CPU, attention over neighbouring blocks needs no copy. Therefore a sequence gets a *home*, a
    run of free blocks long enough for its whole answer, and others grow elsewhere while they can.
    Freed blocks are taken again in a circle, which is close to oldest first.

    Args:
        block_count: blocks in the cache.
        block_size: tokens in a block.
        reuse_prefixes: whether freed blocks may be found again.

    Source:
        Kwon et al. 2023, "PagedAttention", section 4 (blocks and sharing).
    """

    def __init__(self, *, block_count: int, block_size: int, reuse_prefixes: bool = True) -> None:
        self.block_count = block_count
        self.block_size = block_size
        self._reuse_prefixes = reuse_prefixes
        self._users = np.zeros(block_count, dtype=np.int32)
        self._promised = np.zeros(block_count, dtype=np.int32)  # homes that cover the block
        self._digest_of: dict[int, bytes] = {}
        self._block_of: dict[bytes, int] = {}
        self._cursor = 0
        self.free_blocks = block_count

    @property
    def used_blocks(self) -> int:
        """Blocks that hold a sequence now."""
        return self.block_count - self.free_blocks

    def blocks_for(self, tokens: int) -> int:
        """Return how many blocks hold so many tokens."""
        return -(-tokens // self.block_size)

    def reuse_prefix(self, sequence: Sequence) -> None:
        """Give a sequence without blocks those that hold its beginning already.

        At least one token stays to be computed, as the next one is sampled from its scores.
        """
        if not self._reuse_prefixes:
            return
        for digest in self._full_digests(sequence, until=len(sequence.tokens) - 1):
            block = self._block_of.get(digest)
            if block is None:
                break
            if self._users[block] == 0:
                self.free_blocks -= 1
            self._users[block] += 1
            sequence.add_block(block)
            sequence.digests.append(digest)
        sequence.computed_tokens = len(sequence.blocks) * self.block_size

    def settle(self, sequence: Sequence, *, expected_tokens: int) -> None:
        """Look for a home: free neighbours for a sequence that may grow to so many tokens.

        Without a run that long, one of half the length is tried, and so on; a sequence without a
        home lives scattered, which is slower and not wrong.
        """
        wanted = self.blocks_for(expected_tokens) - len(sequence.blocks)
        first = sequence.blocks[-1] + 1 if sequence.blocks else self._cursor
        while wanted > 0:
            found = self._find_run(wanted, first)
            if found is not None:
                sequence.home = (found, found + wanted)
                self._promised[found : found + wanted] += 1
                return
            wanted //= 2

    def grow(self, sequence: Sequence, tokens: int) -> bool:
        """Give the sequence room for so many tokens; False, and no change, where there is none."""
        missing = self.blocks_for(tokens) - len(sequence.blocks)
        if missing > self.free_blocks:
            return False
        for _ in range(missing):
            sequence.add_block(self._take(sequence))
        return True

    def remember(self, sequence: Sequence) -> None:
        """Name the blocks that have become full, so that others may find them."""
        if not self._reuse_prefixes:
            return
        for digest in self._full_digests(sequence, until=sequence.computed_tokens):
            block = sequence.blocks[len(sequence.digests)]
            sequence.digests.append(digest)
            if digest not in self._block_of:
                self._block_of[digest] = block
                self._digest_of[block] = digest

    def release(self, sequence: Sequence) -> None:
        """Take all blocks back; full ones stay findable until they are needed."""
        for block in sequence.blocks:
            self._users[block] -= 1
            if self._users[block] == 0:
                self.free_blocks += 1
        first, last = sequence.home
        self._promised[first:last] -= 1
        sequence.forget_blocks()

    def _full_digests(self, sequence: Sequence, *, until: int) -> list[bytes]:
        """Digests of the full blocks within the first `until` tokens that have none yet."""
        digest = sequence.digests[-1] if sequence.digests else b""
        digests = []
        for number in range(len(sequence.digests), until // self.block_size):
            start = number * self.block_size
            content = array("q", sequence.tokens[start : start + self.block_size]).tobytes()
            digest = hashlib.blake2b(digest + content, digest_size=16).digest()
            digests.append(digest)
        return digests

    def _find_run(self, length: int, first: int) -> int | None:
        """Start of a free, unpromised run, the nearest at or after `first`, else from the top."""
        if length > self.block_count:
            return None
        taken = np.concatenate(([0], np.cumsum((self._users > 0) | (self._promised > 0))))
        starts = np.flatnonzero(taken[length:] == taken[:-length])
        if not len(starts):
            return None
        at = int(np.searchsorted(starts, first))
        return int(starts[at if at < len(starts) else 0])

    def _take(self, sequence: Sequence) -> int:
        """Take one free block: the next one at home, else one nobody was promised, else any."""
        block = sequence.blocks[-1] + 1 if sequence.blocks else sequence.home[0]
        first, last = sequence.home
        if not first <= block < last:
            block = first
        if not (first <= block < last and self._users[block] == 0):
            free = self._users == 0
            unpromised = free & (self._promised == 0)
            block = self._next_of(unpromised if unpromised.any() else free)
        self._forget(block)
        self._users[block] = 1
        self.free_blocks -= 1
        self._cursor = (block + 1) % self.block_count
        return block

    def _next_of(self, choice: np.ndarray) -> int:
        """First true entry at or after the cursor, in a circle; there is one."""
        ahead = int(choice[self._cursor :].argmax())
        if choice[self._cursor + ahead]:
            return self._cursor + ahead
        return int(choice.argmax())

    def _forget(self, block: int) -> None:
        """Drop the name of a block whose content is about to change."""
        digest = self._digest_of.pop(block, None)
        if digest is not None:
            del self._block_of[digest]
