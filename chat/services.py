"""Writes of conversations: prompts and answers, each in one transaction.

A prompt is stored together with the empty answer it asks for, so that nobody can acknowledge one
without the other. Whoever sees the end of an answer stores it; the first one wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.module_loading import import_string

from chat.conf import chat_settings
from chat.exceptions import NothingToAnswerError, TurnRunningError
from chat.models import Conversation, Message, ModerationFlag
from chat.moderation import Finding
from chat.policy import check_turn_count, storable_text
from chat.selectors import open_answers_of
from chat.visitors import Visitor
from inference.generation import FinishReason, Usage, new_request_id
from inference.models import LanguageModel

TITLE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended.

    Attributes:
        state: one of the closed states of a message.
        text: all of the answer there is.
        finish_reason: what the model's side said, if it said something.
        usage: exact token counts, if the model got to run.
        error_code: why it failed or was interrupted.
    """

    state: Message.State
    text: str
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    error_code: str = ""


def start_conversation(
    *,
    visitor: Visitor,
    model: LanguageModel,
    purpose: Conversation.Purpose = Conversation.Purpose.CHAT,
    params: dict[str, Any] | None = None,
) -> Conversation:
    """Store a conversation without messages."""
    return Conversation.objects.create(
        purpose=purpose,
        user_id=visitor.user_id,
        visitor=visitor.key,
        model=model,
        params=params or {},
    )


def store_prompt(
    *, conversation_id: int, text: str, findings: Sequence[Finding] | None = None
) -> Message:
    """Store a prompt and the open answer to it; return the answer.

    Args:
        conversation_id: where.
        text: a prompt that `chat.policy.checked_prompt` has passed.
        findings: what a moderator found in it; None asks one.

    Raises:
        TurnRunningError: the last answer is not finished.
        TurnLimitError: the conversation is as long as is allowed.
    """
    if findings is None:
        findings = moderator_findings(text)
    with transaction.atomic():
        conversation = _locked(conversation_id)
        prompts = conversation.messages.filter(role=Message.Role.USER, is_current=True)
        check_turn_count(prompts.count(), max_turns=chat_settings().max_turns)
        last = conversation.messages.aggregate(last=Max("position"))["last"]
        position = 0 if last is None else last + 1
        prompt = Message.objects.create(
            conversation=conversation, position=position, role=Message.Role.USER, content=text
        )
        _flag(prompt, findings)
        if not conversation.title:
            conversation.title = " ".join(text.split())[:TITLE_CHARS]
        conversation.updated_at = timezone.now()
        conversation.save(update_fields=["title", "updated_at"])
        return _open_answer(conversation, position=position + 1, version=0)


@transaction.atomic
def store_retry(*, conversation_id: int) -> Message:
    """Store a new open version of the last answer; the older one is kept and no longer current.

    Raises:
        NothingToAnswerError: the conversation has no answer.
        TurnRunningError: the last answer is not finished.
    """
    conversation = _locked(conversation_id)
    last = conversation.messages.filter(is_current=True).order_by("position").last()
    if last is None or last.role != Message.Role.ASSISTANT:
        raise NothingToAnswerError
    last.is_current = False
    last.save(update_fields=["is_current"])
    conversation.updated_at = timezone.now()
    conversation.save(update_fields=["updated_at"])
    return _open_answer(conversation, position=last.position, version=last.version + 1)


def save_partial(*, message_id: int, text: str) -> None:
    """Store what there is of an open answer."""
    Message.objects.filter(pk=message_id, state__in=Message.OPEN_STATES).update(
        content=storable_text(text), state=Message.State.STREAMING
    )


def finish_answer(*, message_id: int, outcome: Outcome) -> bool:
    """Close an open answer; return whether this call was the one that closed it."""
    text = storable_text(outcome.text)
    findings = moderator_findings(text)
    with transaction.atomic():
        is_first = Message.objects.filter(pk=message_id, state__in=Message.OPEN_STATES).update(
            content=text,
            state=outcome.state,
            finish_reason=outcome.finish_reason or "",
            error_code=outcome.error_code[:64],
            prompt_tokens=outcome.usage.prompt_tokens if outcome.usage else None,
            completion_tokens=outcome.usage.completion_tokens if outcome.usage else None,
            finished_at=timezone.now(),
        )
        if is_first:
            _flag(Message.objects.get(pk=message_id), findings)
    return bool(is_first)


def close_lost_answers(*, visitor: Visitor) -> int:
    """Close the visitor's answers that a process took with it long ago; return how many.

    Usually whoever watches next settles an answer. What nobody came back for must not keep the
    visitor from asking again.
    """
    lost_since = timezone.now() - timedelta(seconds=chat_settings().lost_after_s)
    return (
        open_answers_of(visitor)
        .filter(created_at__lt=lost_since)
        .update(
            state=Message.State.INTERRUPTED, error_code="interrupted", finished_at=timezone.now()
        )
    )


def rename_conversation(*, conversation: Conversation, title: str) -> None:
    """Give a conversation another title."""
    conversation.title = storable_text(title).strip()[:120]
    conversation.save(update_fields=["title"])


def delete_conversation(*, conversation: Conversation) -> None:
    """Hide a conversation from its owner; a moderator still finds it."""
    conversation.deleted_at = timezone.now()
    conversation.save(update_fields=["deleted_at"])


def moderator_findings(text: str) -> list[Finding]:
    """Ask the configured moderator about a text.

    Called before a transaction begins: a moderator may live on another machine.
    """
    findings: list[Finding] = import_string(chat_settings().moderator)().findings(text)
    return findings


def _locked(conversation_id: int) -> Conversation:
    """Return the conversation, locked, without an open answer."""
    conversation = (
        Conversation.objects.select_for_update(of=("self",))
        .select_related("model")
        .get(pk=conversation_id)
    )
    if conversation.messages.filter(state__in=Message.OPEN_STATES).exists():
        raise TurnRunningError
    return conversation


def _open_answer(conversation: Conversation, *, position: int, version: int) -> Message:
    return Message.objects.create(
        conversation=conversation,
        position=position,
        version=version,
        role=Message.Role.ASSISTANT,
        state=Message.State.PENDING,
        request_id=new_request_id(),
    )


def _flag(message: Message, findings: Sequence[Finding]) -> None:
    ModerationFlag.objects.bulk_create(
        ModerationFlag(message=message, category=finding.category[:32], detail=finding.detail[:200])
        for finding in findings
    )
