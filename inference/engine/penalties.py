"""Penalties on tokens that were already said: repetition, presence and frequency."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from inference.generation import SamplingParams


class TokenCounts:
    """How often each token occurred in one sequence, kept up to date token by token.

    Only the tokens that occurred are kept, so a step costs what was said and not the vocabulary.

    Args:
        prompt: tokens that count as seen, though not as said.
    """

    def __init__(self, prompt: Iterable[int] = ()) -> None:
        tokens = sorted(set(prompt))
        self._place_of = {token: place for place, token in enumerate(tokens)}
        self._size = len(tokens)
        self._tokens = np.array(tokens, dtype=np.int64)
        self._counts = np.zeros(len(tokens), dtype=np.float32)

    @property
    def tokens(self) -> np.ndarray:
        """The tokens seen, int64 [K]."""
        return self._tokens[: self._size]

    @property
    def counts(self) -> np.ndarray:
        """How often each of them occurs in the answer, float32 [K]."""
        return self._counts[: self._size]

    def add(self, token: int) -> None:
        """Count one more token of the answer."""
        place = self._place_of.get(token)
        if place is None:
            place = self._place_of[token] = self._size
            if self._size == len(self._tokens):
                room = max(64, self._size)  # doubling: the copies cost O(1) a token
                self._tokens = np.concatenate([self._tokens, np.zeros(room, dtype=np.int64)])
                self._counts = np.concatenate([self._counts, np.zeros(room, dtype=np.float32)])
            self._tokens[place] = token
            self._size += 1
        self._counts[place] += 1


def counts_for(params: SamplingParams, prompt: Iterable[int]) -> TokenCounts | None:
    """Return what the penalties of a request must count; None where it has none."""
    if params.repetition_penalty != 1.0:
        return TokenCounts(prompt)
    if params.presence_penalty != 0.0 or params.frequency_penalty != 0.0:
        return TokenCounts()  # the prompt counts for repetition alone
    return None


def apply_penalties(
    scores: Tensor, params: Sequence[SamplingParams], counts: Sequence[TokenCounts | None]
) -> None:
    """Lower the scores of tokens seen before, in place, for the rows that ask for it.

    Repetition divides a positive score and multiplies a negative one, for tokens of prompt and
    answer; presence and frequency are subtracted, for tokens of the answer alone, as the OpenAI
    API defines them.

    Args:
        scores: next-token scores, float32 [B, V], contiguous.
        params: one for each row.
        counts: one for each row; None where the row has no penalties.

    Source:
        Keskar et al. 2019, "CTRL", section 4.1 (repetition).
    """
    vocabulary = scores.shape[-1]
    places, said, factors = [], [], []
    for row, (one, count) in enumerate(zip(params, counts, strict=True)):
        if count is not None and len(count.tokens):
            places.append(count.tokens + row * vocabulary)
            said.append(
                one.frequency_penalty * count.counts + one.presence_penalty * (count.counts > 0)
            )
            factors.append(np.full(len(count.tokens), one.repetition_penalty))
    if not places:
        return
    where = _moved(np.concatenate(places), scores)
    repetition = _moved(np.concatenate(factors).astype(np.float32), scores)
    subtracted = _moved(np.concatenate(said).astype(np.float32), scores)
    flat = scores.view(-1)
    old = flat[where]
    flat[where] = torch.where(old > 0, old / repetition, old * repetition) - subtracted


def _moved(values: np.ndarray, like: Tensor) -> Tensor:
    """An array as a tensor where `like` is."""
    return torch.from_numpy(values).to(like.device, non_blocking=True)
