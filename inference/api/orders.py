"""What a program has ordered, after every check and before any model is asked."""

from dataclasses import dataclass, replace

from inference.generation import GenerationRequest, SamplingParams
from inference.messages import Message


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
    """

    model: str
    messages: tuple[Message, ...]
    params: SamplingParams
    choice_count: int = 1
    is_streamed: bool = False
    includes_usage: bool = False

    def requests(self) -> list[GenerationRequest]:
        """Return one fresh request for each answer."""
        return [
            GenerationRequest(model=self.model, messages=self.messages, params=self._params(index))
            for index in range(self.choice_count)
        ]

    def _params(self, index: int) -> SamplingParams:
        if self.params.seed is None:
            return self.params
        return replace(self.params, seed=self.params.seed + index)
