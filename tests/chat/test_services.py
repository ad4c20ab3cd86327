"""What may be stored about conversations, and what moderators decide."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from chat.admission import admit_prompt
from chat.exceptions import (
    BannedError,
    NothingToAnswerError,
    TooManyOpenTurnsError,
    TurnLimitError,
    TurnRunningError,
)
from chat.models import Ban, Conversation, Message, ModerationFlag
from chat.moderating import ban_authors, lift_bans, resolve_flags
from chat.selectors import is_banned
from chat.services import (
    Outcome,
    finish_answer,
    save_partial,
    start_conversation,
    store_prompt,
    store_retry,
)
from inference.generation import FinishReason, Usage
from tests.support.sockets import some_visitor

pytestmark = pytest.mark.django_db
VISITOR = some_visitor()


@pytest.fixture
def conversation(cards: Any) -> Conversation:
    return start_conversation(visitor=VISITOR, model=cards[0])


def finish(answer: Message, text: str = "fine") -> None:
    finish_answer(message_id=answer.pk, outcome=Outcome(Message.State.DONE, text))


def test_a_prompt_is_stored_with_the_open_answer_to_it(conversation: Conversation) -> None:
    answer = store_prompt(conversation_id=conversation.pk, text="What is\n\n time? " * 20)

    conversation.refresh_from_db()
    assert (answer.position, answer.state, answer.content) == (1, Message.State.PENDING, "")
    assert answer.request_id is not None
    assert len(answer.request_id) == 32
    assert conversation.title.startswith("What is time? What")
    assert len(conversation.title) <= 60


def test_one_answer_is_written_at_a_time(conversation: Conversation) -> None:
    store_prompt(conversation_id=conversation.pk, text="One")

    with pytest.raises(TurnRunningError):
        store_prompt(conversation_id=conversation.pk, text="Two")
    with pytest.raises(TurnRunningError):
        store_retry(conversation_id=conversation.pk)

    assert conversation.messages.count() == 2


def test_the_database_itself_refuses_a_second_open_answer(conversation: Conversation) -> None:
    store_prompt(conversation_id=conversation.pk, text="One")

    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(
            conversation=conversation, position=9, role="assistant", state="pending"
        )


def test_the_turns_of_a_conversation_are_bounded(conversation: Conversation, settings: Any) -> None:
    settings.CHAT = {"max_turns": 2}
    for text in ("One", "Two"):
        finish(store_prompt(conversation_id=conversation.pk, text=text))

    with pytest.raises(TurnLimitError):
        store_prompt(conversation_id=conversation.pk, text="Three")


def test_a_retry_needs_an_answer(conversation: Conversation) -> None:
    with pytest.raises(NothingToAnswerError):
        store_retry(conversation_id=conversation.pk)


def test_a_partial_text_never_overwrites_a_finished_one(conversation: Conversation) -> None:
    answer = store_prompt(conversation_id=conversation.pk, text="Hi")
    save_partial(message_id=answer.pk, text="fi")
    answer.refresh_from_db()
    assert (answer.content, answer.state) == ("fi", Message.State.STREAMING)
    finish(answer)

    save_partial(message_id=answer.pk, text="fi")

    answer.refresh_from_db()
    assert (answer.content, answer.state) == ("fine", Message.State.DONE)


def test_the_end_of_an_answer_is_stored_exactly(conversation: Conversation) -> None:
    answer = store_prompt(conversation_id=conversation.pk, text="Hi")
    outcome = Outcome(
        Message.State.DONE, "a\x00b\ud800", FinishReason.LENGTH, Usage(11, 7), error_code=""
    )

    finish_answer(message_id=answer.pk, outcome=outcome)

    answer.refresh_from_db()
    assert answer.content == "ab?"
    assert answer.finish_reason == "length"
    assert (answer.prompt_tokens, answer.completion_tokens) == (11, 7)
    assert answer.finished_at is not None


def test_prompts_and_answers_are_flagged(conversation: Conversation) -> None:
    answer = store_prompt(conversation_id=conversation.pk, text="How to build a bomb")
    finish(answer, "自制炸药")

    flags = ModerationFlag.objects.order_by("pk")
    assert [(flag.message.role, flag.category) for flag in flags] == [
        ("user", "weapons"),
        ("assistant", "weapons"),
    ]


def test_a_moderator_resolves_flags_bans_and_lifts(conversation: Conversation) -> None:
    moderator = User.objects.create_user("mod")
    store_prompt(conversation_id=conversation.pk, text="How to build a bomb. 自杀")
    flags = ModerationFlag.objects.all()

    made = ban_authors(flags=flags, moderator=moderator, duration=timedelta(days=7))
    resolved = resolve_flags(flags=flags, reviewer=moderator, status=ModerationFlag.Status.UPHELD)

    assert (made, resolved) == (1, 2)
    assert is_banned(VISITOR)
    assert not is_banned(some_visitor("other", network="other"))
    with pytest.raises(BannedError):
        admit_prompt(VISITOR, answer_count=1)
    assert lift_bans(bans=Ban.objects.all()) == 1
    assert not is_banned(VISITOR)


def test_an_answer_lost_with_its_process_does_not_lock_its_reader_out(
    conversation: Conversation, settings: Any
) -> None:
    settings.CHAT = {"max_open_turns": 1}
    answer = store_prompt(conversation_id=conversation.pk, text="Hi")
    with pytest.raises(TooManyOpenTurnsError):
        admit_prompt(VISITOR, answer_count=1)
    Message.objects.filter(pk=answer.pk).update(
        created_at=timezone.now() - timedelta(hours=1), content="half"
    )

    admit_prompt(VISITOR, answer_count=1)

    answer.refresh_from_db()
    assert (answer.state, answer.content) == (Message.State.INTERRUPTED, "half")


def test_a_ban_ends_by_itself(cards: Any) -> None:
    Ban.objects.create(
        visitor=VISITOR.key, reason="spam", expires_at=timezone.now() - timedelta(seconds=1)
    )

    assert not is_banned(VISITOR)


def test_a_ban_is_on_somebody() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Ban.objects.create(reason="nobody")
