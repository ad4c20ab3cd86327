"""From a conversation to the tokens a model reads, and the tokens and texts that end its answer."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.control_tokens import control_tokens
from inference.chat_templates.families import ChatTemplate
from inference.chat_templates.rendering import end_of_turn, render_prompt
from inference.exceptions import InvalidRequestError
from inference.messages import Message


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A conversation in tokens, and the stop strings of its template."""

    tokens: list[int]
    stop: tuple[str, ...]


class PromptEncoder:
    """Writes conversations the way one model was taught to read them.

    Args:
        tokenizer: the model's; its own chat template is used where it has one.
        template: the template to use instead; None decides by the tokenizer.
        vocabulary_size: how many tokens the model knows.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        template: ChatTemplate | None,
        vocabulary_size: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._vocabulary_size = vocabulary_size
        self._lock = threading.Lock()  # requests arrive from many threads

    def encode(self, messages: Sequence[Message]) -> EncodedPrompt:
        """Render the conversation and tokenise it.

        Raises:
            InvalidRequestError: no message, or the template refuses them, or they hold a token
                the model does not know.
        """
        prompt = render_prompt(self._tokenizer, messages, template=self._template)
        with self._lock:
            ids = self._tokenizer(prompt.text, add_special_tokens=prompt.needs_special_tokens)
        tokens: list[int] = list(ids["input_ids"])
        if not tokens:
            raise InvalidRequestError("the prompt has no tokens", param="messages")
        if max(tokens) >= self._vocabulary_size:
            raise InvalidRequestError("the prompt has a token the model lacks", param="messages")
        return EncodedPrompt(tokens, prompt.stop)

    def end_tokens(self, model: PreTrainedModel) -> frozenset[int]:
        """Return the tokens that end an answer.

        They are those the model's generation configuration names, the tokenizer's end of
        sequence, the family's, and the special token that follows an assistant's words in the
        chat template (`<|im_end|>` and its like; some models forget to declare it).
        """
        found = _ids(getattr(model.generation_config, "eos_token_id", None))
        found |= _ids(self._tokenizer.eos_token_id)
        if self._template is not None:
            found |= set(self._template.stop_token_ids)
        text = end_of_turn(self._tokenizer, template=self._template).lstrip()
        if text:
            first = self._tokenizer(text, add_special_tokens=False)["input_ids"][0]
            if self._tokenizer.decode([first]) in control_tokens(
                self._tokenizer, template_source=text
            ):
                found.add(first)
        return frozenset(found)


def _ids(value: Any) -> set[int]:
    """Ids from what configurations hold: nothing, one id, or several."""
    if value is None:
        return set()
    return {int(value)} if isinstance(value, int) else {int(one) for one in value}
