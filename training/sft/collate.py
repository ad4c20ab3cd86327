"""From a handful of encoded dialogues to one batch of tensors, padded to the longest of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.sft.masking import IGNORED


def collate_dialogues(
    dialogues: Sequence[dict[str, list[int]]], *, padding_id: int
) -> dict[str, Tensor]:
    """Pad dialogues on the right.

    No attention mask is needed: with causal attention a real token never sees the padding that
    stands after it, and padding carries no label.

    Args:
        dialogues: B dialogues with `input_ids` and `labels`.
        padding_id: id that fills the end.

    Returns:
        `input_ids` and `labels`, int64 [B, T] with T the longest length.
    """
    length = max(len(dialogue["input_ids"]) for dialogue in dialogues)
    input_ids = torch.full((len(dialogues), length), padding_id, dtype=torch.long)
    labels = torch.full((len(dialogues), length), IGNORED, dtype=torch.long)
    for row, dialogue in enumerate(dialogues):
        end = len(dialogue["input_ids"])
        input_ids[row, :end] = torch.tensor(dialogue["input_ids"])
        labels[row, :end] = torch.tensor(dialogue["labels"])
    return {"input_ids": input_ids, "labels": labels}
