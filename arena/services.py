"""Writes of battles and votes, each one transaction."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from arena.chain import append_votes
from arena.conf import arena_settings
from arena.exceptions import (
    AlreadyVotedError,
    BattleIncompleteError,
    BattleNotFoundError,
    BattleOverError,
)
from arena.matchmaking import POLICY_VERSION, Pairing
from arena.models import Battle, Vote
from arena.selectors import (
    battle_turns,
    has_named_model,
    is_complete,
    open_sides,
    reason_not_to_count,
)
from chat.exceptions import BannedError, TurnRunningError
from chat.models import Conversation, Message, is_public_id
from chat.moderation import Finding
from chat.selectors import is_banned, owned_by
from chat.services import start_conversation, store_prompt, store_retry
from chat.visitors import Visitor
from inference.models import LanguageModel
from inference.selectors import model_named, recommended_params


@transaction.atomic
def start_battle(
    *, visitor: Visitor, pairing: Pairing, prompt: str, findings: Sequence[Finding] | None = None
) -> Battle:
    """Store a battle with its two conversations, the first prompt and two open answers.

    Args:
        visitor: whose battle it is.
        pairing: who answers on which side.
        prompt: one that `chat.policy.checked_prompt` has passed.
        findings: what a moderator found in it; None asks one.
    """
    model_a, model_b = model_named(pairing.a), model_named(pairing.b)
    battle = Battle.objects.create(
        user_id=visitor.user_id,
        visitor=visitor.key,
        model_a=model_a,
        model_b=model_b,
        conversation_a=_side(visitor, model_a),
        conversation_b=_side(visitor, model_b),
        serving_probability=pairing.probability,
        policy_version=POLICY_VERSION,
    )
    _store_on_both(battle, prompt, findings)
    return battle


@transaction.atomic
def store_battle_prompt(
    *, visitor: Visitor, battle_id: str, prompt: str, findings: Sequence[Finding] | None = None
) -> Battle:
    """Store a further prompt of a battle with two open answers.

    Raises:
        BattleNotFoundError: the visitor has no such battle.
        BattleOverError: it has its verdict.
        TurnRunningError: an answer is still being written.
        BattleIncompleteError: a side has failed to answer the prompt before.
        TurnLimitError: the battle is as long as is allowed.
    """
    battle = _locked(visitor, battle_id)
    if open_sides(battle):
        raise TurnRunningError
    if not is_complete(battle):
        raise BattleIncompleteError
    _store_on_both(battle, prompt, findings)
    _reopen(battle)
    return battle


@transaction.atomic
def store_battle_retry(*, visitor: Visitor, battle_id: str) -> tuple[Battle, list[Message]]:
    """Ask again for what failed in the last turn, or for both answers when nothing did.

    Returns:
        The battle and its new open answers, one or two.

    Raises:
        BattleNotFoundError: the visitor has no such battle.
        BattleOverError: it has its verdict.
        TurnRunningError: an answer is still being written.
    """
    battle = _locked(visitor, battle_id)
    answers = list(battle_turns(battle)[-1].answers.values())
    failed = [answer for answer in answers if not answer.is_complete]
    again = [store_retry(conversation_id=answer.conversation_id) for answer in failed or answers]
    _reopen(battle)
    return battle, again


@transaction.atomic
def note_answers(*, battle_pk: int) -> Battle:
    """Move a battle to `answered` if both sides have answered everything."""
    battle = Battle.objects.select_for_update().get(pk=battle_pk)
    if battle.state == Battle.State.SERVED and is_complete(battle):
        battle.state = Battle.State.ANSWERED
        battle.answered_at = timezone.now()
        battle.save(update_fields=["state", "answered_at"])
    return battle


@transaction.atomic
def record_vote(*, visitor: Visitor, battle_id: str, winner: Vote.Winner) -> Vote:
    """Store the verdict on a battle, reveal its models and count the vote.

    A vote on a battle in which a model was named, or beyond the voter's share, is stored and not
    counted. What the setting ARENA["vote_counters"] names runs in this transaction.

    Args:
        visitor: who votes.
        battle_id: public id of the battle.
        winner: the verdict.

    Raises:
        BannedError: a moderator keeps the visitor out.
        BattleNotFoundError: the visitor has no such battle.
        AlreadyVotedError: the battle has its verdict.
        BattleIncompleteError: a side has not answered.
    """
    if is_banned(visitor):
        raise BannedError
    try:
        battle = _locked(visitor, battle_id)
    except BattleOverError:
        raise AlreadyVotedError from None
    if not is_complete(battle):
        raise BattleIncompleteError
    now = timezone.now()
    battle.answered_at = battle.answered_at or now
    battle.leaks_identity = has_named_model(battle)
    reason = reason_not_to_count(battle, visitor)
    battle.state = Battle.State.VOTED
    battle.save(update_fields=["state", "answered_at", "leaks_identity"])
    vote = Vote(
        battle=battle,
        winner=winner,
        is_counted=not reason,
        reason=reason,
        voter=visitor.key,
        network=visitor.network,
        dwell_ms=int((now - battle.answered_at).total_seconds() * 1000),
        created_at=now,
    )
    append_votes([vote])
    run_counters(vote)
    return vote


def run_counters(vote: Vote) -> None:
    """Call everything that counts votes with a new one."""
    for path in arena_settings().vote_counters:
        import_string(path)(vote)


def abandon_battle(*, visitor: Visitor, battle_id: str) -> None:
    """Note that a visitor left a battle without a verdict; a voted one is left as it is."""
    Battle.objects.filter(owned_by(visitor), public_id=battle_id, abandoned_at=None).exclude(
        state=Battle.State.VOTED
    ).update(abandoned_at=timezone.now())


def note_language(*, battle: Battle, language: str) -> None:
    """Keep the language of a battle, so that it is told once."""
    battle.language = language
    battle.save(update_fields=["language"])


def _locked(visitor: Visitor, battle_id: str) -> Battle:
    """Return the visitor's battle, locked and without a verdict."""
    if not is_public_id(battle_id):
        raise BattleNotFoundError
    battle = (
        Battle.objects.select_for_update(of=("self",))
        .select_related("model_a", "model_b")
        .filter(owned_by(visitor), public_id=battle_id)
        .first()
    )
    if battle is None:
        raise BattleNotFoundError
    if battle.is_voted:
        raise BattleOverError
    return battle


def _side(visitor: Visitor, model: LanguageModel) -> Conversation:
    wanted = arena_settings()
    params = {
        "temperature": wanted.temperature,
        "top_p": wanted.top_p,
        "max_tokens": wanted.max_tokens,
        **recommended_params(model),
    }
    return start_conversation(
        visitor=visitor, model=model, purpose=Conversation.Purpose.BATTLE, params=params
    )


def _store_on_both(battle: Battle, prompt: str, findings: Sequence[Finding] | None) -> None:
    """Store the prompt on both sides; what was found in it is flagged once."""
    ids = battle.conversation_ids
    store_prompt(conversation_id=ids["a"], text=prompt, findings=findings)
    store_prompt(conversation_id=ids["b"], text=prompt, findings=())


def _reopen(battle: Battle) -> None:
    """Take the battle back to `served`, since an answer is being written."""
    battle.state = Battle.State.SERVED
    battle.answered_at = None
    battle.abandoned_at = None
    battle.save(update_fields=["state", "answered_at", "abandoned_at"])
