"""Calls of functions as OpenAI's API tells them: whole, or in the deltas of a stream."""

import secrets
from collections.abc import Iterable
from typing import Any

from inference.api.orders import ChatOrder
from inference.generation import FinishReason
from inference.tools.parser import CallDelta, CallParser, Parsed

CALLED = "tool_calls"


def new_call_id() -> str:
    """Return a fresh random id of a call."""
    return f"call_{secrets.token_hex(12)}"


class CallReader:
    """Splits the answers of one order into text and calls; without tools all is text."""

    def __init__(self, order: ChatOrder) -> None:
        self._parsers: list[CallParser] = []
        if order.tool_use is not None and order.tool_format is not None:
            self._parsers = [
                order.tool_use.parser(order.tool_format) for _ in range(order.choice_count)
            ]

    def feed(self, index: int, text: str, *, is_last: bool) -> Parsed:
        """Return what a piece of an answer adds."""
        if not self._parsers:
            return Parsed(text)
        parsed = self._parsers[index].feed(text)
        if is_last:
            rest = self._parsers[index].finish()
            parsed = Parsed(parsed.text + rest.text, [*parsed.calls, *rest.calls])
        return parsed

    def reason(self, index: int, reason: FinishReason | None) -> str | None:
        """Return why an answer ended: one that called did so to hear the results."""
        has_called = bool(self._parsers) and self._parsers[index].call_count > 0
        return CALLED if has_called and reason is FinishReason.STOP else reason


def call_delta(delta: CallDelta) -> dict[str, Any]:
    """Return an entry of a stream's `tool_calls`; the first of a call has its id and name."""
    if not delta.name:
        return {"index": delta.index, "function": {"arguments": delta.arguments}}
    return {
        "index": delta.index,
        "id": new_call_id(),
        "type": "function",
        "function": {"name": delta.name, "arguments": delta.arguments},
    }


def whole_calls(deltas: Iterable[CallDelta]) -> list[dict[str, Any]]:
    """Return the calls of a whole answer."""
    calls: list[dict[str, Any]] = []
    for delta in deltas:
        if delta.name:
            function = {"name": delta.name, "arguments": ""}
            calls.append({"id": new_call_id(), "type": "function", "function": function})
        calls[delta.index]["function"]["arguments"] += delta.arguments
    return calls
