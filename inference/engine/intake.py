"""The intake: from what somebody asks to an answer that can begin, or a clear refusal."""

import random
from collections.abc import Sequence as Items

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.families import ChatTemplate
from inference.engine.answer import Answer
from inference.engine.detokenizer import Detokenizer
from inference.engine.penalties import TokenCounts, has_penalties
from inference.engine.prompts import PromptEncoder
from inference.engine.sampler import SamplingState
from inference.engine.sequence import Sequence
from inference.engine.stopping import StopStrings
from inference.engine.validation import check_params
from inference.exceptions import ContextLengthExceededError
from inference.generation import SamplingParams
from inference.messages import Message


class Intake:
    """Checks requests and makes answers of them; may be used from any thread.

    Args:
        model: whose vocabulary and end tokens count.
        tokenizer: the model's.
        template: the chat template to use instead of the tokenizer's own.
        context_length: the window, prompt and answer together.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        template: ChatTemplate | None,
        context_length: int,
    ) -> None:
        self.context_length = context_length
        self._vocabulary_size: int = model.config.get_text_config().vocab_size
        self._device: torch.device = next(model.parameters()).device
        self._tokenizer = tokenizer
        self._encoder = PromptEncoder(
            tokenizer, template=template, vocabulary_size=self._vocabulary_size
        )
        self._end_tokens = self._encoder.end_tokens(model)

    def receive(self, request_id: str, messages: Items[Message], params: SamplingParams) -> Answer:
        """Make an answer that has nothing said yet.

        Raises:
            InvalidRequestError: a parameter or the conversation cannot be followed.
            ContextLengthExceededError: the conversation leaves no room for an answer.
        """
        check_params(params, vocabulary_size=self._vocabulary_size)
        prompt = self._encoder.encode(messages)
        room = self.context_length - len(prompt.tokens)
        if room < 1:
            raise ContextLengthExceededError(
                prompt_tokens=len(prompt.tokens), limit_tokens=self.context_length - 1
            )
        counts = None
        if has_penalties(params):
            counts = TokenCounts(
                prompt.tokens, vocabulary_size=self._vocabulary_size, device=self._device
            )
        end_tokens: frozenset[int] = frozenset() if params.ignore_eos else self._end_tokens
        return Answer(
            sequence=Sequence(
                request_id,
                prompt.tokens,
                prompt_tokens=len(prompt.tokens),
                max_tokens=min(room, params.max_tokens or room),
            ),
            sampling=SamplingState(params, random.Random(params.seed), counts),
            stop_token_ids=end_tokens | frozenset(params.stop_token_ids),
            detokenizer=Detokenizer(self._decode),
            stop_strings=StopStrings(prompt.stop + params.stop),
        )

    def _decode(self, tokens: Items[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))
