"""What can be asked of a model beside an answer: vectors of texts, the tokens of a text."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from inference.exceptions import InvalidRequestError
from inference.generation import GenerationRequest, Pooling, new_request_id, prompt_bytes
from inference.messages import Message


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Vectors wanted for some texts.

    The result on the last delta is `{"width": D, "vectors": bytes}`: the vectors one after the
    other, float32, little-endian.

    Attributes:
        model: name the model is served under.
        texts: each a text, or its tokens.
        pooling: how the states of its tokens become one vector; None takes the model's way.
        truncates: cut texts that are longer than the window at their end.
        splits: cut them into chunks instead, and return the mean of their vectors, weighted by
            tokens.
        request_id: unique; names the request on the bus.
    """

    kind: ClassVar[str] = "embedding"

    model: str
    texts: tuple[str | tuple[int, ...], ...]
    pooling: Pooling | None = None
    truncates: bool = False
    splits: bool = False
    request_id: str = field(default_factory=new_request_id)

    @property
    def subject(self) -> str:
        """What is to become vectors, as the API calls it."""
        return "input"

    @property
    def is_empty(self) -> bool:
        """Whether there is no text."""
        return not self.texts

    @property
    def text_bytes(self) -> int:
        """Size of all texts; a token counts as four bytes."""
        return sum(map(prompt_bytes, self.texts))

    def as_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        return {**asdict(self), "kind": self.kind}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EmbeddingRequest":
        """Read what `as_dict` wrote."""
        texts = (tuple(text) if isinstance(text, list) else text for text in data["texts"])
        return cls(
            model=str(data["model"]),
            texts=tuple(texts),
            pooling=data["pooling"],
            truncates=bool(data["truncates"]),
            splits=bool(data["splits"]),
            request_id=str(data["request_id"]),
        )


@dataclass(frozen=True, slots=True)
class TokensRequest:
    """The tokens of a text or a conversation, or the text of some tokens.

    The result on the last delta is `{"tokens": [int], "texts": [str], "text": str,
    "context_length": int}`.

    Attributes:
        model: name the model is served under.
        text: a raw text.
        messages: a conversation, as the model would read it before its answer.
        tokens: tokens to write out.
        adds_special_tokens: whether a raw text gets those the tokenizer puts around it.
        request_id: unique; names the request on the bus.
    """

    kind: ClassVar[str] = "tokens"

    model: str
    text: str | None = None
    messages: tuple[Message, ...] = ()
    tokens: tuple[int, ...] = ()
    adds_special_tokens: bool = True
    request_id: str = field(default_factory=new_request_id)

    @property
    def subject(self) -> str:
        """What is to be tokenised or written out, as the API calls it."""
        return "messages" if self.messages else "prompt" if self.text is not None else "tokens"

    @property
    def is_empty(self) -> bool:
        """Never: no text has no tokens, and no tokens are no text."""
        return False

    @property
    def text_bytes(self) -> int:
        """Size of the text; a token counts as four bytes."""
        said = sum(len(message.content.encode()) for message in self.messages)
        return said + len((self.text or "").encode()) + 4 * len(self.tokens)

    def as_dict(self) -> dict[str, Any]:
        """Return the request as plain data."""
        return {
            "kind": self.kind,
            "model": self.model,
            "text": self.text,
            "messages": [message.as_dict() for message in self.messages],
            "tokens": list(self.tokens),
            "adds_special_tokens": self.adds_special_tokens,
            "request_id": self.request_id,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TokensRequest":
        """Read what `as_dict` wrote."""
        return cls(
            model=str(data["model"]),
            text=data["text"],
            messages=tuple(map(Message.from_dict, data["messages"])),
            tokens=tuple(data["tokens"]),
            adds_special_tokens=bool(data["adds_special_tokens"]),
            request_id=str(data["request_id"]),
        )


AnyRequest = GenerationRequest | EmbeddingRequest | TokensRequest


def read_request(data: Mapping[str, Any]) -> AnyRequest:
    """Read what a request's `as_dict` wrote.

    Raises:
        InvalidRequestError: it is a kind of request this version does not know.
    """
    match data.get("kind"):
        case None:
            return GenerationRequest.from_dict(data)
        case EmbeddingRequest.kind:
            return EmbeddingRequest.from_dict(data)
        case TokensRequest.kind:
            return TokensRequest.from_dict(data)
        case other:
            raise InvalidRequestError(f"a request of the kind {other!r} is not known here")
