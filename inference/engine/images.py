"""What the engine asks of a sequence's images; how they are seen is the business of `vision/`."""

from typing import Protocol

import numpy as np
from torch import Tensor


class Images(Protocol):
    """What a prompt shows. Places count from the sequence's first token."""

    @property
    def has_positions(self) -> bool:
        """Whether the tokens' positions are not simply their places."""

    @property
    def shift(self) -> int:
        """What to add to a place after the prompt to get its position; at most 0."""

    def places(self, first: int, last: int) -> np.ndarray:
        """Return which of the places [first, last) are image tokens, ascending."""

    def features(self, first: int, last: int) -> Tensor:
        """Return the states of the image tokens in [first, last), [L, n, W].

        The first of the L goes in, the others are added to what leaves the first layers.
        """

    def positions(self, first: int, last: int) -> Tensor:
        """Return the positions of the places [first, last), long [3, n]."""

    def name_of(self, first: int, last: int) -> bytes:
        """Return what tells these places from others with the same tokens; b"" without images."""
