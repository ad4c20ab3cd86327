"""The words of generation: what is asked of a model and what comes back.

These travel between processes, so every class can write itself as plain data (`as_dict`) and be
read back (`from_dict`).
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal

from inference.exceptions import InvalidRequestError
from inference.messages import Message

GREEDY_BELOW_TEMPERATURE = 1e-5

Pooling = Literal["mean", "cls", "last"]
"""How the states of a text's tokens become one vector: their mean, the first, or the last one."""


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen and when to stop.

    Attributes:
        temperature: 0 up to 2; below 1e-5 decoding is greedy.
        top_p: nucleus mass in (0, 1]; 1 keeps every token.
        top_k: keep the k likeliest tokens; 0 keeps every token.
        min_p: drop tokens less likely than `min_p` times the likeliest; 0 keeps every token.
        max_tokens: most tokens to generate; None means what the context window leaves.
        stop: texts that end the answer; they are not part of it.
        stop_token_ids: tokens that end the answer, beside the model's own.
        repetition_penalty: factor on logits of tokens seen in prompt or answer; 1 is none.
        presence_penalty: subtracted once from logits of tokens in the answer, -2 to 2.
        frequency_penalty: subtracted once per occurrence in the answer, -2 to 2.
        seed: makes sampling repeatable for this request alone; None draws a fresh one.
        ignore_eos: keep generating past the end-of-sequence token (benchmarks).
        min_tokens: no end token and no stop string counts before so many tokens.
        logit_bias: (token, bias) pairs; the bias, -100 to 100, is added to the token's logit.
        logprobs: tell the log-probability of every token and of so many likeliest ones, 0 to 20;
            None tells none.
        prompt_logprobs: likewise for the tokens of the prompt.
        n: answers wanted, 1 to 16; they share the reading of the prompt.
        best_of: answers generated, `n` to 16; the `n` likeliest of them are returned. None
            generates `n`.
        echo: return the text of the prompt in front of the answer.
        judge_sent_end: end the answer where a sentence ends: not by an end token before, and cut
            back to the last whole sentence where `max_tokens` ends it.
        skip_special_tokens: leave special tokens out of the text.
        spaces_between_special_tokens: put a space on both sides of special tokens that are shown.
        truncate_prompt: "left" keeps the last tokens of a prompt that leaves no room for the
            answer; None refuses such a prompt.
        grammar: what the answer must follow, for whoever compiles it; plain data.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    ignore_eos: bool = False
    min_tokens: int = 0
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    n: int = 1
    best_of: int | None = None
    echo: bool = False
    judge_sent_end: bool = False
    skip_special_tokens: bool = True
    spaces_between_special_tokens: bool = False
    truncate_prompt: Literal["left"] | None = None
    grammar: Mapping[str, Any] | None = None

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature < GREEDY_BELOW_TEMPERATURE

    @property
    def choice_count(self) -> int:
        """How many answers are generated."""
        return self.n if self.best_of is None else self.best_of

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "SamplingParams":
        """Read what `as_dict` wrote, or a part of it; what is absent has its default.

        The bias may be pairs or, as JSON has it, a mapping from tokens written as text.

        Raises:
            InvalidRequestError: a parameter is unknown here, or a bias names no token.
        """
        unknown = sorted(set(data) - {known.name for known in fields(cls)})
        if unknown:
            raise InvalidRequestError(f"unknown parameter {unknown[0]!r}", param=unknown[0])
        values = dict(data)
        for name in ("stop", "stop_token_ids"):
            values[name] = tuple(values.get(name, ()))
        values["logit_bias"] = _bias_pairs(values.get("logit_bias") or ())
        return cls(**values)


def _bias_pairs(bias: Any) -> tuple[tuple[int, float], ...]:
    """Read a bias from a mapping or from pairs."""
    pairs = bias.items() if isinstance(bias, Mapping) else bias
    try:
        return tuple((int(token), float(value)) for token, value in pairs)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(
            "logit_bias must give a number for each token id", param="logit_bias"
        ) from error


@dataclass(frozen=True, slots=True)
class Usage:
    """Exact token counts of one answer; `cached_tokens` came from the prefix cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong after the answer began: a stable code for programs, a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LikelyToken:
    """A token and how likely a model found it after all before it.

    Attributes:
        text: the token written out; half a character shows as U+FFFD.
        raw: its bytes in UTF-8.
        logprob: its log-probability.
    """

    text: str
    raw: bytes
    logprob: float

    def as_list(self) -> list[Any]:
        """Return the token as short plain data."""
        raw = None if self.raw == self.text.encode() else self.raw
        return [self.text, raw, self.logprob]

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> "LikelyToken":
        """Read what `as_list` wrote."""
        text, raw, logprob = data
        return cls(text, text.encode() if raw is None else raw, logprob)


@dataclass(frozen=True, slots=True)
class TokenScore:
    """How likely a token of an answer was, and what was likelier.

    Attributes:
        token: the token that was taken.
        top: the likeliest ones, likeliest first; as many as were asked for.
    """

    token: LikelyToken
    top: tuple[LikelyToken, ...] = ()

    def as_list(self) -> list[Any]:
        """Return the score as short plain data."""
        return [self.token.as_list(), [token.as_list() for token in self.top]]

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> "TokenScore":
        """Read what `as_list` wrote."""
        token, top = data
        return cls(LikelyToken.from_list(token), tuple(map(LikelyToken.from_list, top)))


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer as it is generated.

    Attributes:
        seq: index in the answer of the first token of this delta, counted from 0.
        pieces: the text each token added, one entry a token; a token that only holds back
            a half character or a partial stop string adds "".
        finish_reason: set on the last delta and on no other.
        usage: set on the last delta where the model got to run.
        failure: set when `finish_reason` is ERROR.
        scores: how likely each token was, one entry a token, where that was asked for; else empty.
        result: what was asked for beside text, as plain data; on the last delta alone.
    """

    seq: int
    pieces: tuple[str, ...] = ()
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    scores: tuple[TokenScore, ...] = ()
    result: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text this delta adds to the answer."""
        return "".join(self.pieces)

    @property
    def next_seq(self) -> int:
        """The `seq` the following delta must carry."""
        return self.seq + len(self.pieces)

    @property
    def is_last(self) -> bool:
        """Whether nothing follows."""
        return self.finish_reason is not None


def prompt_bytes(prompt: str | tuple[int, ...]) -> int:
    """Return the size of a raw text; of its tokens, four bytes for each."""
    return len(prompt.encode()) if isinstance(prompt, str) else 4 * len(prompt)


def new_request_id() -> str:
    """Return a fresh random 128-bit id as 32 hexadecimal digits."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One answer wanted from one model.

    Attributes:
        model: name the model is served under.
        messages: the conversation so far, oldest first; the last one is to be answered. Empty
            where a prompt is to be continued.
        params: how to sample and when to stop.
        request_id: unique; names the answer's log on the bus.
        prompt: a raw text, or its tokens, to be continued instead of a conversation.
        tools: functions the model may call, each as JSON schema describes it to OpenAI's API.
        template_options: further names for the model's chat template.
    """

    model: str
    messages: tuple[Message, ...] = ()
    params: SamplingParams = field(default_factory=SamplingParams)
    request_id: str = field(default_factory=new_request_id)
    prompt: str | tuple[int, ...] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    template_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What there is to answer, as the API calls it."""
        return "messages" if self.prompt is None else "prompt"

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to answer."""
        return not self.messages and not self.prompt

    @property
    def text_bytes(self) -> int:
        """Size of what is to be read; a token counts as four bytes."""
        if self.prompt is not None:
            return prompt_bytes(self.prompt)
        return sum(len(message.content.encode()) for message in self.messages)

    def as_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        return {
            "model": self.model,
            "messages": [message.as_dict() for message in self.messages],
            "params": self.params.as_dict(),
            "request_id": self.request_id,
            "prompt": self.prompt,
            "tools": list(self.tools),
            "template_options": dict(self.template_options),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "GenerationRequest":
        """Read what `as_dict` wrote."""
        prompt = data.get("prompt")
        return cls(
            model=str(data["model"]),
            messages=tuple(Message.from_dict(message) for message in data["messages"]),
            params=SamplingParams.from_dict(data["params"]),
            request_id=str(data["request_id"]),
            prompt=tuple(prompt) if isinstance(prompt, list) else prompt,
            tools=tuple(data.get("tools", ())),
            template_options=data.get("template_options", {}),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    text: str
    finish_reason: FinishReason
    usage: Usage
