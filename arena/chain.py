"""The chain of votes: how one is appended, and whether it still holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from arena.integrity import chained_hash
from arena.models import GENESIS_HASH, Vote, VoteChain

# One row stands for the whole chain: whoever appends locks it.
CHAIN_KEY = 1


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What walking the chain found.

    Attributes:
        length: votes that were read.
        broken_at: primary key of the first vote that does not fit, None for a whole chain.
    """

    length: int
    broken_at: int | None


def append_votes(votes: Sequence[Vote]) -> list[Vote]:
    """Chain new votes to the end and store them, in their order.

    Their battles and the models of those must be loaded. Runs in the caller's transaction.
    """
    chain, _ = VoteChain.objects.select_for_update().get_or_create(pk=CHAIN_KEY)
    for vote in votes:
        vote.previous_hash = chain.head_hash
        vote.content_hash = chained_hash(chain.head_hash, vote_content(vote))
        chain.head_hash = vote.content_hash
    chain.length += len(votes)
    chain.save(update_fields=["head_hash", "length"])
    return Vote.objects.bulk_create(votes)


@transaction.atomic
def verify_chain() -> ChainReport:
    """Walk all votes in order and compare every hash, and the end, with what is stored."""
    chain = VoteChain.objects.filter(pk=CHAIN_KEY).first() or VoteChain()
    votes = Vote.objects.select_related("battle__model_a", "battle__model_b").order_by("pk")
    report = _walk(votes.iterator(chunk_size=2000), expected_end=chain.head_hash)
    if report.broken_at is None and report.length != chain.length:
        return ChainReport(report.length, broken_at=0)
    return report


def vote_content(vote: Vote) -> dict[str, object]:
    """Return what of a vote its hash covers."""
    battle = vote.battle
    return {
        "battle": battle.public_id,
        "model_a": battle.model_a.name,
        "model_b": battle.model_b.name,
        "winner": str(vote.winner),
        "is_counted": vote.is_counted,
        "reason": str(vote.reason),
        "voter": vote.voter,
        "created_at": vote.created_at.isoformat(),
    }


def _walk(votes: Iterable[Vote], *, expected_end: str) -> ChainReport:
    """Compare vote by vote; an end that is missing shows as broken at 0."""
    previous, length = GENESIS_HASH, 0
    for vote in votes:
        fits = vote.previous_hash == previous
        if not fits or vote.content_hash != chained_hash(previous, vote_content(vote)):
            return ChainReport(length, broken_at=vote.pk)
        previous, length = vote.content_hash, length + 1
    return ChainReport(length, broken_at=None if previous == expected_end else 0)
