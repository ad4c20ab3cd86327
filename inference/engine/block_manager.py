"""The block manager: which blocks of the KV cache belong to whom, and which can be used again."""

import hashlib
from array import array
from itertools import takewhile

import numpy as np

from inference.engine.sequence import Sequence


class BlockManager:
    """Hands out the blocks of a paged cache.

    A full block is named by a digest of its tokens and of everything before them, the adapter they
    are computed with first of all. A freed block
    keeps its name until somebody else takes it, so a prompt that begins like an earlier one (the
    next turn of a conversation, a common system message) finds its blocks and need not be read
    again. Several sequences may share such a block; nobody writes into a full one.

    Attention over neighbouring blocks of one row of the cache needs no copy, and sequences that
    begin their rows are computed together. Therefore a sequence gets a *home*, a free row or a run
    of free blocks in one, and others grow elsewhere while they can. Freed blocks are taken again
    in a circle, which is close to oldest first.

    Args:
        block_count: blocks in the cache.
        block_size: tokens in a block.
        row_blocks: blocks in a row of the cache; None makes all of it one row.
        reuse_prefixes: whether freed blocks may be found again.

    Source:
        Kwon et al. 2023, "PagedAttention", section 4 (blocks and sharing).
    """

    def __init__(
        self,
        *,
        block_count: int,
        block_size: int,
        row_blocks: int | None = None,
        reuse_prefixes: bool = True,
    ) -> None:
        self.block_count = block_count
        self.block_size = block_size
        self._row_blocks = row_blocks or block_count
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
        for block in self._known_blocks(sequence):
            self._share(sequence, block)
        sequence.named_blocks = len(sequence.blocks)
        sequence.computed_tokens = len(sequence.blocks) * self.block_size

    def has_room(self, sequence: Sequence, tokens: int) -> bool:
        """Whether a sequence without blocks could be given room for so many tokens."""
        missing = self.blocks_for(tokens)
        if missing <= self.free_blocks:
            return True
        known = self._known_blocks(sequence)
        unused = sum(1 for block in known if self._users[block] == 0)
        return missing - len(known) <= self.free_blocks - unused

    def fork(self, parent: Sequence, child: Sequence) -> list[tuple[int, int]] | None:
        """Give a new sequence what another one has computed of the tokens both begin with.

        Full blocks are shared. The one both would write into next is the child's own.

        Returns:
            The blocks whose content must be copied before the next step, as (source, target);
            None, and no change, where there is no free block for that.
        """
        computed = min(parent.computed_tokens, len(child.tokens) - 1)
        full = computed // self.block_size
        if self.blocks_for(len(child.tokens)) - full > self.free_blocks:
            return None
        for block in parent.blocks[:full]:
            self._share(child, block)
        child.named_blocks = min(parent.named_blocks, full)
        child.digests = parent.digests[:full]
        child.computed_tokens = computed
        self.settle(child, expected_tokens=child.prompt_tokens + child.max_tokens)
        self.grow(child, len(child.tokens))
        return [(parent.blocks[full], child.blocks[full])] if computed % self.block_size else []

    def settle(self, sequence: Sequence, *, expected_tokens: int) -> None:
        """Look for a home: a place for a sequence that may grow to so many tokens.

        Without a run that long, one of half the length is tried, and so on; a sequence without a
        home lives scattered, which is slower and not wrong.
        """
        self._promise(sequence, (0, 0))
        wanted = self.blocks_for(expected_tokens) - len(sequence.blocks)
        if self._continue_row(sequence, wanted):
            return
        wanted = min(wanted, self._row_blocks)
        while wanted > 0:
            found = self._find_run(wanted)
            if found is not None:
                self._promise(sequence, (found, found + wanted))
                return
            wanted //= 2

    def grow(self, sequence: Sequence, tokens: int) -> bool:
        """Give the sequence room for so many tokens; False, and no change, where there is none."""
        missing = self.blocks_for(tokens) - len(sequence.blocks)
        if missing > self.free_blocks:
            return False
        for _ in range(missing):
            if sequence.blocks and sequence.blocks[-1] + 1 == sequence.home[1]:
                expected = max(tokens, sequence.prompt_tokens + sequence.max_tokens)
                self.settle(sequence, expected_tokens=expected)  # its row is full: another one
            self._append(sequence, self._take(sequence))
        return True

    def remember(self, sequence: Sequence) -> None:
        """Name the blocks that have become full, so that others may find them."""
        full = sequence.computed_tokens // self.block_size
        if not self._reuse_prefixes or sequence.named_blocks >= full:
            return
        digests = self._digests(sequence, full)
        for number in range(sequence.named_blocks, full):
            if digests[number] not in self._block_of:
                block = sequence.blocks[number]
                self._block_of[digests[number]] = block
                self._digest_of[block] = digests[number]
        sequence.named_blocks = full

    def disown(self, sequence: Sequence) -> list[int]:
        """Make the blocks of a sequence that failed unfindable; what they hold may be no numbers.

        Returns:
            Those that nobody else holds, to be cleared before somebody takes them.
        """
        for block in sequence.blocks:
            self._forget(block)
        return [block for block in sequence.blocks if self._users[block] == 1]

    def release(self, sequence: Sequence) -> None:
        """Take all blocks back; full ones stay findable until they are needed."""
        for block in sequence.blocks:
            self._users[block] -= 1
            if self._users[block] == 0:
                self.free_blocks += 1
        self._promise(sequence, (0, 0))
        sequence.forget_blocks()

    def _digests(self, sequence: Sequence, count: int) -> list[bytes]:
        """Names of the contents of a sequence's first full blocks; each is computed once."""
        digests = sequence.digests
        while len(digests) < count:
            start = len(digests) * self.block_size
            end = start + self.block_size
            content = array("q", sequence.tokens[start:end]).tobytes()
            if sequence.images is not None:
                content += sequence.images.name_of(start, end)
            before = digests[-1] if digests else sequence.adapter.encode()
            digests.append(hashlib.blake2b(before + content, digest_size=16).digest())
        return digests[:count]

    def _known_blocks(self, sequence: Sequence) -> list[int]:
        """Blocks that hold the beginning of a sequence already, all but its last token at most."""
        if not self._reuse_prefixes or sequence.needs_every_token:
            return []
        full = (len(sequence.tokens) - 1) // self.block_size
        names = takewhile(self._block_of.__contains__, self._digests(sequence, full))
        return [self._block_of[name] for name in names]

    def _share(self, sequence: Sequence, block: int) -> None:
        """Append a block that holds the sequence's tokens already."""
        if self._users[block] == 0:
            self.free_blocks -= 1
        self._users[block] += 1
        self._append(sequence, block)

    def _append(self, sequence: Sequence, block: int) -> None:
        sequence.add_block(block, begins_row=block % self._row_blocks == 0)

    def _promise(self, sequence: Sequence, home: tuple[int, int]) -> None:
        """Give a sequence a home instead of the one it had."""
        self._promised[slice(*sequence.home)] -= 1
        sequence.home = home
        self._promised[slice(*home)] += 1

    def _continue_row(self, sequence: Sequence, wanted: int) -> bool:
        """Let a sequence that has blocks go on behind them, where that much of its row is free."""
        if not sequence.blocks:
            return False
        first = sequence.blocks[-1] + 1
        row_end = -(-first // self._row_blocks) * self._row_blocks
        if first == row_end or first + wanted > row_end or self._is_taken(first, wanted).any():
            return False
        self._promise(sequence, (first, first + wanted))
        return True

    def _is_taken(self, first: int, count: int) -> np.ndarray:
        blocks = slice(first, first + count)
        return (self._users[blocks] > 0) | (self._promised[blocks] > 0)

    def _find_run(self, length: int) -> int | None:
        """Start of so many free, unpromised blocks in one row: an empty row, else what there is."""
        rows = self._is_taken(0, self.block_count).reshape(-1, self._row_blocks)
        row = self._nearest(np.flatnonzero(~rows.any(axis=1)), -(-self._cursor // self._row_blocks))
        if row is not None:
            return row * self._row_blocks
        taken = np.concatenate((np.zeros((len(rows), 1), np.int64), rows.cumsum(axis=1)), axis=1)
        where, at = np.nonzero(taken[:, length:] == taken[:, :-length])
        return self._nearest(where * self._row_blocks + at, self._cursor)

    @staticmethod
    def _nearest(places: np.ndarray, first: int) -> int | None:
        """Return the first of ascending places at or after `first`, else the first of all."""
        if not len(places):
            return None
        at = int(np.searchsorted(places, first))
        return int(places[at if at < len(places) else 0])

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
