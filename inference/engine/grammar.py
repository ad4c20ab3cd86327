"""Constraints on an answer: which tokens may come next, asked before every token."""

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from inference.exceptions import UnsatisfiableGrammarError
from inference.generation import Failure

logger = logging.getLogger(__name__)

WORD_BITS = 32

BROKEN = Failure("grammar_error", "what the answer must follow could not be followed")


class TokenConstraint(Protocol):
    """What one answer must follow; every answer has its own.

    Any method may raise `UnsatisfiableGrammarError`; whatever it raises ends its answer alone,
    with the code `grammar_error`.
    """

    @property
    def is_finished(self) -> bool:
        """Whether nothing may follow; the answer ends there."""

    def mask(self, row: np.ndarray) -> None:
        """Set the bits of the tokens that may come next.

        End tokens are tokens like others: allow them where the answer may end.

        Args:
            row: zeros, int32 [ceil(V / 32)]; bit `t % 32` of word `t // 32` stands for token t.
        """

    def accept(self, token: int) -> None:
        """Note the token that was chosen."""

    def fork(self) -> "TokenConstraint":
        """Return one in the same state that goes its own way."""


def words_for(vocabulary_size: int) -> int:
    """Return how many 32-bit words hold one bit a token."""
    return -(-vocabulary_size // WORD_BITS)


def forbid_unset(scores: Tensor, rows: Sequence[int], masks: np.ndarray) -> None:
    """Set the scores of tokens without a bit to -inf, in place.

    Args:
        scores: next-token scores, float [B, V].
        rows: the rows that have masks, R of them.
        masks: their masks, int32 [R, ceil(V / 32)].
    """
    words = torch.from_numpy(masks).to(scores.device, non_blocking=True)
    shifts = torch.arange(WORD_BITS, dtype=torch.int32, device=scores.device)
    is_unset = (words.unsqueeze(-1) >> shifts).bitwise_and_(1) == 0  # [R, words, 32]
    is_unset = is_unset.flatten(1)[:, : scores.shape[-1]]
    where = torch.tensor(rows, dtype=torch.long, device=scores.device)
    scores[where] = scores[where].masked_fill_(is_unset, float("-inf"))


def failure_of(error: Exception) -> Failure:
    """Return what to tell about an error that a constraint raised."""
    if isinstance(error, UnsatisfiableGrammarError):
        return Failure(error.code, str(error))
    logger.error("a constraint broke", exc_info=error)
    return BROKEN
