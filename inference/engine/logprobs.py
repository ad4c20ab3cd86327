"""Log-probabilities: how likely the model itself found a token, and what it found likelier."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engine.filters import largest

ROWS_AT_ONCE = 32
"""Rows of a prompt whose log-probabilities are computed together: 32 of a vocabulary of 150,000
take 20 MB."""


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """How likely one token was after all before it.

    The probabilities are the model's own, before bias, penalties, temperature and truncations, as
    the OpenAI API and vLLM tell them.

    Attributes:
        token: the token.
        logprob: its log-probability.
        top: the likeliest tokens with theirs, likeliest first; as many as were asked for.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


def token_logprobs(logits: Tensor, tokens: Tensor, counts: Sequence[int]) -> list[TokenLogprobs]:
    """Tell the log-probabilities of one token a row, with one transfer to the host.

    Args:
        logits: the model's scores, [R, V].
        tokens: the token of each row, long [R], where the logits are.
        counts: how many of the likeliest tokens each row tells as well.
    """
    scores = logits.float()
    total = scores.logsumexp(dim=-1, keepdim=True)
    chosen = scores.gather(-1, tokens.unsqueeze(-1)) - total
    width = min(max(counts), scores.shape[-1])
    if width:
        values, ids = largest(scores, width)
    else:
        values, ids = scores[:, :0], tokens.new_empty(len(counts), 0)
    # Ids travel as the bits of 32-bit numbers, so that all can go together.
    together = torch.cat(
        [
            tokens.unsqueeze(-1).int(),
            chosen.view(torch.int32),
            ids.int(),
            (values - total).contiguous().view(torch.int32),
        ],
        dim=-1,
    ).cpu()
    floats = together.view(torch.float32).tolist()
    return [
        TokenLogprobs(
            row[0],
            real[1],
            tuple(zip(row[2 : 2 + count], real[2 + width : 2 + width + count], strict=True)),
        )
        for row, real, count in zip(together.tolist(), floats, counts, strict=True)
    ]


def prompt_logprobs(logits: Tensor, tokens: Sequence[int], count: int) -> list[TokenLogprobs]:
    """Tell the log-probabilities of a stretch of a prompt.

    Args:
        logits: the scores that the model gave in front of each token, [R, V].
        tokens: the R tokens.
        count: how many of the likeliest tokens to tell as well.
    """
    found: list[TokenLogprobs] = []
    for start in range(0, len(tokens), ROWS_AT_ONCE):
        some = tokens[start : start + ROWS_AT_ONCE]
        rows = logits[start : start + len(some)]
        wanted = torch.tensor(some, dtype=torch.long, device=logits.device)
        found += token_logprobs(rows, wanted, [count] * len(some))
    return found
