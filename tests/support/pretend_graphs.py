"""A stand-in for CUDA graphs: it computes again, from and to the same places in memory."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass
class PretendGraph:
    """Replays a computation on the host."""

    compute: Callable[[], Tensor]
    result: Tensor
    replays: int = 0

    def replay(self) -> None:
        """Compute again; the result goes where the first one was."""
        self.replays += 1
        self.result.copy_(self.compute())


class PretendRecorder:
    """Captures stand-ins and remembers them."""

    def __init__(self) -> None:
        self.graphs: list[PretendGraph] = []

    def __call__(self, compute: Callable[[], Tensor]) -> tuple[PretendGraph, Tensor]:
        """Capture."""
        graph = PretendGraph(compute, compute())
        self.graphs.append(graph)
        return graph, graph.result

    @property
    def sizes(self) -> list[int]:
        """Batch size of each graph, in the order they were captured."""
        return [len(graph.result) for graph in self.graphs]

    @property
    def replays(self) -> int:
        """How often any of them was replayed."""
        return sum(graph.replays for graph in self.graphs)
