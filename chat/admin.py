"""Conversations, the queue of flags, and bans, for moderators."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chat.models import Ban, Conversation, Message, ModerationFlag
from chat.moderating import ban_authors, lift_bans, resolve_flags

WEEK = timedelta(days=7)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # one base for several models
    """Rows that people look at and the site alone writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False


class MessageInline(admin.TabularInline):  # type: ignore[type-arg]  # no generics at run time
    """What was said, below its conversation."""

    model = Message
    fields = ("position", "version", "role", "content", "state", "error_code", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    max_num = 0


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Chats and the sides of battles."""

    list_display = ("public_id", "title", "purpose", "model", "created_at", "deleted_at")
    list_filter = ("purpose", "model", "created_at")
    list_select_related = ("model",)
    search_fields = ("public_id", "title", "visitor", "messages__content")
    date_hierarchy = "created_at"
    inlines = (MessageInline,)


@admin.register(ModerationFlag)
class ModerationFlagAdmin(ReadOnlyAdmin):
    """The queue: oldest open flags first."""

    list_display = ("category", "detail", "excerpt", "source", "status", "reviewer", "created_at")
    list_filter = ("status", "category", "source")
    list_select_related = ("message", "reviewer")
    search_fields = ("detail", "message__content", "message__conversation__visitor")
    ordering = ("status", "created_at")
    actions = ("uphold", "dismiss", "ban_for_a_week")

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may decide; looking at the queue takes less."""
        return request.user.has_perm("chat.change_moderationflag")

    @admin.display(description=_("text"))
    def excerpt(self, flag: ModerationFlag) -> str:
        """Return the beginning of the flagged message."""
        return flag.message.content[:120]

    @admin.action(description=_("Uphold: the text breaks the rules"), permissions=["moderate"])
    def uphold(self, request: HttpRequest, flags: QuerySet[ModerationFlag]) -> None:
        """Close the flags as right."""
        self._resolve(request, flags, ModerationFlag.Status.UPHELD)

    @admin.action(description=_("Dismiss: the text is fine"), permissions=["moderate"])
    def dismiss(self, request: HttpRequest, flags: QuerySet[ModerationFlag]) -> None:
        """Close the flags as wrong."""
        self._resolve(request, flags, ModerationFlag.Status.DISMISSED)

    @admin.action(description=_("Uphold, and ban the authors for a week"), permissions=["moderate"])
    def ban_for_a_week(self, request: HttpRequest, flags: QuerySet[ModerationFlag]) -> None:
        """Close the flags as right and keep their authors out."""
        banned = ban_authors(flags=flags, moderator=request.user, duration=WEEK)
        self._resolve(request, flags, ModerationFlag.Status.UPHELD)
        self.message_user(request, _("%(count)s bans") % {"count": banned})

    def _resolve(
        self, request: HttpRequest, flags: QuerySet[ModerationFlag], status: ModerationFlag.Status
    ) -> None:
        resolved = resolve_flags(flags=flags, reviewer=request.user, status=status)
        self.message_user(request, _("%(count)s flags resolved") % {"count": resolved})


@admin.register(Ban)
class BanAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generics at run time
    """Who is kept out, why and until when."""

    list_display = ("__str__", "created_by", "created_at", "expires_at", "lifted_at")
    list_filter = ("created_at", "expires_at")
    search_fields = ("visitor", "network", "user__username", "reason")
    raw_id_fields = ("user",)
    readonly_fields = ("created_by", "created_at", "lifted_at")
    actions = ("lift",)

    def save_model(self, request: HttpRequest, obj: Ban, form: Any, change: bool) -> None:
        """Note who made the ban."""
        if not change:
            obj.created_by_id = request.user.pk
        super().save_model(request, obj, form, change)

    @admin.action(description=_("Lift"), permissions=["change"])
    def lift(self, request: HttpRequest, bans: QuerySet[Ban]) -> None:
        """End the bans now."""
        lifted = lift_bans(bans=bans)
        self.message_user(request, _("%(count)s bans lifted") % {"count": lifted})
