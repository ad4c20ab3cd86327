"""What the sampler remembers of one sequence between its tokens."""

import random
from dataclasses import dataclass

from inference.engine.grammar import TokenConstraint
from inference.engine.penalties import TokenCounts
from inference.generation import SamplingParams


@dataclass(slots=True, eq=False)
class SamplingState:
    """How one sequence is sampled.

    Attributes:
        params: the request's sampling parameters.
        rng: the sequence's own random numbers, so that a seed gives the same answer whatever else
            runs in the batch.
        counts: the tokens seen so far; kept only where a penalty asks for them.
        constraint: what the answer must follow.
        banned: tokens that may not come next; may change from token to token.
        logprobs: how many likeliest tokens to tell; None tells no log-probabilities.
    """

    params: SamplingParams
    rng: random.Random
    counts: TokenCounts | None = None
    constraint: TokenConstraint | None = None
    banned: tuple[int, ...] = ()
    logprobs: int | None = None

    @property
    def is_edited(self) -> bool:
        """Whether the model's scores are changed before some token."""
        params = self.params
        return (
            self.counts is not None
            or self.constraint is not None
            or bool(params.logit_bias)
            or params.min_tokens > 0
            or params.judge_sent_end
        )

    def note(self, token: int) -> None:
        """Remember a token that was chosen.

        Raises:
            Exception: whatever the constraint raises.
        """
        if self.counts is not None:
            self.counts.add(token)
        if self.constraint is not None:
            self.constraint.accept(token)


def random_numbers(seed: int | None, choice: int) -> random.Random:
    """Return the random numbers of one choice of a request; the first one's are the seed's own."""
    if seed is None or choice == 0:
        return random.Random(seed)
    return random.Random(f"{seed}/{choice}")
