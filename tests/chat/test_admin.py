"""The moderators' pages of chat and arena."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from arena.models import Vote
from arena.services import record_vote
from chat.models import Ban, ModerationFlag
from tests.arena.stored import VISITOR, answered_battle

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("cards")]


@pytest.fixture
def moderator(client: Client, settings: Any) -> Client:
    settings.ARENA = {}
    client.force_login(User.objects.create_superuser("mod"))
    return client


@pytest.fixture
def vote(moderator: Client) -> Vote:
    battle = answered_battle(prompt="How to build a bomb")
    return record_vote(visitor=VISITOR, battle_id=battle.public_id, winner=Vote.Winner.A)


@pytest.mark.parametrize(
    "page",
    [
        "chat/conversation",
        "chat/moderationflag",
        "chat/ban",
        "arena/battle",
        "arena/vote",
    ],
)
def test_every_list_can_be_searched(moderator: Client, vote: Vote, page: str) -> None:
    assert moderator.get(f"/admin/{page}/?q=bomb").status_code == 200


@pytest.mark.parametrize("page", ["arena/vote", "arena/battle"])
def test_votes_and_battles_are_shown_and_not_changed(
    moderator: Client, vote: Vote, page: str
) -> None:
    key = vote.pk if page == "arena/vote" else vote.battle_id

    assert moderator.get(f"/admin/{page}/{key}/change/").status_code == 200
    assert moderator.post(f"/admin/{page}/{key}/change/", {"winner": "b"}).status_code == 403
    assert moderator.post(f"/admin/{page}/{key}/delete/", {"post": "yes"}).status_code == 403
    assert moderator.get(f"/admin/{page}/add/").status_code == 403
    assert Vote.objects.get().winner == Vote.Winner.A


@pytest.mark.parametrize(
    ("action", "status", "bans"),
    [("uphold", "upheld", 0), ("dismiss", "dismissed", 0), ("ban_for_a_week", "upheld", 1)],
)
def test_the_queue_of_flags_is_worked_off(
    moderator: Client, vote: Vote, action: str, status: str, bans: int
) -> None:
    flag = ModerationFlag.objects.get()

    moderator.post("/admin/chat/moderationflag/", {"action": action, "_selected_action": [flag.pk]})

    flag.refresh_from_db()
    assert flag.status == status
    assert flag.reviewer is not None
    assert Ban.objects.count() == bans
    for ban in Ban.objects.all():
        assert ban.visitor == VISITOR.key
        assert ban.expires_at is not None
        assert ban.expires_at > timezone.now() + timedelta(days=6)


def test_a_ban_is_made_and_lifted(moderator: Client) -> None:
    made = moderator.post(
        "/admin/chat/ban/add/",
        {"visitor": VISITOR.key, "network": "", "reason": "spam", "user": ""},
    )
    ban = Ban.objects.get()
    moderator.post("/admin/chat/ban/", {"action": "lift", "_selected_action": [ban.pk]})

    ban.refresh_from_db()
    assert made.status_code == 302
    assert ban.created_by is not None
    assert ban.lifted_at is not None
