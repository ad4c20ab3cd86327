"""What a script says: sentences about the prompt, JSON that fits its schema, or a call."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from inference.exceptions import InvalidRequestError
from inference.generation import GenerationRequest
from inference.messages import Role
from inference.providers.instances import Inventor, quoted_in
from inference.tools.writing import call_text

SENTENCES = (
    "Here is one way to see it.",
    "First, look at the facts that are given.",
    "Then take one step after the other.",
    "A short example makes it clear.",
    "In the end, both views have their place.",
    "I hope this helps.",
)
QUOTED_CHARACTERS = 80
WORD = re.compile(r"\w+")


def scripted_text(request: GenerationRequest) -> str:
    """Return the answer to a request: the same for the same model, messages and seed.

    It follows the request's grammar. Without one it calls a function where some are offered and
    the user spoke last: the one whose name and description share most words with the question.

    Raises:
        InvalidRequestError: the script cannot follow the grammar.
    """
    grammar, prompt = request.params.grammar, question_of(request)
    if grammar is not None:
        return _follow(grammar, prompt, _digest(request))
    is_asked = bool(request.messages) and request.messages[-1].role is Role.USER
    if request.tools and is_asked:
        functions = [tool["function"] for tool in request.tools]
        return _call(_likeliest(functions, prompt), prompt, _digest(request))
    return _sentences(prompt, _digest(request))


def question_of(request: GenerationRequest) -> str:
    """Return what the user said last, or the raw prompt; tokens are characters to a script."""
    if isinstance(request.prompt, str):
        return request.prompt
    if request.prompt is not None:
        return text_of_tokens(request.prompt)
    said = (entry.content for entry in reversed(request.messages) if entry.role is Role.USER)
    return next(said, "")


def text_of_tokens(tokens: Sequence[int]) -> str:
    """Return the characters that numbers stand for; to a script a character is a token."""
    return "".join(chr(token) if _is_character(token) else "\ufffd" for token in tokens)


def _is_character(token: int) -> bool:
    """Whether a number stands for a character; the halves of surrogate pairs do not."""
    return token < 0xD800 or 0xDFFF < token <= 0x10FFFF


def _digest(request: GenerationRequest) -> bytes:
    said = [entry.content for entry in request.messages] or [question_of(request)]
    parts = [request.model, *said, str(request.params.seed)]
    return hashlib.sha256("\x1f".join(parts).encode()).digest()


def _sentences(prompt: str, digest: bytes) -> str:
    start = digest[0] % len(SENTENCES)
    sentences = [*SENTENCES[start:], *SENTENCES[:start]][: 2 + digest[1] % 4]
    quoted = " ".join(prompt.split())[:QUOTED_CHARACTERS]
    return f"You said: {quoted}. " + " ".join(sentences)


def _follow(grammar: Mapping[str, Any], prompt: str, digest: bytes) -> str:
    match grammar["type"]:
        case "json_schema":
            return _json(Inventor(prompt, digest[0]).instance(grammar["schema"]))
        case "json_object":
            keys = quoted_in(prompt) or ["answer"]
            return _json({key: f"{key} {digest[1] % 10}" for key in keys})
        case "choice":
            return str(grammar["choices"][digest[0] % len(grammar["choices"])])
        case "calls":
            return _call(_likeliest(grammar["functions"], prompt), prompt, digest)
        case other:
            raise InvalidRequestError(f"a script cannot follow a grammar of the type {other!r}")


def _call(function: Mapping[str, Any], prompt: str, digest: bytes) -> str:
    schema = {"type": "object", **(function.get("parameters") or {})}
    instance = Inventor(prompt, digest[0]).instance(schema)
    return call_text(function["name"], _json(instance))


def _likeliest(functions: Sequence[Mapping[str, Any]], prompt: str) -> Mapping[str, Any]:
    """Return the function that a question is most about; the first one where none is."""
    asked = _words(prompt)

    def overlap(function: Mapping[str, Any]) -> int:
        about = f"{function['name'].replace('_', ' ')} {function.get('description') or ''}"
        is_named = function["name"].lower() in prompt.lower()
        return len(asked & _words(about)) + 100 * is_named

    return max(functions, key=overlap)


def _words(text: str) -> set[str]:
    return {word for word in WORD.findall(text.lower()) if len(word) > 3}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
