"""From a conversation to the tokens a model reads, and the tokens and texts that end its answer."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.control_tokens import control_tokens
from inference.chat_templates.families import ChatTemplate
from inference.chat_templates.rendering import (
    RenderedPrompt,
    end_of_turn,
    render_prompt,
    tool_format_of,
)
from inference.engine.images import Images
from inference.engine.vision.reader import ImageReader
from inference.exceptions import ContextLengthExceededError, InvalidRequestError
from inference.messages import Message, images_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt in tokens.

    Attributes:
        tokens: what the model reads.
        stop: the stop strings of the conversation's template.
        text: what the prompt is shown as; None for a conversation.
        images: what it shows; None for text alone. Such a prompt is never cut.
    """

    tokens: list[int]
    stop: tuple[str, ...] = ()
    text: str | None = None
    images: Images | None = None


class PromptEncoder:
    """Writes conversations the way one model was taught to read them.

    Args:
        tokenizer: the model's; its own chat template is used where it has one.
        template: the template to use instead; None decides by the tokenizer.
        vocabulary_size: how many tokens the model knows.
        context_length: the model's window. A text that cannot fit into it whatever its tokens are
            is not tokenised, as that takes seconds for every million characters; None
            tokenises any.
        image_reader: prepares images; None for a model that takes none.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        template: ChatTemplate | None,
        vocabulary_size: int,
        context_length: int | None = None,
        image_reader: ImageReader | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._context_length = context_length
        self._longest_token = max(map(len, tokenizer.get_vocab())) if context_length else 0
        self._template = template
        self._vocabulary_size = vocabulary_size
        self._image_reader = image_reader
        self._lock = threading.Lock()  # requests arrive from many threads

    def encode(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        options: Mapping[str, Any] | None = None,
        is_cut: bool = False,
    ) -> EncodedPrompt:
        """Render the conversation and tokenise it.

        Args:
            messages: the conversation, oldest first.
            tools: functions the model may call.
            options: further names for the chat template.
            is_cut: whether the beginning may be missing where all could not fit.

        Raises:
            ContextLengthExceededError: it is far too long, and must not be cut.
            InvalidRequestError: no message, or the template refuses them, or they hold a token
                the model does not know, or an image that it does not take.
        """
        reader, images = self._image_reader, images_of(messages)
        if images and reader is None:
            raise InvalidRequestError("the model takes no images", param="messages")
        prompt = self.render(messages, tools=tools, options=options)
        text = self._bounded(prompt.text, is_cut=is_cut and not images)
        shown = None
        if reader is not None and images:
            tokens, shown = reader.read(
                text,
                images,
                add_special_tokens=prompt.needs_special_tokens,
                limit_tokens=self._context_length,
            )
        else:
            tokens = self._tokenise(text, add_special_tokens=prompt.needs_special_tokens)
        self._check(tokens, param="messages")
        return EncodedPrompt(tokens, prompt.stop, images=shown)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        options: Mapping[str, Any] | None = None,
    ) -> RenderedPrompt:
        """Write the conversation as a text; see `render_prompt`.

        Raises:
            InvalidRequestError: no message, or the template refuses them.
        """
        marker = self._image_reader.marker if self._image_reader else ""
        return render_prompt(
            self._tokenizer,
            messages,
            template=self._template,
            image_marker=marker,
            tools=tools,
            options=options,
        )

    @property
    def tool_format(self) -> str:
        """Name of the format in which the model is asked to write calls."""
        return tool_format_of(self._tokenizer, template=self._template)

    def encode_text(self, text: str, *, is_cut: bool = False) -> EncodedPrompt:
        """Tokenise a text as it is, with what the tokenizer puts in front of every text.

        Args:
            text: the text.
            is_cut: whether the beginning may be missing where all could not fit.

        Raises:
            ContextLengthExceededError: it is far too long, and must not be cut.
            InvalidRequestError: it has no tokens, or one that the model does not know.
        """
        if not isinstance(text, str):
            raise InvalidRequestError("the prompt must be a text", param="prompt")
        text = self._bounded(text, is_cut=is_cut)
        tokens = self._tokenise(text, add_special_tokens=True)
        self._check(tokens, param="prompt")
        return EncodedPrompt(tokens, text=text)

    def take_tokens(self, tokens: Sequence[int]) -> EncodedPrompt:
        """Accept a prompt that is tokenised already.

        Raises:
            InvalidRequestError: there is no token, or one that the model does not know.
        """
        own = list(tokens)
        if not all(isinstance(token, int) and not isinstance(token, bool) for token in own):
            raise InvalidRequestError("token ids must be whole numbers", param="prompt_token_ids")
        self._check(own, param="prompt_token_ids")
        return EncodedPrompt(own, text=self.decode(own))

    def decode(self, tokens: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text of some tokens."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=skip_special_tokens))

    @property
    def special_tokens(self) -> frozenset[int]:
        """The tokens that are not text."""
        return frozenset(self._tokenizer.all_special_ids)

    def _bounded(self, text: str, *, is_cut: bool) -> str:
        """Return the text, or the end of it that may fit."""
        if self._context_length is None:
            return text
        most = self._context_length * self._longest_token
        if len(text) <= most:
            return text
        if is_cut:
            return text[-most:]
        raise ContextLengthExceededError(
            prompt_tokens=-(-len(text) // self._longest_token),
            limit_tokens=self._context_length - 1,
        )

    def _tokenise(self, text: str, *, add_special_tokens: bool) -> list[int]:
        with self._lock:
            ids = self._tokenizer(text, add_special_tokens=add_special_tokens)
        return list(ids["input_ids"])

    def _check(self, tokens: list[int], *, param: str) -> None:
        if not tokens:
            raise InvalidRequestError("the prompt has no tokens", param=param)
        if max(tokens) >= self._vocabulary_size or min(tokens) < 0:
            raise InvalidRequestError("the prompt has a token the model lacks", param=param)

    def end_tokens(self, model: PreTrainedModel) -> frozenset[int]:
        """Return the tokens that end an answer.

        They are those the model's generation configuration names, the tokenizer's end of
        sequence, the family's, and the special token that follows an assistant's words in the
        chat template (`<|im_end|>` and its like; some models forget to declare it).
        """
        found = _ids(getattr(model.generation_config, "eos_token_id", None))
        found |= _ids(self._tokenizer.eos_token_id)
        if self._template is not None:
            found |= self._family_ends(self._template)
        text = end_of_turn(self._tokenizer, template=self._template).lstrip()
        if text:
            first = self._tokenizer(text, add_special_tokens=False)["input_ids"][0]
            if self._tokenizer.decode([first]) in control_tokens(
                self._tokenizer, template_source=text
            ):
                found.add(first)
        return frozenset(found)

    def _family_ends(self, family: ChatTemplate) -> set[int]:
        """The stop tokens of a family, as far as they are control tokens here too.

        Ids mean something in one vocabulary only: number 0 ends the answers of MPT, and is "!" to
        a tokenizer of GPT-2's kind.
        """
        control = set(self._tokenizer.all_special_ids) | set(self._tokenizer.added_tokens_decoder)
        ends = {token for token in family.stop_token_ids if token < self._vocabulary_size} & control
        if strange := sorted(set(family.stop_token_ids) - ends):
            logger.warning(
                "the tokenizer has no control tokens %s; family %r ends with them",
                strange,
                family.name,
            )
        return ends


def _ids(value: Any) -> set[int]:
    """Ids from what configurations hold: nothing, one id, or several."""
    if value is None:
        return set()
    return {int(value)} if isinstance(value, int) else {int(one) for one in value}
