"""The images of one sequence: where they stand among its tokens, and what they look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference.engine.vision.eyes import Eyes


@dataclass(frozen=True, slots=True)
class ImageRun:
    """A stretch of image tokens, places [first, last), and the name of what they show."""

    first: int
    last: int
    digest: bytes


class SequenceImages:
    """What a prompt shows; shared by all answers to it.

    The features are computed once, when a step first reads an image token, and kept: a sequence
    that is preempted reads them again. Where the cache holds all images, they are never computed.

    Args:
        eyes: the model's.
        inputs: what the processor made of the prompt, a batch of one.
        digests: names of the images, in order.
    """

    def __init__(self, eyes: Eyes, inputs: Mapping[str, Tensor], digests: Sequence[bytes]) -> None:
        tokens = inputs["input_ids"][0]
        self._eyes = eyes
        self._inputs: Mapping[str, Tensor] | None = inputs
        self._features: Tensor | None = None
        self._places = np.flatnonzero(tokens.numpy() == eyes.image_token)
        self._runs = _runs(self._places, digests)
        self._positions = eyes.positions(inputs)
        self._prompt_tokens = len(tokens)

    @property
    def has_positions(self) -> bool:
        """Whether the tokens' positions are not simply their places."""
        return self._positions is not None

    @property
    def shift(self) -> int:
        """What to add to a place after the prompt to get its position; at most 0."""
        if self._positions is None:
            return 0
        return int(self._positions.max()) + 1 - self._prompt_tokens

    def places(self, first: int, last: int) -> np.ndarray:
        """Return which of the places [first, last) are image tokens."""
        return self._places[self._between(first, last)]

    def features(self, first: int, last: int) -> Tensor:
        """Return the states of the image tokens in [first, last), [L, n, W]; see `Images`."""
        if self._features is None:
            assert self._inputs is not None
            self._features = self._eyes.features(self._inputs)
            self._inputs = None  # the pixels have been seen
        return self._features[:, self._between(first, last)]

    def positions(self, first: int, last: int) -> Tensor:
        """Return the positions of the places [first, last), long [3, n].

        After the prompt they count on from the largest one: an image takes up less room in
        positions than in tokens.
        """
        if self._positions is None:
            return torch.arange(first, last).expand(3, -1)
        own = self._positions[:, first:last]
        places = torch.arange(max(first, self._prompt_tokens), max(last, self._prompt_tokens))
        return torch.cat((own, (places + self.shift).expand(3, -1)), dim=1)

    def name_of(self, first: int, last: int) -> bytes:
        """Return what tells these places from others with the same tokens; b"" without images."""
        return b"".join(run.digest for run in self._runs if run.first < last and first < run.last)

    def _between(self, first: int, last: int) -> slice:
        start, stop = np.searchsorted(self._places, (first, last))
        return slice(int(start), int(stop))


def _runs(places: np.ndarray, digests: Sequence[bytes]) -> list[ImageRun]:
    """Divide image tokens into stretches, each named by its image.

    Where stretches are not images one by one (two side by side, or one in tiles), every stretch is
    named by all of them: less is found again, and nothing is ever mistaken.
    """
    parts = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []
    names = list(digests) if len(parts) == len(digests) else [b"".join(digests)] * len(parts)
    return [
        ImageRun(int(part[0]), int(part[-1]) + 1, name)
        for part, name in zip(parts, names, strict=True)
    ]
