"""Votes on the database, given without a battle page."""

import secrets
from datetime import UTC, datetime

from arena.models import Battle, Vote
from chat.models import Conversation, Message
from inference.models import LanguageModel
from leaderboard.services import count_vote
from tests.leaderboard.rating.samples import battles


def model_named(name: str) -> LanguageModel:
    return LanguageModel.objects.get_or_create(name=name)[0]


def fought_battle(model_a: str, model_b: str, *, prompt: str = "", language: str = "") -> Battle:
    """A battle that is answered; with a prompt it has a conversation on side A."""
    first, second = model_named(model_a), model_named(model_b)
    conversation = None
    if prompt:
        conversation = Conversation.objects.create(model=first, purpose="battle")
        Message.objects.create(conversation=conversation, position=0, role="user", content=prompt)
    return Battle.objects.create(
        model_a=first,
        model_b=second,
        conversation_a=conversation,
        language=language,
        state=Battle.State.ANSWERED,
    )


def cast_vote(battle: Battle, winner: str, *, reason: str = "") -> Vote:
    """A stored and counted vote; with a reason it is stored only."""
    vote = Vote.objects.create(
        battle=battle,
        winner=winner,
        is_counted=not reason,
        reason=reason,
        created_at=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC),
        previous_hash=secrets.token_hex(32),
        content_hash=secrets.token_hex(32),
    )
    count_vote(vote)
    return vote


def cast_votes(text: str, *, language: str = "en") -> list[Vote]:
    """Votes from "A B a, B C tie": side A, side B, winner."""
    return [
        cast_vote(fought_battle(model_a, model_b, language=language), winner)
        for model_a, model_b, winner in battles(text)
    ]
