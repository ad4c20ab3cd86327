"""A response as OpenAI's events tell it, and the object it becomes.

    response.created, response.in_progress
    response.output_item.added            a message, or a call of a function
      response.content_part.added         of a message
      response.output_text.delta …        response.function_call_arguments.delta …
      response.output_text.done           response.function_call_arguments.done
      response.content_part.done
    response.output_item.done
    response.completed                    or incomplete, or failed

Source:
    OpenAI's API reference, "Streaming events" of the Responses API.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from inference.api.errors import Problem
from inference.api.logprobs import chat_logprobs
from inference.api.responses.orders import ResponseOrder
from inference.api.tool_calls import new_call_id
from inference.generation import FinishReason, TokenScore, Usage
from inference.messages import Message, Role, ToolCall
from inference.tools.parser import CallParser, Parsed

Event = dict[str, Any]

FAILURE_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid_prompt",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
}


class ResponseNarrator:
    """Tells one response; see `inference.api.narration.Narrator`.

    Args:
        order: what was ordered.
        parser: reads calls out of the answer; None where no function is offered.
        is_stored: whether a later request may continue the response.

    Attributes:
        response: the response so far, as the last event tells it.
    """

    def __init__(self, order: ResponseOrder, parser: CallParser | None, *, is_stored: bool) -> None:
        self._order = order
        self._parser = parser
        self._count = 0
        self._item: dict[str, Any] | None = None  # the one that grows
        self.response: dict[str, Any] = {
            "id": f"resp_{secrets.token_hex(16)}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "in_progress",
            "background": False,
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "model": order.model,
            "output": [],
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": is_stored,
            "temperature": order.params.temperature,
            "top_p": order.params.top_p,
            "truncation": "disabled",
            "usage": None,
            **order.told,
        }

    def opening(self) -> list[Event]:
        """Return what comes before any item."""
        return [self._snapshot("response.created"), self._snapshot("response.in_progress")]

    def say(self, pieces: Sequence[str], scores: Sequence[TokenScore]) -> list[Event]:
        """Return what tokens add to the items."""
        text = "".join(pieces)
        if self._parser is None:
            return self._text(text, scores)
        return self._parsed(self._parser.feed(text), scores)

    def end(self, reason: FinishReason, usage: Usage) -> list[Event]:
        """Return the end of the last item and of the response."""
        events = self._parsed(self._parser.finish(), ()) if self._parser else []
        is_cut = reason is FinishReason.LENGTH
        status = "incomplete" if is_cut else "completed"
        if not self.response["output"]:
            events += self._open_message()
        events += self._close(status)
        details = {"reason": "max_output_tokens"} if is_cut else None
        completed_at = None if is_cut else int(time.time())
        self.response |= {
            "status": status,
            "incomplete_details": details,
            "completed_at": completed_at,
            "usage": usage_object(usage),
        }
        return [*events, self._snapshot(f"response.{status}")]

    def broken(self, problem: Problem) -> list[Event]:
        """Return what ends a response that cannot be finished."""
        events = self._close("incomplete")
        code = FAILURE_CODES.get(problem.status, "server_error")
        error = {"code": code, "message": problem.message}
        self.response |= {"status": "failed", "error": error}
        return [*events, self._snapshot("response.failed")]

    def said(self) -> Message:
        """Return the answer as a message of the conversation."""
        texts = [item["content"] for item in self.response["output"] if item["type"] == "message"]
        calls = [item for item in self.response["output"] if item["type"] == "function_call"]
        return Message(
            Role.ASSISTANT,
            "\n".join(part["text"] for parts in texts for part in parts),
            tool_calls=tuple(ToolCall(c["call_id"], c["name"], c["arguments"]) for c in calls),
        )

    def _parsed(self, parsed: Parsed, scores: Sequence[TokenScore]) -> list[Event]:
        events = self._text(parsed.text, scores) if self._is_worth_saying(parsed.text) else []
        for call in parsed.calls:
            if call.name:
                events += self._open_call(call.name)
            if call.arguments:
                events += self._argue(call.arguments)
        return events

    def _is_worth_saying(self, text: str) -> bool:
        """Blanks between calls say nothing."""
        is_in_message = self._item is not None and self._item["type"] == "message"
        return bool(text) and (is_in_message or not self.response["output"] or bool(text.strip()))

    def _text(self, text: str, scores: Sequence[TokenScore]) -> list[Event]:
        events: list[Event] = []
        if self._item is None or self._item["type"] != "message":
            events += [*self._close("completed"), *self._open_message()]
        logprobs = chat_logprobs(scores)["content"] if self._order.has_logprobs else []
        part = self._part
        part["text"] += text
        part["logprobs"] += logprobs
        return [*events, self._about("output_text.delta", True, delta=text, logprobs=logprobs)]

    def _argue(self, text: str) -> list[Event]:
        assert self._item is not None
        self._item["arguments"] += text
        return [self._about("function_call_arguments.delta", False, delta=text)]

    def _open_message(self) -> list[Event]:
        self._item = {"type": "message", "id": f"msg_{secrets.token_hex(16)}"}
        self._item |= {"status": "in_progress", "role": "assistant", "content": []}
        added = self._added()
        self._item["content"] = [
            {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        ]
        part = {**self._part, "logprobs": []}
        return [added, self._about("content_part.added", True, part=part)]

    def _open_call(self, name: str) -> list[Event]:
        events = self._close("completed")
        self._item = {"type": "function_call", "id": f"fc_{secrets.token_hex(16)}"}
        self._item |= {"call_id": new_call_id(), "name": name}
        self._item |= {"arguments": "", "status": "in_progress"}
        return [*events, self._added()]

    def _added(self) -> Event:
        assert self._item is not None
        self.response["output"].append(self._item)
        return self._event(
            "response.output_item.added", output_index=self._index, item=dict(self._item)
        )

    def _close(self, status: str) -> list[Event]:
        """Return the end of the item that grows, if there is one."""
        item = self._item
        if item is None:
            return []
        item["status"] = status
        if item["type"] == "message":
            part = self._part
            events = [
                self._about("output_text.done", True, text=part["text"], logprobs=part["logprobs"]),
                self._about("content_part.done", True, part=dict(part)),
            ]
        else:
            told = {"name": item["name"], "arguments": item["arguments"]}
            events = [self._about("function_call_arguments.done", False, **told)]
        done = self._event("response.output_item.done", output_index=self._index, item=dict(item))
        self._item = None
        return [*events, done]

    @property
    def _index(self) -> int:
        return len(self.response["output"]) - 1

    @property
    def _part(self) -> dict[str, Any]:
        assert self._item is not None
        part: dict[str, Any] = self._item["content"][0]
        return part

    def _about(self, kind: str, is_part: bool, **fields: Any) -> Event:
        assert self._item is not None
        place = {"item_id": self._item["id"], "output_index": self._index}
        return self._event(
            f"response.{kind}", **place, **({"content_index": 0} if is_part else {}), **fields
        )

    def _snapshot(self, kind: str) -> Event:
        return self._event(kind, response=self.response | {"output": [*self.response["output"]]})

    def _event(self, kind: str, **fields: Any) -> Event:
        self._count += 1
        return {"type": kind, "sequence_number": self._count - 1, **fields}


def usage_object(usage: Usage) -> Mapping[str, Any]:
    """Return the counts as the Responses API names them."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.total_tokens,
    }
