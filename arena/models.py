"""Battles between two anonymous models, and the votes that end them."""

from typing import Any, Never

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from arena.exceptions import AppendOnlyError
from chat.models import Conversation, new_public_id
from inference.models import LanguageModel

GENESIS_HASH = "0" * 64


class Battle(models.Model):
    """Two models answering the same prompts without a name.

    served → answered → voted; a failed or unfinished answer keeps the battle in `served`, the vote
    reveals the models.
    """

    class State(models.TextChoices):
        """How far the battle has come."""

        SERVED = "served", _("served")
        ANSWERED = "answered", _("answered")
        VOTED = "voted", _("voted")

    class Source(models.TextChoices):
        """Where the battle was fought."""

        SITE = "site", _("this site")
        IMPORT = "import", _("imported")

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    source = models.CharField(max_length=6, choices=Source, default=Source.SITE)
    external_id = models.CharField(max_length=128, null=True, blank=True, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    visitor = models.CharField(max_length=32, blank=True, help_text=_("keyed hash of the session"))
    model_a = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="+")
    model_b = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="+")
    conversation_a = models.OneToOneField(
        Conversation, null=True, blank=True, on_delete=models.PROTECT, related_name="battle_as_a"
    )
    conversation_b = models.OneToOneField(
        Conversation, null=True, blank=True, on_delete=models.PROTECT, related_name="battle_as_b"
    )
    state = models.CharField(max_length=8, choices=State, default=State.SERVED)
    serving_probability = models.FloatField(
        null=True, blank=True, help_text=_("probability of this unordered pair when it was drawn")
    )
    policy_version = models.CharField(max_length=32, blank=True)
    language = models.CharField(max_length=16, blank=True)
    leaks_identity = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    answered_at = models.DateTimeField(null=True, blank=True)
    abandoned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Lists by visitor and by state; rules about models and probabilities."""

        verbose_name = _("battle")
        verbose_name_plural = _("battles")
        indexes = [
            models.Index(fields=["visitor", "created_at"], name="battle_of_visitor"),
            models.Index(fields=["state", "created_at"], name="battle_by_state"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["served", "answered", "voted"]), name="battle_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(model_a=F("model_b")), name="battle_of_two_different_models"
            ),
            models.CheckConstraint(
                condition=Q(serving_probability__isnull=True)
                | Q(serving_probability__gt=0, serving_probability__lte=1),
                name="battle_probability_in_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} ({self.state})"

    @property
    def conversation_ids(self) -> dict[str, int]:
        """The conversation of each side; none for an imported battle."""
        sides = {"a": self.conversation_a_id, "b": self.conversation_b_id}
        return {side: key for side, key in sides.items() if key is not None}

    @property
    def is_voted(self) -> bool:
        """Whether the battle has its verdict and its models are known to the voter."""
        return self.state == self.State.VOTED


class VoteQuerySet(models.QuerySet["Vote"]):
    """Votes are written once: bulk changes are refused like single ones."""

    def update(self, **_kwargs: Any) -> Never:
        """Refuse."""
        raise AppendOnlyError

    def delete(self) -> Never:
        """Refuse."""
        raise AppendOnlyError


class Vote(models.Model):
    """The verdict on a battle: written once, chained to the vote before it."""

    class Winner(models.TextChoices):
        """The four verdicts."""

        A = "a", _("A is better")
        B = "b", _("B is better")
        TIE = "tie", _("tie")
        BOTH_BAD = "both_bad", _("both are bad")

    class Reason(models.TextChoices):
        """Why a vote does not count; empty for one that does."""

        IDENTITY_LEAK = "identity_leak", _("a model was named before the vote")
        PAIR_CAP = "pair_cap", _("too many votes of one voter on one pair in a day")
        DAILY_CAP = "daily_cap", _("too many votes of one voter in a day")
        FLAGGED = "flagged", _("moderation flagged the battle")

    battle = models.OneToOneField(Battle, on_delete=models.PROTECT, related_name="vote")
    winner = models.CharField(max_length=8, choices=Winner)
    is_counted = models.BooleanField(default=True)
    reason = models.CharField(max_length=16, choices=Reason, blank=True)
    voter = models.CharField(max_length=32, blank=True, help_text=_("keyed hash of the session"))
    network = models.CharField(max_length=32, blank=True, help_text=_("keyed hash of the network"))
    dwell_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("from the last answer to the vote")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    previous_hash = models.CharField(max_length=64, unique=True, editable=False)
    content_hash = models.CharField(max_length=64, unique=True, editable=False)

    objects = VoteQuerySet.as_manager()

    class Meta:
        """Votes of a voter by time; a known winner, and a reason where a vote does not count."""

        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        indexes = [models.Index(fields=["voter", "created_at"], name="vote_of_voter")]
        constraints = [
            models.CheckConstraint(
                condition=Q(winner__in=["a", "b", "tie", "both_bad"]), name="vote_winner_known"
            ),
            models.CheckConstraint(
                condition=Q(is_counted=True, reason="") | (Q(is_counted=False) & ~Q(reason="")),
                name="vote_uncounted_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.battle_id}: {self.winner}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the vote.

        Raises:
            AppendOnlyError: the vote is stored already.
        """
        if not self._state.adding:
            raise AppendOnlyError
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> Never:
        """Refuse."""
        raise AppendOnlyError


class VoteChain(models.Model):
    """The end of the chain of votes: one row, locked by whoever appends."""

    head_hash = models.CharField(max_length=64, default=GENESIS_HASH)
    length = models.PositiveBigIntegerField(default=0)

    class Meta:
        """Not among what people edit."""

        verbose_name = _("chain of votes")
        verbose_name_plural = _("chain of votes")

    def __str__(self) -> str:
        return f"{self.length} votes, {self.head_hash[:12]}"
