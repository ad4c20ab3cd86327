"""Battles and votes, to look at and never to change."""

from django.contrib import admin
from django.http import HttpRequest

from arena.models import Battle, Vote
from chat.admin import ReadOnlyAdmin


class VoteInline(admin.StackedInline):  # type: ignore[type-arg]  # no generics at run time
    """The verdict, below its battle."""

    model = Vote
    fields = (
        "winner",
        "is_counted",
        "reason",
        "voter",
        "network",
        "dwell_ms",
        "created_at",
        "previous_hash",
        "content_hash",
    )
    readonly_fields = fields
    can_delete = False
    max_num = 0


@admin.register(Battle)
class BattleAdmin(ReadOnlyAdmin):
    """Who met whom, how likely that was, and how it ended."""

    list_display = (
        "public_id",
        "model_a",
        "model_b",
        "state",
        "source",
        "serving_probability",
        "leaks_identity",
        "created_at",
    )
    list_filter = ("state", "source", "leaks_identity", "language", "created_at")
    list_select_related = ("model_a", "model_b")
    search_fields = ("public_id", "external_id", "visitor", "model_a__name", "model_b__name")
    date_hierarchy = "created_at"
    inlines = (VoteInline,)


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    """Verdicts in the order of their chain."""

    list_display = ("battle", "winner", "is_counted", "reason", "dwell_ms", "voter", "created_at")
    list_filter = ("winner", "is_counted", "reason", "created_at")
    list_select_related = ("battle",)
    search_fields = ("battle__public_id", "voter", "network", "content_hash")
    date_hierarchy = "created_at"
    ordering = ("-pk",)

    def get_actions(self, request: HttpRequest) -> dict[str, object]:  # type: ignore[override]
        """Offer none: a vote is written once."""
        del request
        return {}
