"""Penalties on tokens that were already said: repetition, presence and frequency."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from inference.generation import SamplingParams


class TokenCounts:
    """How often each token occurred in one sequence, kept up to date token by token.

    Attributes:
        in_prompt: whether the token occurs in the prompt, bool [V].
        in_answer: occurrences in the answer, float [V].
    """

    def __init__(
        self, prompt: Iterable[int], *, vocabulary_size: int, device: torch.device
    ) -> None:
        self.in_prompt = torch.zeros(vocabulary_size, dtype=torch.bool, device=device)
        self.in_prompt[torch.tensor(sorted(set(prompt)), dtype=torch.long, device=device)] = True
        self.in_answer = torch.zeros(vocabulary_size, device=device)

    def add(self, token: int) -> None:
        """Count one more token of the answer."""
        self.in_answer[token] += 1


def has_penalties(params: SamplingParams) -> bool:
    """Whether the request needs its tokens counted."""
    return (
        params.repetition_penalty != 1.0
        or params.presence_penalty != 0.0
        or params.frequency_penalty != 0.0
    )


def apply_penalties(
    logits: Tensor, params: Sequence[SamplingParams], counts: Sequence[TokenCounts | None]
) -> Tensor:
    """Lower the scores of tokens seen before, for the rows that ask for it.

    Repetition divides a positive score and multiplies a negative one, for tokens of prompt and
    answer; presence and frequency are subtracted, for tokens of the answer alone, as the OpenAI
    API defines them.

    Args:
        logits: next-token scores, float [B, V].
        params: one for each row.
        counts: one for each row; None where the row has no penalties.

    Returns:
        A tensor [B, V]; `logits` itself where no row asks.

    Source:
        Keskar et al. 2019, "CTRL", section 4.1 (repetition).
    """
    rows = [row for row, count in enumerate(counts) if count is not None]
    if not rows:
        return logits
    chosen = [count for count in counts if count is not None]
    answer = torch.stack([count.in_answer for count in chosen])  # [R, V]
    seen = torch.stack([count.in_prompt for count in chosen]) | (answer > 0)

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, device=logits.device).unsqueeze(-1)

    repetition = column([params[row].repetition_penalty for row in rows])
    presence = column([params[row].presence_penalty for row in rows])
    frequency = column([params[row].frequency_penalty for row in rows])
    scores = logits[rows]
    scores = torch.where(
        seen, torch.where(scores > 0, scores / repetition, scores * repetition), scores
    )
    scores = scores - frequency * answer - presence * (answer > 0)
    result = logits.clone()
    result[rows] = scores
    return result
