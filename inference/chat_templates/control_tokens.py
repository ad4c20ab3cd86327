"""The control tokens of a tokenizer: those that mean something to a model beyond their letters."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

CONTROL_SHAPE = re.compile(r"<[|｜].+[|｜]>")


class TemplatedTokenizer(Protocol):
    """What rendering reads of a tokenizer; transformers' tokenizers have it."""

    @property
    def chat_template(self) -> Any:
        """A Jinja text, or several by name, or None."""

    @property
    def special_tokens_map(self) -> Mapping[str, Any]:
        """`bos_token`, `eos_token` and so on."""

    @property
    def all_special_tokens(self) -> Sequence[str]:
        """The texts of the special tokens that have a part to play."""

    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]:
        """Tokens beside the learned vocabulary by id, each with `content` and `special`."""


def control_tokens(tokenizer: TemplatedTokenizer, *, template_source: str) -> frozenset[str]:
    """Return the texts that must not come out of a message as tokens.

    The named special tokens are not enough: many tokenizers mark the ends of turns only in their
    list of added tokens, and a few do not mark them special at all. An added token that has the
    shape `<|...|>` and stands in the chat template counts as one too.
    """
    found = set(tokenizer.all_special_tokens)
    for token in tokenizer.added_tokens_decoder.values():
        text = str(token.content)
        if token.special or (text in template_source and CONTROL_SHAPE.fullmatch(text)):
            found.add(text)
    return frozenset(found)
