"""The forward pass of Llama-shaped decoders over a flat batch, in few calls a layer.

Llama, Mistral, Qwen 2 and Qwen 3 share one shape: root mean square norms before attention and
before a gated network, rotary positions, a residual around both. Here a layer is some twenty
calls of torch instead of some sixty, sibling projections are one product, and every weight is
the model's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor, nn

from inference.engine.attention import ScoreOptions, StepAttention
from inference.engine.decoder.projections import Projection
from inference.engine.placed_images import PlacedImages


@dataclass(frozen=True, slots=True)
class Norm:
    """A root mean square norm.

    Source:
        Zhang and Sennrich 2019, "Root Mean Square Layer Normalization".
    """

    weight: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


@dataclass(slots=True)
class FusedLayer:
    """One layer.

    Attributes:
        number: its place among the layers; names its part of the cache.
        before_attention: norm.
        queries_keys_values: one projection for the three.
        heads: query heads.
        key_heads: heads of keys and of values.
        query_norm: norm of each query head; None where the model has none.
        key_norm: the same for keys.
        output: projection of what attention mixed.
        before_network: norm.
        gate_and_up: one projection for the two.
        activation: of the gate.
        down: projection back.
        options: how attention scores.
    """

    number: int
    before_attention: Norm
    queries_keys_values: Projection
    heads: int
    key_heads: int
    query_norm: Norm | None
    key_norm: Norm | None
    output: Projection
    before_network: Norm
    gate_and_up: Projection
    activation: Callable[[Tensor], Tensor]
    down: Projection
    options: ScoreOptions

    def __call__(self, x: Tensor, cos: Tensor, sin: Tensor, step: StepAttention) -> Tensor:
        """Compute the layer.

        Args:
            x: [N, width].
            cos: cosines of the positions' angles, [N, 1, D].
            sin: their sines, the first half negated, [N, 1, D].
            step: the step's attention.
        """
        mixed = self._attend(self.before_attention(x), cos, sin, step)
        x = self.output.add_to(x, mixed.flatten(1))
        gate, up = self.gate_and_up(self.before_network(x)).chunk(2, dim=-1)
        return self.down.add_to(x, self.activation(gate) * up)

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor, step: StepAttention) -> Tensor:
        rotated = self.heads + self.key_heads
        heads = self.queries_keys_values(x).view(len(x), rotated + self.key_heads, -1)
        turning, value = heads[:, :rotated], heads[:, rotated:]
        if self.query_norm is not None and self.key_norm is not None:
            queries, keys = turning[:, : self.heads], turning[:, self.heads :]
            turning = torch.cat((self.query_norm(queries), self.key_norm(keys)), dim=1)
        half = turning.shape[-1] // 2
        turned = torch.addcmul(turning * cos, turning.roll(half, dims=-1), sin)
        query, key = turned[:, : self.heads], turned[:, self.heads :]
        return step.attend(self.number, query, key, value, self.options)


@dataclass(slots=True)
class FusedDecoder:
    """A whole decoder.

    Attributes:
        embedding: of the vocabulary, [V, width].
        layers: from the first.
        norm: the last norm.
        head: projection to the vocabulary.
        rotary: the model's own positions: (x, positions [1, N]) to cosines and sines [1, N, D];
            positions of images are [3, 1, N].
    """

    embedding: Tensor
    layers: list[FusedLayer]
    norm: Norm
    head: Projection
    rotary: nn.Module

    def __call__(
        self,
        tokens: Tensor,
        positions: Tensor,
        scored: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> Tensor:
        """See `inference.engine.model_runner.Forward`."""
        return self.head(self.hidden(tokens, positions, step, images)[scored])

    def with_states(
        self,
        tokens: Tensor,
        positions: Tensor,
        scored: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `inference.engine.model_runner.Forward.with_states`."""
        states = self.hidden(tokens, positions, step, images)
        return self.head(states[scored]), states

    def hidden(
        self,
        tokens: Tensor,
        positions: Tensor,
        step: StepAttention,
        images: PlacedImages | None = None,
    ) -> Tensor:
        """Return the state of every token after the last norm, [N, width]."""
        x = F.embedding(tokens, self.embedding)
        if images is not None:
            x = images.over(x)
        turning = positions.unsqueeze(0)
        if images is not None and images.positions is not None:
            turning = images.positions.unsqueeze(1)
        cos, sin = self.rotary(x, turning)
        cos, sin = cos[0].unsqueeze(1), sin[0].unsqueeze(1)  # [N, 1, D]
        half = sin.shape[-1] // 2
        sin = torch.cat((-sin[..., :half], sin[..., half:]), dim=-1)
        for layer in self.layers:
            x = layer(x, cos, sin, step)
            if images is not None:
                x = images.after(layer.number, x)
        return self.norm(x)
