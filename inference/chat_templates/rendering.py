"""From messages to the text of a prompt."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference.chat_templates.begun import split_begun
from inference.chat_templates.control_tokens import TemplatedTokenizer, control_tokens
from inference.chat_templates.defusing import defuse, defuse_all
from inference.chat_templates.environment import render_source
from inference.chat_templates.families import DEFAULT_FAMILY, ChatTemplate, family_named
from inference.chat_templates.image_markers import marked
from inference.chat_templates.options import check_template_options
from inference.chat_templates.own_template import own_template, render_own
from inference.exceptions import InvalidRequestError
from inference.messages import Message, Role, ToolCall
from inference.tools.formats import CANONICAL, format_of_template
from inference.tools.writing import as_plain_talk, with_short_ids, with_single_calls

logger = logging.getLogger(__name__)

MARK = "\N{WHITE SQUARE}answer\N{WHITE SQUARE}"


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A conversation as the model is to read it.

    Attributes:
        text: the prompt.
        needs_special_tokens: whether the tokenizer must add its own (a template of the tokenizer
            has written them already).
        stop: texts that end the answer, from the family's table.
    """

    text: str
    needs_special_tokens: bool
    stop: tuple[str, ...] = ()


def render_prompt(
    tokenizer: TemplatedTokenizer,
    messages: Sequence[Message],
    *,
    template: ChatTemplate | None = None,
    image_marker: str = "",
    add_generation_prompt: bool = True,
    tools: Sequence[Mapping[str, Any]] = (),
    options: Mapping[str, Any] | None = None,
) -> RenderedPrompt:
    """Write a conversation so that the assistant speaks next.

    The tokenizer's own chat template is used unless `template` is given; a tokenizer without one
    gets the family "default", with a warning. Where the last message is the assistant's, the
    prompt ends with it, open, so that the model goes on writing it. Special tokens that somebody
    wrote into a message are defused.

    Args:
        tokenizer: the model's.
        messages: the conversation, oldest first.
        template: the family to use instead of the tokenizer's own template.
        image_marker: what stands in the text for an image; "" for models that take none.
        add_generation_prompt: whether the assistant is to speak next; else the conversation is
            written as it is.
        tools: functions the model may call. A template that knows none gets a system text about
            them, and calls and results as plain text; see `inference.tools.writing`.
        options: further names for the tokenizer's own template; see `options`.

    Raises:
        InvalidRequestError: there is no message, the template refuses the conversation, or it
            takes no such options.
    """
    check_template_options(options or {})
    own = own_template(tokenizer, has_tools=bool(tools))
    specials = control_tokens(tokenizer, template_source=own or "") | {image_marker}
    safe = _defused(messages, specials)
    tools = defuse_all(list(tools), tuple(specials))
    form = format_of_template(own) if own is not None and template is None else None
    names = dict(options or {})
    if form is None:
        safe = as_plain_talk(safe, tools)
    else:
        names |= {"tools": tools} if tools else {}
        safe = with_single_calls(safe) if form.is_single else safe
        safe = with_short_ids(safe, form.call_id_chars) if form.call_id_chars else safe
    if template is None and own is not None:
        text = render_own(
            own,
            tokenizer,
            safe,
            add_generation_prompt=add_generation_prompt,
            image_marker=image_marker,
            **names,
        )
        return RenderedPrompt(text, needs_special_tokens=False)
    if template is None:
        logger.warning("the tokenizer has no chat template; using the family %r", DEFAULT_FAMILY)
        template = family_named(DEFAULT_FAMILY)
    shown = [marked(message, image_marker) for message in safe]
    text = render_family(template, shown, add_generation_prompt=add_generation_prompt)
    bos = str(tokenizer.special_tokens_map.get("bos_token") or "")
    has_bos = bool(bos) and text.startswith(bos)
    return RenderedPrompt(text, needs_special_tokens=not has_bos, stop=template.stop)


def render_family(
    template: ChatTemplate, messages: Sequence[Message], *, add_generation_prompt: bool = True
) -> str:
    """Write a conversation by a family's layout.

    System messages are joined and stand first; without one the family's own is used. The turns
    that show the family's models what an answer looks like go with its own system message.

    Args:
        template: the family.
        messages: the conversation, oldest first.
        add_generation_prompt: whether the assistant is to speak next, or to go on with the last
            message if that is its own.

    Raises:
        InvalidRequestError: there is no message, the family has no layout, or it refuses the
            conversation.
    """
    messages, begun = split_begun(messages, add_generation_prompt=add_generation_prompt)
    if not begun:
        return _render_layout(template, messages, add_generation_prompt=add_generation_prompt)
    # What stands before an answer's first word is often more than the generation prompt: a space.
    answered = [*messages, Message(Role.ASSISTANT, MARK)]
    text = _render_layout(template, answered, add_generation_prompt=False)
    return text.partition(MARK)[0] + begun


def tool_format_of(tokenizer: TemplatedTokenizer, *, template: ChatTemplate | None = None) -> str:
    """Return the name of the format in which a model is asked to write calls of functions."""
    own = own_template(tokenizer, has_tools=True) if template is None else None
    form = format_of_template(own) if own is not None else None
    return CANONICAL if form is None else form.name


def end_of_turn(tokenizer: TemplatedTokenizer, *, template: ChatTemplate | None = None) -> str:
    """Return what the template writes after an assistant's words; "" where it refuses."""
    messages = [Message(Role.USER, "?"), Message(Role.ASSISTANT, MARK)]
    own = own_template(tokenizer)
    try:
        if template is None and own is not None:
            text = render_own(own, tokenizer, messages, add_generation_prompt=False)
        else:
            family = template or family_named(DEFAULT_FAMILY)
            text = render_family(family, messages, add_generation_prompt=False)
    except InvalidRequestError:
        return ""
    return text.partition(MARK)[2]


def _render_layout(
    template: ChatTemplate, messages: Sequence[Message], *, add_generation_prompt: bool
) -> str:
    """Write closed messages by a family's layout."""
    said = [message.content for message in messages if message.role is Role.SYSTEM]
    system_message = "\n".join(said) if said else template.system_message
    is_own = not said or system_message == template.system_message != ""
    shown = _turns(template.few_shot) if is_own else []
    return render_source(
        template.jinja,
        **template.variables,
        system=template.system_template.replace("{system_message}", system_message),
        system_message=system_message,
        messages=[m.as_template_dict() for m in [*shown, *messages] if m.role is not Role.SYSTEM],
        user=template.roles[0],
        assistant=template.roles[1],
        sep=template.separator,
        sep2=template.separator_2,
        add_generation_prompt=add_generation_prompt,
    )


def _turns(pairs: Iterable[tuple[str, str]]) -> list[Message]:
    """Messages of pairs (user, assistant)."""
    roles = (Role.USER, Role.ASSISTANT)
    return [Message(role, text) for pair in pairs for role, text in zip(roles, pair, strict=True)]


def _defused(messages: Sequence[Message], special_tokens: Iterable[str]) -> list[Message]:
    tokens = tuple(special_tokens)
    return [
        replace(
            message.with_texts(lambda text: defuse(text, tokens)),
            tool_calls=tuple(
                ToolCall(*(defuse(text, tokens) for text in (call.id, call.name, call.arguments)))
                for call in message.tool_calls
            ),
            tool_call_id=defuse(message.tool_call_id, tokens),
            name=defuse(message.name, tokens),
        )
        for message in messages
    ]
