"""The sampler: from the scores of a batch to one token for each sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engine.batch_plan import BatchPlan
from inference.engine.drawing import draw
from inference.engine.edits import edit_scores
from inference.engine.logprobs import TokenLogprobs, token_logprobs
from inference.engine.sampling_state import SamplingState
from inference.engine.truncation import Truncation
from inference.generation import Failure

NO_SCORES = Failure("invalid_logits", "the model gave no usable scores")
NOTHING_ALLOWED = Failure("grammar_error", "no token fits what the answer must follow")

UNUSABLE, FORBIDDEN = -1, -2  # in place of a token
FAILURES = {UNUSABLE: NO_SCORES, FORBIDDEN: NOTHING_ALLOWED}

CPU_SCORES_AT_ONCE = 2**20
"""Larger tensors go back to the system after every step, and touching fresh memory costs several
times what the sampling does."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one sequence got: a token, or the reason why there is none.

    Attributes:
        token: the token; None where there is a failure.
        logprobs: its log-probabilities, where they are wanted.
        failure: why there is no token.
    """

    token: int | None = None
    logprobs: TokenLogprobs | None = None
    failure: Failure | None = None


class Sampler:
    """Samples batch after batch.

    All is computed where the scores are, and only the chosen tokens (and log-probabilities, where
    somebody wants them) come to the host.
    """

    def __init__(self) -> None:
        self._plans: list[BatchPlan] = []

    @torch.inference_mode()
    def sample(self, logits: Tensor, states: Sequence[SamplingState]) -> list[Sampled]:
        """Choose the next token of every sequence.

        The order is the one of vLLM: bias, penalties, bans, constraint, temperature, top-k, top-p,
        min-p, then one draw. Log-probabilities are those before all of it.

        Args:
            logits: next-token scores, [B, V]; they are not changed.
            states: one for each row.

        Returns:
            One result a row. A row fails that has no usable score (NaN, infinity, or none that is
            finite), and one whose constraint breaks or allows nothing.
        """
        results: list[Sampled] = []
        count = _rows_at_once(logits)
        for number, first in enumerate(range(0, len(states), count)):
            rows = slice(first, first + count)
            results += _sample(logits[rows], self._plan(number, logits, states[rows]))
        return results

    def _plan(self, number: int, logits: Tensor, states: Sequence[SamplingState]) -> BatchPlan:
        """Return the plan of one part of the batch, that of the last step where it still fits."""
        known = self._plans[number] if number < len(self._plans) else None
        if known is not None and known.fits(states, logits):
            return known
        plan = BatchPlan(states, device=logits.device, vocabulary=logits.shape[-1])
        self._plans[number:] = [plan]
        return plan


def _rows_at_once(logits: Tensor) -> int:
    """How many rows to sample together: on CPU only as many as memory is reused for."""
    if logits.device.type != "cpu":
        return max(1, len(logits))
    return max(1, CPU_SCORES_AT_ONCE // logits.shape[-1])


def _sample(logits: Tensor, plan: BatchPlan) -> list[Sampled]:
    """Choose the tokens of one part of a batch."""
    # The largest of a row with NaN is NaN. Its place matters to greedy rows alone.
    if plan.has_likeliest:
        highest, tokens = logits.max(dim=-1)
    else:
        highest = logits.amax(dim=-1)
        tokens = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
    tokens = tokens.masked_fill_(~highest.isfinite(), UNUSABLE)
    failures = _choose(logits, tokens, plan) if plan.chosen else {}
    logprobs: dict[int, TokenLogprobs] = {}
    if plan.told:
        told = plan.told.of(tokens).clamp(min=0)
        found = token_logprobs(plan.told.of(logits), told, plan.told_counts)
        logprobs = dict(zip(plan.told.rows, found, strict=True))
    return [
        _result(token, failures.get(row), logprobs.get(row))
        for row, token in enumerate(tokens.tolist())
    ]


def _choose(logits: Tensor, tokens: Tensor, plan: BatchPlan) -> dict[int, Failure]:
    """Choose for the rows that do not simply take the likeliest token; write them to `tokens`."""
    scores = plan.chosen.of(logits).to(torch.float32, copy=plan.edits).contiguous()
    found = plan.chosen.of(tokens).clone()
    failures: dict[int, Failure] = {}
    if plan.edits:
        is_usable = found != UNUSABLE
        failures = edit_scores(scores, plan.chosen_states, plan.bias)
        best = scores.max(dim=-1)
        edited = best.indices.masked_fill(best.values.isneginf(), FORBIDDEN)
        found = torch.where(is_usable, edited, found)
    if plan.drawn:
        weights, masses = plan.truncation.weigh(plan.drawn.of(scores))
        likeliest = plan.drawn.of(found)
        drawn = draw(weights, masses, [rng.random() for rng in plan.rngs])
        plan.drawn.put(found, torch.where(likeliest < 0, likeliest, drawn))
    plan.chosen.put(tokens, found)
    return {plan.chosen.rows[place]: failure for place, failure in failures.items()}


def _result(token: int, failure: Failure | None, logprobs: TokenLogprobs | None) -> Sampled:
    """One row's result."""
    if failure is not None or token < 0:
        return Sampled(failure=failure or FAILURES[token])
    return Sampled(token, logprobs)


@torch.inference_mode()
def probabilities(logits: Tensor, states: Sequence[SamplingState]) -> Tensor:
    """Return the distributions that tokens are drawn from, float [B, V].

    Args:
        logits: next-token scores, [B, V].
        states: one for each row; none is greedy, and none edits its scores.
    """
    truncation = Truncation(
        [state.params for state in states], device=logits.device, vocabulary=logits.shape[-1]
    )
    return truncation.probabilities(logits.float())
