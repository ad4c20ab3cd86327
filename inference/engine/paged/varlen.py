"""Paged attention by the FlashAttention that torch brings along, for 16-bit precision.

Torch's own build reads no page tables, so the pages of a step are gathered for it first; how many
keys of them count, it is told.
"""

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor

from inference.engine.attention import ScoreOptions
from inference.engine.paged.backend import Mixer
from inference.engine.paged.inputs import StepInputs

EVERYTHING = -1
"""A window without an end."""


class TorchVarlenAttention:
    """`torch.nn.attention.varlen`.

    Raises:
        ImportError: this torch has none.
    """

    name = "torch varlen"
    block_multiple = 1
    block_size = 64
    reads_all_pages = True
    suits_graphs = True

    def __init__(self) -> None:
        self._attend: Callable[..., Tensor] = import_module("torch.nn.attention.varlen").varlen_attn

    def plan(self, inputs: StepInputs) -> Mixer:
        """See `PagedBackend`."""
        many = torch.arange(len(inputs.pages) + 1, dtype=torch.int32, device=inputs.pages.device)

        def mix(query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions) -> Tensor:
            if options.softcap is not None:
                raise NotImplementedError("a cap on the scores")
            length = inputs.pages.shape[1] * keys.shape[1]
            window = options.sliding_window
            return self._attend(
                query.contiguous(),
                keys[inputs.pages].flatten(0, 2),
                values[inputs.pages].flatten(0, 2),
                inputs.query_starts,
                many * length,
                inputs.shape.longest_query,
                length,
                scale=options.scaling,
                # Causal either way; their window leaves the query itself out.
                window_size=(EVERYTHING, 0) if window is None else (window - 1, 0),
                enable_gqa=True,
                seqused_k=inputs.key_lengths,
            )

        return mix
