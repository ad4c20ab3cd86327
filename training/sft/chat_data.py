"""A data set of dialogues, encoded when they are asked for and cut at the end of a turn."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from inference.messages import Message, Role
from training.exceptions import UntrainableDialogueError
from training.sft.masking import Encoded, encode_dialogue

DialogueSource: TypeAlias = Callable[[int], Sequence[Message]]


class ChatDataset(Dataset[dict[str, list[int]]]):
    """Dialogue number i of a source, as token ids and labels.

    The source may be a list's `__getitem__` or a generator that draws number i afresh; it must
    give the same dialogue for the same number, or a resumed run differs from an unbroken one.
    """

    def __init__(
        self,
        source: DialogueSource,
        *,
        count: int,
        tokenizer: PreTrainedTokenizerFast,
        max_length: int,
    ) -> None:
        self.source = source
        self.count = count
        self.tokenizer = tokenizer
        self.max_length = max_length

    def __len__(self) -> int:
        """Return how many dialogues an epoch has."""
        return self.count

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        """Return dialogue `index` as `input_ids` and `labels`.

        Raises:
            UntrainableDialogueError: not even its first answer fits.
        """
        encoded = encode_within(self.tokenizer, self.source(index), max_length=self.max_length)
        return {"input_ids": encoded.input_ids, "labels": encoded.labels}


def encode_within(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], *, max_length: int
) -> Encoded:
    """Encode as many whole turns from the start of a dialogue as fit into `max_length` tokens.

    An answer is never cut in the middle: that would teach the model not to finish.

    Raises:
        UntrainableDialogueError: nothing with an answer fits.
    """
    encoded = encode_dialogue(tokenizer, messages)
    while len(encoded.input_ids) > max_length:
        # Dropping turns in proportion to the excess gets there in one or two rounds.
        keep = min(len(messages) - 1, int(len(messages) * max_length / len(encoded.input_ids)))
        while keep > 0 and messages[keep - 1].role is not Role.ASSISTANT:
            keep -= 1
        if keep == 0:
            raise UntrainableDialogueError(f"the first answer does not fit {max_length} tokens")
        messages = messages[:keep]
        encoded = encode_dialogue(tokenizer, messages)
    if encoded.trained_count == 0:
        raise UntrainableDialogueError("the dialogue has no answer to train on")
    return encoded
