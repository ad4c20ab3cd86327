"""Boards, counters and snapshots, to look at; a board can be published from here."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from chat.admin import ReadOnlyAdmin
from leaderboard.exceptions import EmptyBoardError
from leaderboard.models import BoardState, PairCount, Snapshot, SnapshotEntry
from leaderboard.selectors import parse_board
from leaderboard.services import take_snapshot


@admin.register(BoardState)
class BoardStateAdmin(ReadOnlyAdmin):
    """The boards that have votes; the action publishes them."""

    list_display = ("board", "changed_at", "stamp")
    actions = ("publish",)

    @admin.action(description=_("Publish a snapshot"), permissions=["add_snapshot"])
    def publish(self, request: HttpRequest, queryset: QuerySet[BoardState]) -> None:
        """Take a snapshot of each chosen board."""
        published = 0
        for state in queryset:
            try:
                take_snapshot(parse_board(state.board))
            except EmptyBoardError as error:
                self.message_user(request, str(error), messages.WARNING)
            else:
                published += 1
        text = ngettext("%d snapshot published", "%d snapshots published", published) % published
        self.message_user(request, text, messages.SUCCESS)

    def has_add_snapshot_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may publish."""
        return request.user.has_perm("leaderboard.add_snapshot")


@admin.register(PairCount)
class PairCountAdmin(ReadOnlyAdmin):
    """How often two models met."""

    list_display = ("board", "model_a", "model_b", "a_wins", "b_wins", "ties", "both_bad")
    list_filter = ("board",)
    list_select_related = ("model_a", "model_b")
    search_fields = ("model_a__name", "model_b__name")


class SnapshotEntryInline(admin.TabularInline):  # type: ignore[type-arg]  # no generics at run time
    """The lines of a snapshot."""

    model = SnapshotEntry
    fields = ("position", "model", "rating", "lower", "upper", "best_rank", "worst_rank", "votes")
    readonly_fields = fields
    can_delete = False
    max_num = 0


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    """Boards as they were published."""

    list_display = ("board", "taken_at", "votes", "content_hash")
    list_filter = ("board", "taken_at")
    search_fields = ("public_id", "content_hash")
    date_hierarchy = "taken_at"
    inlines = (SnapshotEntryInline,)
