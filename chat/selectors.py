"""Reads of conversations, bans and the texts a model is given."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from django.utils import timezone

from chat.conf import chat_settings
from chat.exceptions import ConversationNotFoundError
from chat.models import Ban, Conversation, Message, is_public_id
from chat.visitors import Visitor
from inference import messages as words
from inference.generation import GenerationRequest, SamplingParams


def owned_by(visitor: Visitor) -> Q:
    """Return the condition for rows that belong to a visitor or to the visitor's account."""
    mine = Q(visitor=visitor.key)
    return mine | Q(user_id=visitor.user_id) if visitor.user_id else mine


def conversations_of(visitor: Visitor) -> QuerySet[Conversation]:
    """Return the visitor's chats, newest first; the sides of battles are not among them."""
    return (
        Conversation.objects.filter(
            owned_by(visitor), purpose=Conversation.Purpose.CHAT, deleted_at=None
        )
        .select_related("model")
        .order_by("-updated_at")
    )


def conversation_of(visitor: Visitor, public_id: str) -> Conversation:
    """Return one chat of the visitor.

    Raises:
        ConversationNotFoundError: there is none, or it is somebody else's: the same answer.
    """
    if not is_public_id(public_id):
        raise ConversationNotFoundError
    conversation = conversations_of(visitor).filter(public_id=public_id).first()
    if conversation is None:
        raise ConversationNotFoundError
    return conversation


def current_messages(conversation: Conversation) -> QuerySet[Message]:
    """Return what counts of a conversation, oldest first: of every answer its newest version."""
    return conversation.messages.filter(is_current=True).order_by("position")


def open_answer(conversation: Conversation) -> Message | None:
    """Return the answer that is being written, if there is one."""
    return conversation.messages.filter(state__in=Message.OPEN_STATES).first()


def open_answers_of(visitor: Visitor) -> QuerySet[Message]:
    """Return the answers that are being written for a visitor."""
    owner = Q(conversation__visitor=visitor.key)
    if visitor.user_id:
        owner |= Q(conversation__user_id=visitor.user_id)
    return Message.objects.filter(owner, state__in=Message.OPEN_STATES)


def history(answer: Message) -> tuple[words.Message, ...]:
    """Return the conversation up to the prompt of an answer, as a model is given it.

    A prompt whose answer never came is left out: chat templates want the roles to alternate.
    """
    said = Message.objects.filter(
        conversation_id=answer.conversation_id, is_current=True, position__lt=answer.position
    ).order_by("position")
    return tuple(_answered(said))


def generation_request(answer: Message) -> GenerationRequest:
    """Return what to ask the model for an open answer."""
    conversation = Conversation.objects.select_related("model").get(pk=answer.conversation_id)
    assert answer.request_id is not None
    return GenerationRequest(
        model=conversation.model.name,
        messages=history(answer),
        params=SamplingParams.from_dict({**default_params().as_dict(), **conversation.params}),
        request_id=answer.request_id,
    )


def default_params() -> SamplingParams:
    """Return how a chat is sampled where nobody says otherwise."""
    wanted = chat_settings()
    return SamplingParams(
        temperature=wanted.temperature, top_p=wanted.top_p, max_tokens=wanted.max_tokens
    )


def is_banned(visitor: Visitor) -> bool:
    """Tell whether a ban on the visitor, the account or the network is in force."""
    subject = Q(visitor=visitor.key) | Q(network=visitor.network)
    if visitor.user_id:
        subject |= Q(user_id=visitor.user_id)
    in_force = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return Ban.objects.filter(subject, in_force, lifted_at=None).exists()


def _answered(said: Iterable[Message]) -> list[words.Message]:
    """Return the messages without prompts that got no answer, except the last one."""
    kept: list[words.Message] = []
    for message in said:
        role = words.Role(message.role)
        is_unanswered = bool(kept) and kept[-1].role is words.Role.USER
        if role is words.Role.ASSISTANT and not message.content:
            continue
        if role is words.Role.USER and is_unanswered:
            kept.pop()
        kept.append(words.Message(role, message.content))
    return kept
