"""Labels for any chat template: which tokens of a rendered dialogue the model is trained on.

A dialogue is rendered once. Rendering its prefixes tells where each answer begins and ends, as
character offsets; a token is trained when its characters overlap an answer, the token that ends
the turn included. Nothing here knows a template's separators, and nothing counts tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from inference.chat_templates.control_tokens import control_tokens
from inference.chat_templates.defusing import defuse
from inference.messages import Message, Role
from training.exceptions import UntrainableDialogueError

IGNORED = -100  # the label torch's cross entropy leaves out
_SENTINEL = "\ue000{index}\ue001"  # private-use characters: no dialogue has them


@dataclass(frozen=True, slots=True)
class Encoded:
    """One dialogue as the model sees it: token ids and labels of the same length."""

    input_ids: list[int]
    labels: list[int]

    @property
    def trained_count(self) -> int:
        """How many tokens carry a label."""
        return sum(label != IGNORED for label in self.labels)


def encode_dialogue(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> Encoded:
    """Render, tokenise and label one dialogue.

    Args:
        tokenizer: any fast tokenizer with a chat template.
        messages: the dialogue; text that spells a special token is defused.

    Returns:
        Ids and labels; a label is the token's id where the assistant speaks (through the token
        that ends the turn) and `IGNORED` elsewhere.

    Raises:
        UntrainableDialogueError: the template rewrites an answer, so that it cannot be found.
    """
    specials = _specials(tokenizer)
    safe = [Message(message.role, defuse(message.content, specials)) for message in messages]
    text = _render(tokenizer, safe)
    spans = answer_spans(tokenizer, safe, text)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = encoded["input_ids"]
    labels = [
        token if any(first < end and begin < last for begin, end in spans) else IGNORED
        for token, (first, last) in zip(ids, encoded["offset_mapping"], strict=True)
    ]
    return Encoded(ids, labels)


def answer_spans(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], text: str
) -> list[tuple[int, int]]:
    """Return where the answers stand in the rendered text, as (begin, end) character offsets.

    An answer begins where the prompt for it ends, so that training sees the very prefix that
    generation starts from. It ends after the special token that closes its turn.
    """
    specials = _specials(tokenizer)
    spans: list[tuple[int, int]] = []
    for index, message in enumerate(messages):
        if message.role is not Role.ASSISTANT:
            continue
        prompt = _render(tokenizer, messages[:index], add_generation_prompt=True)
        end = _end_of_turn(text, len(prompt), message.content, specials)
        if not text.startswith(prompt) or end is None:
            return _spans_by_sentinel(tokenizer, messages, text)
        spans.append((len(prompt), end))
    return spans


def _end_of_turn(text: str, begin: int, content: str, specials: frozenset[str]) -> int | None:
    """Return the offset after an answer and the special token right behind it, if it is there."""
    start = text.find(content.strip(), begin)
    if start < 0:
        return None
    end = start + len(content.strip())
    behind = end + len(text[end:]) - len(text[end:].lstrip())
    closing = max(
        (token for token in specials if text.startswith(token, behind)), key=len, default=""
    )
    return behind + len(closing) if closing else end


def _spans_by_sentinel(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], text: str
) -> list[tuple[int, int]]:
    """Find answers in a template that rewrites earlier turns, by marking where they begin."""
    marked = [
        Message(m.role, _SENTINEL.format(index=i) + m.content) if m.role is Role.ASSISTANT else m
        for i, m in enumerate(messages)
    ]
    rendered = _render(tokenizer, marked)
    specials = _specials(tokenizer)
    spans: list[tuple[int, int]] = []
    removed = 0
    for index, message in enumerate(messages):
        if message.role is not Role.ASSISTANT:
            continue
        sentinel = _SENTINEL.format(index=index)
        position = rendered.find(sentinel)
        begin = position - removed
        end = _end_of_turn(text, begin, message.content, specials)
        if position < 0 or end is None:
            raise UntrainableDialogueError(f"the chat template rewrites message {index}")
        spans.append((begin, end))
        removed += len(sentinel)
    return spans


def _specials(tokenizer: PreTrainedTokenizerFast) -> frozenset[str]:
    return control_tokens(tokenizer, template_source=str(tokenizer.chat_template))


def _render(
    tokenizer: PreTrainedTokenizerFast,
    messages: Sequence[Message],
    *,
    add_generation_prompt: bool = False,
) -> str:
    rendered = tokenizer.apply_chat_template(
        [message.as_dict() for message in messages],
        tokenize=False,
        add_generation_prompt=add_generation_prompt,
    )
    return str(rendered)
