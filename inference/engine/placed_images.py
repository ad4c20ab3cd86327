"""Images in a flat batch: which columns show them, and where the columns stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.engine.sequence import Chunk


@dataclass(frozen=True, slots=True)
class PlacedImages:
    """What a forward pass must know beside tokens.

    Attributes:
        columns: the columns that show a piece of an image, long [n].
        features: their states, [n, W].
        positions: of all columns in time, height and width, long [3, N]; None where the positions
            of the flat batch are right.
    """

    columns: Tensor
    features: Tensor
    positions: Tensor | None

    def over(self, states: Tensor) -> Tensor:
        """Return the states of tokens, [N, W], with the images in their columns."""
        if not len(self.columns):
            return states
        return states.index_copy(0, self.columns, self.features.to(states))


def place_images(chunks: Sequence[Chunk], device: torch.device) -> PlacedImages | None:
    """Return the images that chunks show, or None where their tokens and places tell everything.

    Args:
        chunks: side by side, as the flat batch has them.
        device: where tokens go in.
    """
    if not any(chunk.sequence.images for chunk in chunks):
        return None
    columns: list[int] = []
    features: list[Tensor] = []
    first = 0
    for chunk in chunks:
        images = chunk.sequence.images
        if images is not None:
            places = images.places(chunk.start, chunk.end)
            if len(places):
                columns += (places - chunk.start + first).tolist()
                features.append(images.features(chunk.start, chunk.end).to(device))
        first += chunk.count
    positions = _positions(chunks)
    if not columns and positions is None:
        return None
    return PlacedImages(
        torch.tensor(columns, dtype=torch.long, device=device),
        torch.cat(features) if features else torch.empty(0, device=device),
        None if positions is None else positions.to(device),
    )


def _positions(chunks: Sequence[Chunk]) -> Tensor | None:
    """Positions of all columns, [3, N]; None where they are the places."""
    if not any(chunk.sequence.images and chunk.sequence.images.has_positions for chunk in chunks):
        return None
    parts = [
        chunk.sequence.images.positions(chunk.start, chunk.end)
        if chunk.sequence.images is not None
        else torch.arange(chunk.start, chunk.end).expand(3, -1)
        for chunk in chunks
    ]
    return torch.cat(parts, dim=1)
