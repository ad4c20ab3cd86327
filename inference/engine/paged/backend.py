"""What a kernel for paged attention must offer, and the attention of a step made of it."""

from typing import Protocol

from torch import Tensor

from inference.engine.attention import ScoreOptions
from inference.engine.paged.cache import PagedKVCache
from inference.engine.paged.inputs import StepInputs


class Mixer(Protocol):
    """Attention of one step, the same for every layer."""

    def __call__(
        self, query: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions
    ) -> Tensor:
        """Let every token of the step attend to its own sequence.

        Args:
            query: [N, heads, D].
            keys: a layer's pages, [blocks, block size, key heads, D].
            values: the same of values.
            options: how the layer scores.

        Returns:
            [N, heads, D of values].

        Raises:
            NotImplementedError: it cannot score that way.
        """


class PagedBackend(Protocol):
    """A way of computing attention over pages.

    Attributes:
        name: for logs.
        block_multiple: the block size must be a multiple of it.
        block_size: the block size it likes best.
        reads_all_pages: whether its work grows with the width of the page table, not only with
            the keys there are.
        suits_graphs: whether a decode step may be captured.
    """

    name: str
    block_multiple: int
    block_size: int
    reads_all_pages: bool
    suits_graphs: bool

    def plan(self, inputs: StepInputs) -> Mixer:
        """Return the attention of a step; it is told nothing else, and waits for no device."""


class PagedStep:
    """The attention of one step: new keys and values go to their pages, then a kernel reads.

    Args:
        cache: the pages.
        backend: the kernel.
        inputs: the step, on the device.
    """

    def __init__(self, cache: PagedKVCache, backend: PagedBackend, inputs: StepInputs) -> None:
        self._cache = cache
        self._slots = inputs.slots
        self._mix = backend.plan(inputs)

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, options: ScoreOptions
    ) -> Tensor:
        """See `inference.engine.attention.StepAttention.attend`.

        Raises:
            NotImplementedError: the layer has sinks, which rows alone compute.
        """
        if options.sinks is not None:
            raise NotImplementedError("attention with sinks, in pages")
        self._cache.write(layer, self._slots, key, value)
        return self._mix(query, *self._cache.layer(layer), options)
