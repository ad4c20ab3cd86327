"""The JSON of chat completions: whole answers and the chunks of a stream.

Source: OpenAI's API reference, "The chat completion object" and "The chat completion chunk object".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inference.api.headings import Heading, usage_of
from inference.api.logprobs import chat_logprobs, shown_scores
from inference.api.orders import ChatOrder
from inference.api.telling import Answer
from inference.api.tool_calls import CallReader, call_delta, whole_calls
from inference.generation import Delta, Usage


class ChatTeller:
    """Says what the answers of a chat are in JSON, piece by piece or as a whole."""

    def __init__(self, order: ChatOrder) -> None:
        self._order = order
        self._heading = Heading(order.model)
        self._calls = CallReader(order)

    def opening(self) -> list[dict[str, Any]]:
        """Return the chunks that come before any text: the roles."""
        role = {"role": "assistant", "content": "", "refusal": None}
        return [self._chunk(index, role) for index in range(self._order.choice_count)]

    def chunks(self, index: int, delta: Delta) -> list[dict[str, Any]]:
        """Return the chunks of one delta; one without text, scores and end has none."""
        scores = shown_scores(delta)
        parsed = self._calls.feed(index, delta.text, is_last=delta.is_last)
        told = []
        if parsed.text or scores:
            logprobs = chat_logprobs(scores) if self._order.has_logprobs else None
            told.append(self._chunk(index, {"content": parsed.text}, logprobs=logprobs))
        told += [self._chunk(index, {"tool_calls": [call_delta(one)]}) for one in parsed.calls]
        if delta.is_last:
            reason = self._calls.reason(index, delta.finish_reason)
            told.append(self._chunk(index, {}, finish_reason=reason))
        return told

    def usage_chunk(self, usages: Mapping[int, Usage]) -> dict[str, Any]:
        """Return the last chunk of a stream that counts its tokens."""
        counts = usage_of([list(usages.values())])
        return self._heading.fields("chat.completion.chunk") | {"choices": [], "usage": counts}

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """Return the whole completion, choices in the order of their indices."""
        choices = [
            {
                "index": index,
                "message": self._message(index, answer),
                "logprobs": chat_logprobs(answer.scores) if self._order.has_logprobs else None,
                "finish_reason": self._calls.reason(index, answer.finish_reason),
            }
            for index, answer in enumerate(answers)
        ]
        usages = [answer.usage for answer in answers if answer.usage is not None]
        heading = self._heading.fields("chat.completion")
        return heading | {"choices": choices, "usage": usage_of([usages])}

    def _message(self, index: int, answer: Answer) -> dict[str, Any]:
        parsed = self._calls.feed(index, answer.text, is_last=True)
        message = {"role": "assistant", "content": parsed.text, "refusal": None}
        if parsed.calls:
            calls = whole_calls(parsed.calls)
            return message | {"content": parsed.text or None, "tool_calls": calls}
        return message

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
    ) -> dict[str, Any]:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
        return self._heading.fields("chat.completion.chunk") | {"choices": [choice]}
