"""The adapters of one model, and which of them each row of the present step is computed with."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor

from inference.engine.lora.low_rank import LowRank
from inference.engine.lora.rows import NO_ROWS, StepRows, rows_of, whole
from inference.engine.sequence import Chunk


class AdapterBank:
    """Tells adapted projections whose rows they see.

    The model's weights are there once. A step computes all its rows with them and then adds to
    the rows of each adapter what that one changes, so answers of many adapters and of the bare
    model are computed together.

    Args:
        names: of the adapters.

    Source:
        Chen et al. 2023, "Punica: Multi-Tenant LoRA Serving"; Sheng et al. 2023, "S-LoRA".
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._step: StepRows = NO_ROWS

    @property
    def is_at_work(self) -> bool:
        """Whether some row of the present step is computed with an adapter."""
        return self._step is not NO_ROWS

    def take(self, chunks: Sequence[Chunk]) -> None:
        """Take note of the step that comes; its rows lie as the chunks do."""
        self._step = rows_of(chunks)

    @contextmanager
    def wearing(self, adapter: str, *, count: int) -> Iterator[None]:
        """Let the model itself compute a text of so many tokens as one adapter has it."""
        self._step = whole(adapter, count)
        try:
            yield
        finally:
            self._step = NO_ROWS

    def add(
        self, additions: Mapping[str, LowRank], x: Tensor, y: Tensor, *, is_head: bool = False
    ) -> None:
        """Add to what a projection made of the step's rows what the adapters change.

        Args:
            additions: by adapter; one that leaves the projection alone is not there.
            x: what went in, [.., in].
            y: what came out, [.., out]; changed in place.
            is_head: whether the projection sees scored rows only.
        """
        if self._step is NO_ROWS:
            return
        x, y = x.reshape(-1, x.shape[-1]), y.view(-1, y.shape[-1])
        for group in self._step.groups(x, is_head=is_head):
            addition = additions.get(group.adapter)
            if addition is not None:
                group.add(addition, x, y)
