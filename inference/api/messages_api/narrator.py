"""An answer as Anthropic's events tell it, and the message it becomes.

    message_start
      content_block_start       text, or tool_use
        content_block_delta …   text_delta, or input_json_delta
      content_block_stop
    message_delta               why it ended, and all counts
    message_stop

What an answer costs is known at its end, so `message_start` counts nothing yet. Whether a stop
sequence or the model itself ended it cannot be told apart: both are `end_turn`.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from inference.api.errors import Problem
from inference.api.messages_api.errors import error_body
from inference.generation import FinishReason, TokenScore, Usage
from inference.tools.parser import CallParser, Parsed

Event = dict[str, Any]


class MessageNarrator:
    """Tells one answer; see `inference.api.narration.Narrator`.

    Args:
        model: who answers.
        parser: reads calls out of the answer; None where no function is offered.

    Attributes:
        message: the message so far.
    """

    def __init__(self, model: str, parser: CallParser | None) -> None:
        self._parser = parser
        self._block: dict[str, Any] | None = None  # the one that grows
        self._arguments = ""
        self.message: dict[str, Any] = {
            "id": f"msg_{secrets.token_hex(16)}",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(Usage(0, 0)),
        }

    def opening(self) -> list[Event]:
        """Return what comes before any block."""
        return [{"type": "message_start", "message": self.message | {"content": []}}]

    def say(
        self,
        pieces: Sequence[str],
        scores: Sequence[TokenScore],  # noqa: ARG002  (every narrator's signature)
    ) -> list[Event]:
        """Return what tokens add to the blocks."""
        text = "".join(pieces)
        return self._parsed(Parsed(text) if self._parser is None else self._parser.feed(text))

    def end(self, reason: FinishReason, usage: Usage) -> list[Event]:
        """Return the end of the last block and of the message."""
        events = self._parsed(self._parser.finish()) if self._parser else []
        events += self._close()
        has_called = any(block["type"] == "tool_use" for block in self.message["content"])
        why = "tool_use" if has_called else "end_turn"
        if reason is FinishReason.LENGTH:
            why = "max_tokens"
        ending = {"stop_reason": why, "stop_sequence": None}
        self.message |= {**ending, "usage": usage_object(usage)}
        delta = {"type": "message_delta", "delta": ending, "usage": self.message["usage"]}
        return [*events, delta, {"type": "message_stop"}]

    def broken(self, problem: Problem) -> list[Event]:
        """Return what ends an answer that cannot be finished."""
        return [error_body(problem)]

    def _parsed(self, parsed: Parsed) -> list[Event]:
        events = self._text(parsed.text) if parsed.text else []
        for call in parsed.calls:
            if call.name:
                events += self._open_call(call.name)
            if call.arguments:
                self._arguments += call.arguments
                events.append(self._delta("input_json_delta", partial_json=call.arguments))
        return events

    def _text(self, text: str) -> list[Event]:
        is_open = self._block is not None and self._block["type"] == "text"
        if not is_open and self.message["content"] and not text.strip():
            return []  # blanks between calls say nothing
        events: list[Event] = []
        if not is_open:
            events += [*self._close(), self._open({"type": "text", "text": "", "citations": None})]
        assert self._block is not None
        self._block["text"] += text
        return [*events, self._delta("text_delta", text=text)]

    def _open_call(self, name: str) -> list[Event]:
        closed = self._close()
        self._arguments = ""
        call_id = f"toolu_{secrets.token_hex(12)}"
        return [*closed, self._open({"type": "tool_use", "id": call_id, "name": name, "input": {}})]

    def _open(self, block: dict[str, Any]) -> Event:
        self._block = block
        self.message["content"].append(block)
        return {
            "type": "content_block_start",
            "index": self._index,
            "content_block": dict(block),
        }

    def _close(self) -> list[Event]:
        """Return the end of the block that grows, if there is one."""
        if self._block is None:
            return []
        if self._block["type"] == "tool_use":
            self._block["input"] = read_arguments(self._arguments)
        self._block = None
        return [{"type": "content_block_stop", "index": self._index}]

    def _delta(self, kind: str, **fields: str) -> Event:
        delta = {"type": kind, **fields}
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    @property
    def _index(self) -> int:
        return len(self.message["content"]) - 1


def read_arguments(text: str) -> dict[str, Any]:
    """Return the arguments of a call; those a model wrote badly stay a text under that name."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


def usage_object(usage: Usage) -> dict[str, int]:
    """Return the counts as Anthropic names them: what the cache gave stands apart."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }
