"""The pace of guessing: how many tokens ahead are worth a guess, learnt for each sequence."""

LONGEST_REST = 16
GROWTH = 2  # tokens more after a draft that was right to its end


class Pace:
    """How far to guess next.

    A guess that fails costs the model a column for nothing, so a draft that was right in part is
    followed by one as long as that part and one token more. After drafts that were wrong from
    their first token on it rests for 1, 3, 7 and at most 16 steps before it tries a single token.

    Args:
        most: longest draft, at least 1; the first one has this length.

    Source:
        Gante 2023, "Assisted Generation" (Hugging Face): the growth by two.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = most
        self._misses = 0
        self._rest = 0

    def next_length(self) -> int:
        """Return how many tokens to guess in this step; 0 while resting."""
        if self._rest:
            self._rest -= 1
            return 0
        return self._length

    def learn(self, *, drafted: int, accepted: int) -> None:
        """Take in how the last draft went; an empty one teaches nothing."""
        if not drafted:
            return
        if accepted:
            self._misses = 0
            grown = self._length + GROWTH if accepted == drafted else accepted + 1
            self._length = min(self._most, grown)
            return
        self._misses += 1
        self._length = 1
        self._rest = min(LONGEST_REST, 2**self._misses - 1)
