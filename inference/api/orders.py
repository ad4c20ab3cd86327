"""What a program has ordered, after every check and before any model is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference.generation import GenerationRequest, SamplingParams
from inference.messages import Message
from inference.tools.formats import ToolFormat
from inference.tools.use import ToolUse


@dataclass(frozen=True, slots=True)
class ChatOrder:
    """One chat completion: `choice_count` answers to one conversation.

    Attributes:
        model: name of the model to ask.
        messages: the conversation, oldest first.
        params: how to sample; with a seed, answer i is drawn with seed + i.
        choice_count: how many answers, at least 1.
        is_streamed: whether the answers come as events while they grow.
        includes_usage: whether a stream ends with an event that counts tokens.
        tool_use: the functions that may be called; None for none.
        tool_format: how the model writes calls; None until it was asked.
        template_options: further names for the model's chat template.
    """

    model: str
    messages: tuple[Message, ...]
    params: SamplingParams
    choice_count: int = 1
    is_streamed: bool = False
    includes_usage: bool = False
    tool_use: ToolUse | None = None
    tool_format: ToolFormat | None = None
    template_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_logprobs(self) -> bool:
        """Whether the program wants to know how likely the tokens were."""
        return self.params.logprobs is not None

    def requests(self) -> list[GenerationRequest]:
        """Return one fresh request for each answer."""
        params, use = self.params, self.tool_use
        if use is not None and self.tool_format is not None:
            params = use.applied_to(params, self.tool_format)
        return [
            GenerationRequest(
                model=self.model,
                messages=self.messages,
                params=seeded(params, index),
                tools=() if use is None else use.tools,
                template_options=self.template_options,
            )
            for index in range(self.choice_count)
        ]


@dataclass(frozen=True, slots=True)
class TextOrder:
    """Raw prompts to be continued, each in a few ways.

    Attributes:
        model: name of the model to ask.
        prompts: texts, or their tokens.
        params: how to sample; with a seed, way i of a prompt is drawn with seed + i.
        n: how many ways of each prompt are told.
        best_of: how many are generated; the likeliest are told.
        logprobs: how many of the likeliest tokens are told for each; None tells no
            log-probabilities.
        is_echoed: whether the prompt stands in front of what continues it.
        is_prompt_alone: whether nothing is to be continued: the prompt's scores are all.
        is_streamed: whether the texts come as events while they grow.
        includes_usage: whether a stream ends with an event that counts tokens.
    """

    model: str
    prompts: tuple[str | tuple[int, ...], ...]
    params: SamplingParams
    n: int = 1
    best_of: int = 1
    logprobs: int | None = None
    is_echoed: bool = False
    is_prompt_alone: bool = False
    is_streamed: bool = False
    includes_usage: bool = False

    def requests(self) -> list[GenerationRequest]:
        """Return one fresh request for each way, those of a prompt one after the other."""
        return [
            GenerationRequest(model=self.model, prompt=prompt, params=seeded(self.params, index))
            for prompt in self.prompts
            for index in range(self.best_of)
        ]


def seeded(params: SamplingParams, index: int) -> SamplingParams:
    """Return the parameters of answer `index`: with a seed, one of its own."""
    if params.seed is None:
        return params
    return replace(params, seed=params.seed + index)
