"""The JSON of raw completions: whole texts and the chunks of a stream.

Source: OpenAI's API reference, "The completion object".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.api.headings import Heading, usage_of
from inference.api.logprobs import places_of, shown_scores, text_logprobs
from inference.api.orders import TextOrder
from inference.api.telling import Answer
from inference.generation import Delta, FinishReason, TokenScore, Usage

KIND = "text_completion"


@dataclass(slots=True)
class TextTeller:
    """Says what the texts of one order are in JSON, piece by piece or as a whole.

    Attributes:
        order: what was asked for.
        echoes: the text of each prompt where it stands in front; else empty texts.
    """

    order: TextOrder
    echoes: Sequence[str]
    _heading: Heading = field(init=False)
    _lengths: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with a fresh id."""
        self._heading = Heading(self.order.model, prefix="cmpl")

    def opening(self) -> list[dict[str, Any]]:
        """Return the prompts as chunks, where they are echoed."""
        count = len(self.order.prompts) * self.order.best_of
        echoes = {index: self._echo_of(index) for index in range(count)}
        self._lengths = {index: len(echo) for index, echo in echoes.items()}
        return [self._chunk(index, echo) for index, echo in echoes.items() if echo]

    def chunks(self, index: int, delta: Delta) -> list[dict[str, Any]]:
        """Return the chunks of one delta; one without text, scores and end has none."""
        if self.order.is_prompt_alone:
            return [self._chunk(index, "", reason=FinishReason.LENGTH)] if delta.is_last else []
        scores = shown_scores(delta)
        told = []
        if delta.text or scores:
            start = self._lengths[index]
            self._lengths[index] += len(delta.text)
            texts = delta.pieces[: len(scores)]
            logprobs = self._logprobs(scores, places_of(texts, start=start))
            told.append(self._chunk(index, delta.text, logprobs=logprobs))
        if delta.is_last:
            told.append(self._chunk(index, "", reason=delta.finish_reason))
        return told

    def usage_chunk(self, usages: Mapping[int, Usage]) -> dict[str, Any]:
        """Return the last chunk of a stream that counts its tokens."""
        count = len(self.order.prompts) * self.order.best_of
        counts = self._counts([usages.get(index) for index in range(count)])
        return self._heading.fields(KIND) | {"choices": [], "usage": counts}

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """Return the whole completion, choices prompt by prompt."""
        per_prompt = self.order.best_of
        told: list[dict[str, Any]] = []
        for start in range(0, len(answers), per_prompt):
            ways = list(range(start, start + per_prompt))
            if per_prompt > self.order.n:
                ways = sorted(ways, key=lambda way: -mean_logprob(answers[way]))[: self.order.n]
            told += [
                self._choice(len(told) + place, way, answers[way]) for place, way in enumerate(ways)
            ]
        counts = self._counts([answer.usage for answer in answers])
        return self._heading.fields(KIND) | {"choices": told, "usage": counts}

    def _choice(self, index: int, way: int, answer: Answer) -> dict[str, Any]:
        echo = self._echo_of(way)
        scores: list[TokenScore | None] = []
        places: list[int] = []
        if self.order.is_echoed and self.order.logprobs is not None:
            scores, places = scores_of_prompt(answer, len(echo))
        unscored = echo[: places[1]] if len(places) > 1 else echo
        text, reason = echo, answer.finish_reason
        if self.order.is_prompt_alone:
            reason = FinishReason.LENGTH
        else:
            text += answer.text
            scores = [*scores, *answer.scores]
            places = [*places, *places_of(answer.score_texts, start=len(echo))]
        return {
            "index": index,
            "text": text,
            "logprobs": self._logprobs(scores, places, unscored=unscored),
            "finish_reason": reason,
        }

    def _logprobs(
        self, scores: Sequence[TokenScore | None], places: Sequence[int], *, unscored: str = ""
    ) -> dict[str, Any] | None:
        if self.order.logprobs is None:
            return None
        return text_logprobs(scores, places, top_count=self.order.logprobs, unscored=unscored)

    def _echo_of(self, way: int) -> str:
        return self.echoes[way // self.order.best_of] if self.order.is_echoed else ""

    def _counts(self, usages: Sequence[Usage | None]) -> dict[str, Any]:
        """Count each prompt once; the token that a prompt alone cannot do without is not told."""
        per_prompt = self.order.best_of
        groups = [
            [usage for usage in usages[start : start + per_prompt] if usage is not None]
            for start in range(0, len(usages), per_prompt)
        ]
        if self.order.is_prompt_alone:
            groups = [
                [Usage(u.prompt_tokens, 0, u.cached_tokens) for u in group] for group in groups
            ]
        return usage_of(groups)

    def _chunk(
        self,
        index: int,
        text: str,
        *,
        logprobs: dict[str, Any] | None = None,
        reason: FinishReason | None = None,
    ) -> dict[str, Any]:
        choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
        return self._heading.fields(KIND) | {"choices": [choice]}


def scores_of_prompt(answer: Answer, length: int) -> tuple[list[TokenScore | None], list[int]]:
    """Return the scores of a prompt's tokens and where in its text each begins.

    The first token has no score, so its length is what the others leave of the text.
    """
    listed = answer.result.get("prompt_scores") or []
    scores = [None if entry is None else TokenScore.from_list(entry) for entry in listed]
    texts = ["" if score is None else score.token.text for score in scores]
    first = max(0, length - sum(map(len, texts)))
    places = [0, *places_of(texts[1:], start=first)] if texts else []
    return scores, [min(place, length) for place in places]


def mean_logprob(answer: Answer) -> float:
    """Return the log-probability a token, by which texts of different lengths compare."""
    total = sum(score.token.logprob for score in answer.scores)
    return total / max(1, len(answer.scores))
