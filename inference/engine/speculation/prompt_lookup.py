"""Prompt lookup: what followed the same words earlier in the text is likely to follow again."""

from collections.abc import Sequence as Items

from inference.engine.sequence import Sequence
from inference.engine.speculation.proposer import Draft, DraftRequest

LONGEST_NGRAM = 4
SHORTEST_NGRAM = 2  # after one equal token what follows is rarely equal too


class PromptLookup:
    """Guesses by copying from the prompt and the answer so far; costs no forward pass.

    Good at text that repeats its context: summaries, edited code, quotations, retrieved passages.

    Source:
        Saxena 2023, "Prompt Lookup Decoding" (github.com/apoorvumang/prompt-lookup-decoding).
    """

    def __init__(self) -> None:
        self._indexes: dict[Sequence, NgramIndex] = {}

    def propose(self, requests: Items[DraftRequest]) -> list[Draft]:
        """Return one draft for each request, in their order."""
        return [Draft(self._continuation(request)) for request in requests]

    def forget(self, sequence: Sequence) -> None:
        """Drop the index of a sequence that ended."""
        self._indexes.pop(sequence, None)

    def _continuation(self, request: DraftRequest) -> list[int]:
        index = self._indexes.setdefault(request.sequence, NgramIndex())
        return index.continuation(request.sequence.tokens, request.limit)


class NgramIndex:
    """Where each run of 2 to 4 tokens of one growing text ended last.

    A token costs the same at the end of a long text as at its beginning.
    """

    def __init__(self) -> None:
        self._read_tokens = 0
        self._ends: dict[tuple[int, ...], int] = {}
        self._match: int | None = None

    def continuation(self, tokens: Items[int], limit: int) -> list[int]:
        """Return what followed the longest known end of `tokens` when it occurred last.

        Where the earlier occurrence reaches into the end itself, the copy goes on with what it
        has just copied, as for text that repeats in a circle.

        Args:
            tokens: the text; it begins with what was given before.
            limit: most tokens to return.
        """
        self._read(tokens)
        if self._match is None:
            return []
        followed = list(tokens[self._match : self._match + limit])
        circle = len(followed)
        while len(followed) < limit:
            followed.append(followed[-circle])
        return followed

    def _read(self, tokens: Items[int]) -> None:
        """Index the tokens that are new and note the best match of the last one."""
        for end in range(self._read_tokens + 1, len(tokens) + 1):
            self._match = None
            for length in range(min(LONGEST_NGRAM, end), SHORTEST_NGRAM - 1, -1):
                ngram = tuple(tokens[end - length : end])
                if self._match is None:
                    self._match = self._ends.get(ngram)
                self._ends[ngram] = end
        self._read_tokens = len(tokens)
