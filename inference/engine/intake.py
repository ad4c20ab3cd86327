"""The intake: from what somebody asks to answers that can begin, or a clear refusal."""

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import partial
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.families import ChatTemplate
from inference.engine.answer import Answer
from inference.engine.detokenizer import Detokenizer
from inference.engine.grammar import TokenConstraint
from inference.engine.grammars.compiler import GrammarCompiler
from inference.engine.penalties import counts_for
from inference.engine.prompts import EncodedPrompt, PromptEncoder
from inference.engine.request import Request
from inference.engine.sampling_state import SamplingState, random_numbers
from inference.engine.sentences import Sentences
from inference.engine.sequence import Sequence
from inference.engine.stopping import StopStrings
from inference.engine.validation import check_params
from inference.engine.vision.reader import ImageReader
from inference.exceptions import ContextLengthExceededError, InvalidRequestError
from inference.generation import SamplingParams
from inference.messages import Message

DEFAULT_ROOM = 256
"""Tokens kept free for the answer when a prompt is cut to fit and nobody said how many."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be answered or continued, in one of three forms.

    Attributes:
        messages: a conversation; where its last message is the assistant's, it is continued.
        text: a raw text.
        tokens: token ids.
        tools: functions that may be called in a conversation.
        template_options: further names for the conversation's template.
    """

    messages: Items[Message] | None = None
    text: str | None = None
    tokens: Items[int] | None = None
    tools: Items[Mapping[str, Any]] = ()
    template_options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse none and several.

        Raises:
            InvalidRequestError: not exactly one form is given.
        """
        forms = (self.messages, self.text, self.tokens)
        if sum(form is not None for form in forms) != 1:
            raise InvalidRequestError(
                "give one of messages, prompt and prompt_token_ids", param="prompt"
            )


class Intake:
    """Checks requests and makes answers of them; may be used from any thread.

    Args:
        model: whose vocabulary and end tokens count.
        tokenizer: the model's.
        template: the chat template to use instead of the tokenizer's own.
        context_length: the window: of prompt and answer together, or of the prompt alone.
        answer_window: tokens of an answer where it has a window of its own; None where it takes
            what the prompt leaves.
        is_whole: whether a prompt must be computed in one piece.

    Attributes:
        grammars: compiles what answers must follow.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        template: ChatTemplate | None,
        context_length: int,
        image_reader: ImageReader | None = None,
        answer_window: int | None = None,
        is_whole: bool = False,
    ) -> None:
        self.context_length = context_length
        self._answer_window = answer_window
        self._is_whole = is_whole
        self._vocabulary_size: int = model.config.get_text_config().vocab_size
        self._encoder = PromptEncoder(
            tokenizer,
            template=template,
            vocabulary_size=self._vocabulary_size,
            context_length=context_length,
            image_reader=image_reader,
        )
        self._end_tokens = self._encoder.end_tokens(model)
        self.grammars = GrammarCompiler(
            tokenizer, vocabulary_size=self._vocabulary_size, end_token_ids=self._end_tokens
        )

    def receive(
        self,
        request_id: str,
        prompt: Prompt,
        params: SamplingParams,
        constraint: TokenConstraint | None = None,
    ) -> Request:
        """Make a request of which nothing has been answered yet.

        Raises:
            InvalidRequestError: a parameter or the prompt cannot be followed.
            ContextLengthExceededError: the prompt leaves no room for an answer.
        """
        check_params(params, vocabulary_size=self._vocabulary_size)
        if params.grammar is not None and constraint is None:
            constraint = self.grammars.compile(params.grammar)
        if params.prompt_logprobs is not None and self._answer_window is not None:
            raise InvalidRequestError(
                "an encoder-decoder reads its prompt and does not score it", param="prompt_logprobs"
            )
        encoded = self._fit(self._encode(prompt, params), params)
        if params.echo and encoded.text is None:
            raise InvalidRequestError("a conversation cannot be echoed", param="echo")
        constraints = [constraint]
        while len(constraints) < params.choice_count:
            constraints.append(constraint.fork() if constraint is not None else None)
        answers = [
            self._answer(request_id, encoded, params, choice, own)
            for choice, own in enumerate(constraints)
        ]
        return Request(
            request_id,
            answers,
            returned_count=params.n,
            prompt_logprobs=None if params.prompt_logprobs is None else [None],
        )

    @property
    def tool_format(self) -> str:
        """Name of the format in which calls of functions are written."""
        return self._encoder.tool_format

    def prompt_text(self, messages: Items[Message]) -> str:
        """Return the text that the model reads for a conversation.

        Raises:
            InvalidRequestError: no message, or the template refuses them.
        """
        return self._encoder.render(messages).text

    def prompt_tokens(self, messages: Items[Message]) -> list[int]:
        """Return the tokens that the model reads for a conversation.

        Raises:
            ContextLengthExceededError: they are far too many.
            InvalidRequestError: no message, or the template refuses them.
        """
        return self._encoder.encode(messages).tokens

    def _encode(self, prompt: Prompt, params: SamplingParams) -> EncodedPrompt:
        is_cut = params.truncate_prompt is not None
        if prompt.messages is not None:
            return self._encoder.encode(
                prompt.messages,
                tools=prompt.tools,
                options=prompt.template_options,
                is_cut=is_cut,
            )
        if prompt.text is not None:
            return self._encoder.encode_text(prompt.text, is_cut=is_cut)
        assert prompt.tokens is not None
        return self._encoder.take_tokens(prompt.tokens)

    def _fit(self, prompt: EncodedPrompt, params: SamplingParams) -> EncodedPrompt:
        """Cut a prompt that is too long, where the request says so, or refuse it."""
        count = len(prompt.tokens)
        if params.truncate_prompt == "left" and prompt.images is None:
            kept = self._kept_tokens(params)
            if count > kept:
                tokens = prompt.tokens[-kept:]
                text = None if prompt.text is None else self._encoder.decode(tokens)
                return EncodedPrompt(tokens, prompt.stop, text)
        limit = self.context_length - (self._answer_window is None)
        if count > limit:
            raise ContextLengthExceededError(prompt_tokens=count, limit_tokens=limit)
        return prompt

    def _kept_tokens(self, params: SamplingParams) -> int:
        """How many tokens of a prompt are kept where it is cut: FastChat's number."""
        if self._answer_window is not None:
            return self.context_length
        wanted = params.max_tokens or min(DEFAULT_ROOM, self.context_length // 2)
        return max(1, self.context_length - wanted - 1)

    def _answer(
        self,
        request_id: str,
        prompt: EncodedPrompt,
        params: SamplingParams,
        choice: int,
        constraint: TokenConstraint | None,
    ) -> Answer:
        room = self._answer_window or self.context_length - len(prompt.tokens)
        end_tokens: frozenset[int] = frozenset() if params.ignore_eos else self._end_tokens
        is_ranked = params.choice_count > params.n
        decode = partial(self._encoder.decode, skip_special_tokens=params.skip_special_tokens)
        has_spaces = params.spaces_between_special_tokens and not params.skip_special_tokens
        return Answer(
            sequence=Sequence(
                request_id,
                list(prompt.tokens),
                prompt_tokens=len(prompt.tokens),
                max_tokens=min(room, params.max_tokens or room),
                scores_prompt=params.prompt_logprobs is not None and choice == 0,
                images=prompt.images,
                is_whole=self._is_whole,
            ),
            sampling=SamplingState(
                params,
                random_numbers(params.seed, choice),
                counts_for(params, prompt.tokens),
                constraint,
                logprobs=0 if is_ranked and params.logprobs is None else params.logprobs,
            ),
            stop_token_ids=end_tokens | frozenset(params.stop_token_ids),
            detokenizer=Detokenizer(
                decode, spaced=self._encoder.special_tokens if has_spaces else frozenset()
            ),
            stop_strings=StopStrings(prompt.stop + params.stop),
            sentences=Sentences() if params.judge_sent_end else None,
            choice=choice,
            opening=prompt.text or "" if params.echo else "",
        )
