"""Images in a flat batch: which columns show them, and where the columns stand."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from inference.engine.sequence import Chunk


@dataclass(frozen=True, slots=True)
class PlacedImages:
    """What a forward pass must know beside tokens.

    Attributes:
        columns: the columns that show a piece of an image, long [n].
        features: their states, [L, n, W]: those that go in, then those that are added to what
            leaves the first layers, in families whose towers hand on several depths.
        positions: of all columns in time, height and width, long [3, N]; None where the positions
            of the flat batch are right.
    """

    columns: Tensor
    features: Tensor
    positions: Tensor | None

    @property
    def depth(self) -> int:
        """How many layers are followed by states of images."""
        return len(self.features) - 1 if len(self.columns) else 0

    def over(self, states: Tensor) -> Tensor:
        """Return the states of tokens, [N, W], with the images in their columns."""
        if not len(self.columns):
            return states
        return states.index_copy(0, self.columns, self.features[0].to(states))

    def after(self, layer: int, states: Tensor) -> Tensor:
        """Return the states that leave a layer, [N, W], with what images add there."""
        if layer >= self.depth:
            return states
        columns = self.columns.to(states.device)
        return states.index_add(0, columns, self.features[layer + 1].to(states))


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
        torch.cat(features, dim=1) if features else torch.empty(0, device=device),
        None if positions is None else positions.to(device),
    )


@contextmanager
def deepened(model: PreTrainedModel, images: PlacedImages | None) -> Iterator[None]:
    """Let a model's own layers hand on what images add to their states.

    Args:
        model: runs a flat batch inside the block.
        images: what the batch shows, if anything.
    """
    with ExitStack() as hooks:
        if images is not None and images.depth:
            layers: Any = model.get_decoder().layers
            for number in range(images.depth):
                add = partial(_add_after, images, number)
                hooks.enter_context(layers[number].register_forward_hook(add))
        yield


def _add_after(
    images: PlacedImages, number: int, _layer: nn.Module, _given: Any, states: Tensor
) -> Tensor:
    return images.after(number, states[0]).unsqueeze(0)


def _positions(chunks: Sequence[Chunk]) -> Tensor | None:
    """Positions of all columns, [3, N]; None where one number a column is enough."""
    if not any(map(_turns_in_three, chunks)):
        return None
    parts = [
        chunk.sequence.images.positions(chunk.start, chunk.end)
        if chunk.sequence.images is not None
        else torch.arange(chunk.start, chunk.end).expand(3, -1)
        for chunk in chunks
    ]
    return torch.cat(parts, dim=1)


def _turns_in_three(chunk: Chunk) -> bool:
    """Whether a chunk reads a prompt whose positions have time, height and width."""
    images = chunk.sequence.images
    is_prompt = chunk.start < chunk.sequence.prompt_tokens
    return images is not None and images.has_positions and is_prompt
