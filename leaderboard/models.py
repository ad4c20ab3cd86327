"""What the leaderboard stores: counters of outcomes, and snapshots that never change."""

import secrets
from typing import Any, Never

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.models import LanguageModel
from leaderboard.categories import Board
from leaderboard.exceptions import ImmutableSnapshotError


def new_stamp() -> str:
    """Return a fresh random 128-bit value as 32 hexadecimal digits."""
    return secrets.token_hex(16)


BOARD_TITLES = {
    Board.OVERALL: _("Overall"),
    Board.ENGLISH: _("English"),
    Board.CHINESE: _("Chinese"),
}
BOARD_CHOICES = [(board.value, title) for board, title in BOARD_TITLES.items()]


class BoardState(models.Model):
    """One row a board: its stamp changes with every counter, and its lock orders the writers."""

    board = models.CharField(_("board"), max_length=16, choices=BOARD_CHOICES, primary_key=True)
    stamp = models.CharField(_("stamp"), max_length=32, default=new_stamp)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)

    def __str__(self) -> str:
        return f"{self.board} {self.stamp[:12]}"


class PairCount(models.Model):
    """How often two models met on a board and how it ended, seen from the first model."""

    board = models.CharField(_("board"), max_length=16, choices=BOARD_CHOICES)
    model_a = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="+")
    model_b = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="+")
    a_wins = models.PositiveBigIntegerField(default=0)
    b_wins = models.PositiveBigIntegerField(default=0)
    ties = models.PositiveBigIntegerField(default=0)
    both_bad = models.PositiveBigIntegerField(default=0)

    class Meta:
        """One row for a board and an unordered pair."""

        verbose_name = _("pair count")
        verbose_name_plural = _("pair counts")
        ordering = ["board", "model_a", "model_b"]
        constraints = [
            models.UniqueConstraint(fields=["board", "model_a", "model_b"], name="pair_once"),
            models.CheckConstraint(condition=Q(model_a__lt=F("model_b")), name="pair_is_ordered"),
        ]

    def __str__(self) -> str:
        return f"{self.board}: {self.model_a} – {self.model_b}"


class SealedQuerySet(models.QuerySet[Any]):
    """Rows that are written once."""

    def update(self, **_kwargs: Any) -> Never:
        """Refuse."""
        raise ImmutableSnapshotError

    def delete(self) -> Never:
        """Refuse."""
        raise ImmutableSnapshotError


class SealedModel(models.Model):
    """A row that is written once."""

    objects = SealedQuerySet.as_manager()

    class Meta:
        """No table of its own."""

        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row.

        Raises:
            ImmutableSnapshotError: the row is stored already.
        """
        if not self._state.adding:
            raise ImmutableSnapshotError
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> Never:
        """Refuse."""
        raise ImmutableSnapshotError


class Snapshot(SealedModel):
    """A board as it was published at one moment."""

    public_id = models.CharField(max_length=32, unique=True, default=new_stamp, editable=False)
    board = models.CharField(_("board"), max_length=16, choices=BOARD_CHOICES)
    taken_at = models.DateTimeField(_("taken"), default=timezone.now)
    votes = models.PositiveBigIntegerField(_("votes"))
    content_hash = models.CharField(
        _("content hash"), max_length=64, help_text=_("SHA-256 of the entries as JSON.")
    )

    class Meta:
        """Newest first."""

        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        ordering = ["-taken_at"]
        indexes = [models.Index(fields=["board", "-taken_at"], name="snapshots_of_board")]

    def __str__(self) -> str:
        return f"{self.board} {self.taken_at:%Y-%m-%d %H:%M}"


class SnapshotEntry(SealedModel):
    """One model's line in a snapshot; the name is copied, so it outlives the card."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="entries")
    position = models.PositiveIntegerField(_("position"))
    model = models.CharField(_("model"), max_length=128)
    rating = models.FloatField(_("rating"))
    lower = models.FloatField(_("lower end"), null=True)
    upper = models.FloatField(_("upper end"), null=True)
    best_rank = models.PositiveIntegerField(_("best rank"))
    worst_rank = models.PositiveIntegerField(_("worst rank"))
    votes = models.PositiveBigIntegerField(_("votes"))
    standing = models.CharField(_("standing"), max_length=8)

    class Meta:
        """In the order of the board; a model stands in it once."""

        verbose_name = _("snapshot entry")
        verbose_name_plural = _("snapshot entries")
        ordering = ["snapshot", "position"]
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "model"], name="entry_once_a_snapshot"),
            models.CheckConstraint(
                condition=Q(best_rank__gte=1) & Q(worst_rank__gte=F("best_rank")),
                name="entry_rank_is_an_interval",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.rating:.0f}"
