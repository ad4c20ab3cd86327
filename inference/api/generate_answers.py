"""The JSON of Text Generation Inference: whole texts, and an event a token.

Tokens have no ids here: what a worker tells of them is their text. Whether a stop text or the
model itself ended the text cannot be told apart: both are `eos_token`.

Source: https://huggingface.github.io/text-generation-inference, `GenerateResponse` and
`StreamResponse`.
"""

from collections.abc import Sequence
from typing import Any

from inference.api.errors import Problem
from inference.api.generate_serializers import GenerateOrder
from inference.api.logprobs import finite
from inference.generation import FinishReason, TokenScore, Usage

Event = dict[str, Any]
KINDS = {400: "validation", 422: "validation", 429: "overloaded", 503: "overloaded"}


class GenerateNarrator:
    """Tells one text; see `inference.api.narration.Narrator`.

    Attributes:
        answer: the whole answer, once it has ended.
    """

    def __init__(self, order: GenerateOrder) -> None:
        self._order = order
        self._tokens: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {}

    def opening(self) -> list[Event]:
        """Return nothing: the first event is the first token."""
        return []

    def say(self, pieces: Sequence[str], scores: Sequence[TokenScore]) -> list[Event]:
        """Return an event for each token."""
        if not scores:
            return [self._event(token_object(text, None)) for text in pieces if text]
        return [
            self._event(token_object(text, finite(score.token)))
            for text, score in zip(pieces, scores, strict=True)
        ]

    def end(self, reason: FinishReason, usage: Usage) -> list[Event]:
        """Return the event that has the whole text."""
        details = {
            "finish_reason": "length" if reason is FinishReason.LENGTH else "eos_token",
            "generated_tokens": usage.completion_tokens,
            "seed": self._order.params.seed,
        }
        text = "".join(token["text"] for token in self._tokens)
        self.answer = {
            "generated_text": self._order.prompt + text if self._order.is_echoed else text
        }
        if self._order.has_details:
            tokens = {"prefill": [], "tokens": list(self._tokens)}
            self.answer["details"] = {**details, **tokens, "best_of_sequences": None}
        last = self._event(token_object("", None, is_special=True))
        last["generated_text"] = self.answer["generated_text"]
        last["details"] = {**details, "input_length": usage.prompt_tokens}
        return [last]

    def broken(self, problem: Problem) -> list[Event]:
        """Return what ends a text that cannot be finished."""
        return [error_body(problem)]

    def _event(self, token: dict[str, Any]) -> Event:
        self._tokens.append(token)
        index = len(self._tokens)
        return {"index": index, "token": token, "generated_text": None, "details": None}


def token_object(text: str, logprob: float | None, *, is_special: bool = False) -> dict[str, Any]:
    """Return a token; the last one is special and only says that the text has ended."""
    return {"id": None, "text": text, "logprob": logprob, "special": is_special}


def error_body(problem: Problem) -> dict[str, Any]:
    """Return the error object."""
    return {"error": problem.message, "error_type": KINDS.get(problem.status, "generation")}
