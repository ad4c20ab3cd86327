"""The chat template that a tokenizer brings."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inference.chat_templates.begun import split_begun
from inference.chat_templates.control_tokens import TemplatedTokenizer
from inference.chat_templates.environment import render_source
from inference.chat_templates.image_markers import template_messages
from inference.exceptions import InvalidRequestError
from inference.messages import Message, Role


def own_template(tokenizer: TemplatedTokenizer, *, has_tools: bool = False) -> str | None:
    """Return a tokenizer's template; None where it has none.

    Of several it is the one named "default", or for conversations with tools "tool_use".
    """
    own = tokenizer.chat_template
    if isinstance(own, Mapping):
        own = (has_tools and own.get("tool_use")) or own.get("default")
    return own or None


def render_own(
    source: str,
    tokenizer: TemplatedTokenizer,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool,
    image_marker: str = "",
    **names: Any,
) -> str:
    """Render a tokenizer's template; one that knows no system role gets it in the first turn.

    Args:
        source: the Jinja text.
        tokenizer: whose special tokens it writes.
        messages: the conversation, oldest first.
        add_generation_prompt: whether the assistant is to speak next, or to go on with the last
            message if that is its own.
        image_marker: stands for an image where the template knows none.
        names: what else the template may read, such as `tools`.

    Raises:
        InvalidRequestError: there is no message, or the template refuses the conversation.
    """
    special = {key: str(value) for key, value in _texts(tokenizer.special_tokens_map)}
    messages, begun = split_begun(messages, add_generation_prompt=add_generation_prompt)

    def render(chosen: Sequence[Message]) -> str:
        written = template_messages(source, chosen, image_marker)
        try:
            return write(written)
        except InvalidRequestError:
            if not any(message.tool_calls for message in chosen):
                raise
            return write([_with_text_arguments(message) for message in written])

    def write(written: Sequence[Mapping[str, Any]]) -> str:
        return render_source(
            source,
            messages=written,
            add_generation_prompt=add_generation_prompt,
            **names,
            **special,
        )

    try:
        return render(messages) + begun
    except InvalidRequestError:
        folded = _fold_system(messages)
        if folded == messages:
            raise
        return render(folded) + begun


def _fold_system(messages: Sequence[Message]) -> list[Message]:
    """Move a leading system message into the user's first turn."""
    if len(messages) < 2 or messages[0].role is not Role.SYSTEM:
        return list(messages)
    system, first, *rest = messages
    return [first.preceded_by(system.content), *rest]


def _with_text_arguments(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with the arguments of its calls as text, which some templates expect."""
    calls = [
        {**call, "function": {**call["function"], "arguments": _as_text(call["function"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": calls} if calls else dict(message)


def _as_text(function: Mapping[str, Any]) -> str:
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return str(text)


def _texts(special_tokens: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The special tokens that are one text each."""
    return [(key, value) for key, value in special_tokens.items() if not isinstance(value, list)]
