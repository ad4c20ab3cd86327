"""The channel that plans travel on: from the leading process to all others of a model."""

from collections.abc import Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from inference.exceptions import EngineLostError

FRAME_WORDS = 1024
"""Words of the first message; a step of sixteen decoding sequences needs about a hundred."""

LEAVE = -1
"""In place of a plan's length: there will be no more."""

LONGEST_SILENCE = timedelta(days=365)
"""A model that nobody asks sends no plans. Whoever has died closes its connections, so no time is
needed to notice that."""


class PlanChannel:
    """Carries plans from rank 0 to the other ranks of the default process group.

    Every rank makes one at the same time. Plans are tensors of whole numbers over gloo, whatever
    the device: nothing that arrives is ever run as code.
    """

    def __init__(self) -> None:
        self._group = dist.new_group(backend="gloo", timeout=LONGEST_SILENCE)
        self.is_leader = dist.get_rank() == 0

    def send(self, words: Sequence[int]) -> None:
        """Give a plan to all other ranks; only rank 0 does.

        Raises:
            EngineLostError: one of them is gone.
        """
        frame = torch.zeros(max(FRAME_WORDS, len(words) + 1), dtype=torch.long)
        frame[0] = len(words)
        frame[1 : len(words) + 1] = torch.tensor(words, dtype=torch.long)
        self._pass_on(frame[:FRAME_WORDS])
        if len(frame) > FRAME_WORDS:
            self._pass_on(frame[FRAME_WORDS:])

    def receive(self) -> list[int] | None:
        """Wait for the next plan; None when the leader has left.

        Raises:
            EngineLostError: the leader is gone without a word.
        """
        frame = torch.empty(FRAME_WORDS, dtype=torch.long)
        self._pass_on(frame)
        length = int(frame[0])
        if length == LEAVE:
            return None
        words: list[int] = frame[1 : length + 1].tolist()
        if length + 1 > FRAME_WORDS:
            rest = torch.empty(length + 1 - FRAME_WORDS, dtype=torch.long)
            self._pass_on(rest)
            words += rest.tolist()
        return words

    def dismiss(self) -> None:
        """Tell all other ranks that there will be no more plans; only rank 0 does.

        Raises:
            EngineLostError: one of them is gone.
        """
        self._pass_on(torch.full((FRAME_WORDS,), LEAVE, dtype=torch.long))

    def _pass_on(self, words: Tensor) -> None:
        try:
            dist.broadcast(words, src=0, group=self._group)
        except RuntimeError as error:
            raise EngineLostError(f"another process of the model is gone: {error}") from error
