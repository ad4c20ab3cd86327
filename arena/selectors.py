"""Reads of battles and votes."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from arena.conf import arena_settings
from arena.exceptions import BattleNotFoundError
from arena.integrity import identity_terms, leaks_identity
from arena.matchmaking import Candidate
from arena.models import Battle, Vote
from chat.models import Message, is_public_id
from chat.selectors import owned_by
from chat.visitors import Visitor
from inference.selectors import arena_models

SIDES = ("a", "b")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BattleTurn:
    """A prompt and the current answer of each side, "a" and "b"."""

    prompt: str
    answers: dict[str, Message] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How many counted votes a served pair got with one outcome in one language."""

    model_a_id: int
    model_b_id: int
    winner: str
    language: str
    votes: int


def battle_candidates(live: Collection[str]) -> list[Candidate]:
    """Return the models of the arena that are served now, by name."""
    models = arena_models().filter(name__in=live)
    return [Candidate(model.name, model.sampling_weight) for model in models]


def battle_of(visitor: Visitor, public_id: str) -> Battle:
    """Return a battle of the visitor, with its models.

    Raises:
        BattleNotFoundError: there is none, or it is somebody else's: the same answer.
    """
    if not is_public_id(public_id):
        raise BattleNotFoundError
    battle = (
        Battle.objects.select_related("model_a", "model_b", "vote")
        .filter(owned_by(visitor), public_id=public_id)
        .first()
    )
    if battle is None:
        raise BattleNotFoundError
    return battle


def battle_turns(battle: Battle) -> list[BattleTurn]:
    """Return the turns of a battle, oldest first."""
    side_of = {key: side for side, key in battle.conversation_ids.items()}
    said = Message.objects.filter(conversation_id__in=side_of, is_current=True)
    prompts: dict[int, str] = {}
    answers: dict[int, dict[str, Message]] = defaultdict(dict)
    for message in said.order_by("position"):
        if message.role == Message.Role.USER:
            prompts[message.position] = message.content
        elif message.role == Message.Role.ASSISTANT:
            answers[message.position - 1][side_of[message.conversation_id]] = message
    return [BattleTurn(text, answers[position]) for position, text in sorted(prompts.items())]


def open_sides(battle: Battle) -> dict[str, Message]:
    """Return the answers of the last turn that are being written, by side."""
    turns = battle_turns(battle)
    answers = turns[-1].answers if turns else {}
    return {side: answer for side, answer in sorted(answers.items()) if answer.is_open}


def is_complete(battle: Battle) -> bool:
    """Tell whether both sides have an answer to every prompt that can be judged."""
    turns = battle_turns(battle)
    return bool(turns) and all(
        side in turn.answers and turn.answers[side].is_complete for turn in turns for side in SIDES
    )


def has_named_model(battle: Battle) -> bool:
    """Tell whether a current prompt or answer names one of the two models."""
    texts = Message.objects.filter(
        conversation_id__in=battle.conversation_ids.values(), is_current=True
    ).values_list("content", flat=True)
    model_a, model_b = battle.model_a, battle.model_b
    return leaks_identity(
        texts,
        terms_a=identity_terms(model_a.name, model_a.title, model_a.organisation),
        terms_b=identity_terms(model_b.name, model_b.title, model_b.organisation),
    )


def reason_not_to_count(battle: Battle, visitor: Visitor) -> Vote.Reason | str:
    """Return why a vote by the visitor would only be stored, or an empty text."""
    limits = arena_settings()
    if battle.leaks_identity:
        return Vote.Reason.IDENTITY_LEAK
    if is_flagged(battle):
        return Vote.Reason.FLAGGED
    pair = (battle.model_a_id, battle.model_b_id)
    recent = recent_counted_votes(visitor, within=DAY)
    if recent.count() >= limits.votes_per_day:
        return Vote.Reason.DAILY_CAP
    on_pair = recent.filter(battle__model_a_id__in=pair, battle__model_b_id__in=pair)
    return Vote.Reason.PAIR_CAP if on_pair.count() >= limits.pair_votes_per_day else ""


def is_flagged(battle: Battle) -> bool:
    """Tell whether a moderator has upheld a flag on the battle."""
    conversations = battle.conversation_ids.values()
    return Message.objects.filter(
        conversation_id__in=conversations, flags__status="upheld"
    ).exists()


def first_prompt(battle: Battle) -> str:
    """Return what the battle began with; empty for an imported one."""
    prompt = (
        Message.objects.filter(
            conversation__battle_as_a=battle, role=Message.Role.USER, is_current=True
        )
        .order_by("position")
        .values_list("content", flat=True)
        .first()
    )
    return prompt or ""


def recent_counted_votes(visitor: Visitor, *, within: timedelta) -> QuerySet[Vote]:
    """Return the counted votes of a visitor, or of the visitor's account, of late."""
    voter = Q(voter=visitor.key)
    if visitor.user_id:
        voter |= Q(battle__user_id=visitor.user_id)
    since = timezone.now() - within
    return Vote.objects.filter(voter, is_counted=True, created_at__gte=since)


def counted_votes() -> QuerySet[Vote]:
    """Return the votes that count, in the order they were chained, with battle and models."""
    return (
        Vote.objects.filter(is_counted=True)
        .select_related("battle__model_a", "battle__model_b")
        .order_by("pk")
    )


def outcome_counts() -> list[OutcomeCount]:
    """Return all counted votes, counted by served pair, outcome and language: one query."""
    rows = (
        Vote.objects.filter(is_counted=True)
        .values(
            "winner",
            model_a_id=F("battle__model_a_id"),
            model_b_id=F("battle__model_b_id"),
            language=F("battle__language"),
        )
        .annotate(votes=Count("pk"))
        .order_by("model_a_id", "model_b_id", "winner", "language")
    )
    return [OutcomeCount(**row) for row in rows]
