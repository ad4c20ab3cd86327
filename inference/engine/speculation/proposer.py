"""The words of guessing: what a proposer is asked and what it answers."""

from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from inference.engine.sampling_state import SamplingState
from inference.engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """A wish for a draft.

    Attributes:
        sequence: what is to be continued; the model has read all but its last token.
        sampling: how the request chooses its tokens.
        limit: most tokens to guess, at least 1.
        is_drawn: whether the guess may be drawn from the proposer's own distribution, which then
            travels with it; otherwise the likeliest tokens are wanted.
    """

    sequence: Sequence
    sampling: SamplingState
    limit: int
    is_drawn: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A guess at the next tokens of a sequence; empty where there is none.

    Attributes:
        tokens: at most `limit` of them.
        probabilities: the distributions the tokens were drawn from, float [len(tokens), V]; None
            where they were not drawn at all.
    """

    tokens: list[int]
    probabilities: Tensor | None = None


class Proposer(Protocol):
    """Guesses how sequences go on."""

    def propose(self, requests: Items[DraftRequest]) -> list[Draft]:
        """Return one draft for each request, in their order."""

    def forget(self, sequence: Sequence) -> None:
        """Drop what was kept for a sequence that ended; unknown ones are ignored."""
