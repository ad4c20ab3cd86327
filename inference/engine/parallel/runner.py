"""How the processes of one model keep step: one leads, the others follow."""

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.engine.isolation import ForwardResult
from inference.engine.model_runner import ModelRunner, place_in_cache
from inference.engine.parallel.channel import PlanChannel
from inference.engine.parallel.plan import NOTHING, Plan, PlanReader, PlanWriter
from inference.engine.sequence import Chunk
from inference.engine.sequence import Sequence as RunningSequence
from inference.exceptions import EngineLostError


class LeadingRunner:
    """Runs a step here and in all other processes of the model.

    A failed forward pass may have failed in one process alone, which leaves the others inside a
    sum that will never be complete. So here nothing is tried again: the engine is lost, and its
    worker has to start anew.

    Args:
        runner: runs this process's share.
        channel: reaches the others.
    """

    def __init__(self, runner: ModelRunner, channel: PlanChannel) -> None:
        self._runner = runner
        self._channel = channel
        self._writer = PlanWriter()
        self._is_lost = False
        self.has_prefix_reuse = runner.has_prefix_reuse

    def run(self, chunks: Sequence[Chunk]) -> ForwardResult:
        """Compute the chunks, neighbours in the cache side by side.

        Raises:
            EngineLostError: here or elsewhere the forward pass failed.
        """
        ordered = sorted(chunks, key=place_in_cache)
        return ForwardResult(ordered, self.compute(ordered))

    def compute(self, chunks: Sequence[Chunk]) -> Tensor:
        """Compute chunks and return the scores of their `scored` tokens, [S, V].

        Raises:
            EngineLostError: here or elsewhere the forward pass failed.
        """
        if self._is_lost:
            raise EngineLostError("the processes of this model have lost step")
        try:
            self._channel.send(self._writer.write(chunks))
            return self._runner.compute(chunks)
        except Exception as error:
            self._is_lost = True
            raise EngineLostError(f"the model's processes lost step: {error}") from error

    def forget(self, sequence: RunningSequence) -> None:
        """Drop what was kept for a sequence, here now and elsewhere with the next step."""
        self._writer.forget(sequence)
        self._runner.forget(sequence)

    def copy_blocks(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Copy what blocks hold, here now and elsewhere before the next step."""
        self._writer.copy(pairs)
        self._runner.copy_blocks(pairs)

    def clear_blocks(self, blocks: Sequence[int]) -> None:
        """Write zeros over blocks, here now and elsewhere before the next step."""
        self._writer.clear(blocks)
        self._runner.clear_blocks(blocks)


def follow(runner: ModelRunner, channel: PlanChannel, *, threads: int | None = None) -> None:
    """Compute what the leader plans, until it leaves.

    Args:
        runner: runs this process's share; made as the leader's was.
        channel: where plans come from.
        threads: intra-op threads of torch on CPU; None leaves torch's choice.

    Raises:
        EngineLostError: the leader is gone without a word, or a pass failed.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    reader = PlanReader()
    while (words := channel.receive()) is not None:
        try:
            _carry_out(reader.read(words), runner)
        except Exception as error:  # the others are left inside a sum: end, so that they notice
            raise EngineLostError(f"the model's processes lost step: {error}") from error


def _carry_out(plan: Plan, runner: ModelRunner) -> None:
    """Do one step as planned."""
    for sequence in plan.forgotten:
        runner.forget(sequence)
    for source, target in plan.edits:
        if source == NOTHING:
            runner.clear_blocks([target])
        else:
            runner.copy_blocks([(source, target)])
    runner.compute(plan.chunks)
