"""Projections with adapters: a model's own modules by hooks, a fused decoder's by wrapping."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inference.engine.decoder.projections import Projection
from inference.engine.lora.bank import AdapterBank
from inference.engine.lora.low_rank import LowRank

Additions = Mapping[str, LowRank]
"""What each adapter adds to one projection, by the adapter's name."""


class AdaptedProjection:
    """A projection whose rows get what their adapters add.

    Args:
        projection: the bare one, in whatever layout.
        additions: by adapter.
        bank: knows whose rows they are.
        is_head: whether it sees scored rows only.
    """

    def __init__(
        self, projection: Projection, additions: Additions, bank: AdapterBank, *, is_head: bool
    ) -> None:
        self._projection = projection
        self._additions = additions
        self._bank = bank
        self._is_head = is_head
        parts = [part for one in additions.values() for part in (one.down, one.up)]
        self.stored_bytes = projection.stored_bytes + sum(part.nbytes for part in parts)

    def __call__(self, x: Tensor) -> Tensor:
        """See `Projection`."""
        return self._adapt(x, self._projection(x))

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """See `Projection`."""
        return self._adapt(x, self._projection.add_to(residual, x))

    def _adapt(self, x: Tensor, y: Tensor) -> Tensor:
        self._bank.add(self._additions, x, y, is_head=self._is_head)
        return y


class ModuleHook:
    """Adds to what a module of a model computes, however it computes it.

    Quantized layers, packed ones and those of any family are called the same way, so all of them
    can be adapted.

    Attributes:
        was_called: whether the module has computed anything with an adapter at work.
    """

    def __init__(
        self, module: nn.Module, additions: Additions, bank: AdapterBank, *, is_head: bool
    ) -> None:
        self._additions = additions
        self._bank = bank
        self._is_head = is_head
        self.was_called = False
        self._handle: RemovableHandle = module.register_forward_hook(self._adapt)

    def remove(self) -> None:
        """Leave the module as it was."""
        self._handle.remove()

    def _adapt(self, _module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        self.was_called = self.was_called or self._bank.is_at_work
        self._bank.add(self._additions, inputs[0], output, is_head=self._is_head)
        return output
