"""What a program has ordered of `/v1/responses`, after the checks of its body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.generation import GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.tools.use import ToolUse


@dataclass(frozen=True, slots=True)
class ResponseOrder:
    """One response.

    Attributes:
        model: name of the model to ask.
        items: the input as it came, for who asks for it later.
        messages: the conversation; what a previous response holds stands in front.
        params: how to sample.
        instructions: what the system says in this response alone.
        tool_use: the functions that may be called; None for none.
        told: fields that the answer repeats as they came.
        is_streamed: whether the answer comes as events while it grows.
        is_stored: whether later requests may continue it; None where the program does not say.
        previous_id: the response that is continued.
    """

    model: str
    items: Sequence[Mapping[str, Any]]
    messages: tuple[Message, ...]
    params: SamplingParams
    instructions: str | None = None
    tool_use: ToolUse | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    is_streamed: bool = False
    is_stored: bool | None = None
    previous_id: str | None = None

    @property
    def has_logprobs(self) -> bool:
        """Whether the program wants to know how likely the tokens were."""
        return self.params.logprobs is not None

    def request(self) -> GenerationRequest:
        """Return what a model is asked, but for functions."""
        instructions = (
            [Message(Role.SYSTEM, self.instructions)] if self.instructions is not None else []
        )
        return GenerationRequest(
            model=self.model,
            messages=(*instructions, *self.messages),
            params=self.params,
        )
