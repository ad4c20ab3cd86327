"""Conversations, their messages, and what moderators keep about them."""

import re
import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.models import LanguageModel

PUBLIC_ID = re.compile(r"[0-9a-f]{32}")


def new_public_id() -> str:
    """Return a fresh random 128-bit id as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def is_public_id(text: str) -> bool:
    """Tell whether a text from outside can be a public id at all; no other reaches a query."""
    return PUBLIC_ID.fullmatch(text) is not None


class Conversation(models.Model):
    """One visitor talking with one model.

    The sides of a battle are conversations too; `purpose` keeps them out of the visitor's history,
    where they would tell who answers.
    """

    class Purpose(models.TextChoices):
        """What the conversation belongs to."""

        CHAT = "chat", _("chat")
        BATTLE = "battle", _("battle")

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    purpose = models.CharField(max_length=8, choices=Purpose, default=Purpose.CHAT)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    visitor = models.CharField(max_length=32, blank=True, help_text=_("keyed hash of the session"))
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="conversations")
    title = models.CharField(max_length=120, blank=True)
    params = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """The history of a visitor or user, newest first."""

        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        indexes = [
            models.Index(
                fields=["visitor", "purpose", "-updated_at"], name="conversation_of_visitor"
            ),
            models.Index(fields=["user", "purpose", "-updated_at"], name="conversation_of_user"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose__in=["chat", "battle"]), name="conversation_purpose_known"
            )
        ]

    def __str__(self) -> str:
        return self.title or self.public_id


class Message(models.Model):
    """One thing said in a conversation.

    An answer asked for again keeps its position and gets the next version; one version of each
    position is current.
    """

    class Role(models.TextChoices):
        """Who speaks."""

        SYSTEM = "system", _("system")
        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")

    class State(models.TextChoices):
        """How far the message has come; prompts are done when they are stored."""

        PENDING = "pending", _("pending")
        STREAMING = "streaming", _("streaming")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        INTERRUPTED = "interrupted", _("interrupted")

    OPEN_STATES = (State.PENDING, State.STREAMING)

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    position = models.PositiveIntegerField()
    version = models.PositiveIntegerField(default=0)
    is_current = models.BooleanField(default=True)
    role = models.CharField(max_length=9, choices=Role)
    content = models.TextField(blank=True)
    request_id = models.CharField(max_length=32, null=True, blank=True, unique=True)
    state = models.CharField(max_length=11, choices=State, default=State.DONE)
    finish_reason = models.CharField(max_length=16, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """One current version a position, one open answer a conversation."""

        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["conversation", "position", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "position", "version"], name="message_version_unique"
            ),
            models.UniqueConstraint(
                fields=["conversation", "position"],
                condition=Q(is_current=True),
                name="message_one_current_version",
            ),
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(state__in=["pending", "streaming"]),
                name="message_one_open_answer",
            ),
            models.CheckConstraint(
                condition=Q(role__in=["system", "user", "assistant"]), name="message_role_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "pending",
                        "streaming",
                        "done",
                        "failed",
                        "cancelled",
                        "interrupted",
                    ]
                ),
                name="message_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.position}.{self.version}: {self.content[:40]}"

    @property
    def is_open(self) -> bool:
        """Whether the answer may still grow."""
        return self.state in self.OPEN_STATES

    @property
    def is_complete(self) -> bool:
        """Whether the answer ended in a way that can be read and judged.

        An answer stopped by its reader counts when it has text; a failed one never does.
        """
        if self.state == self.State.CANCELLED:
            return bool(self.content.strip())
        return self.state == self.State.DONE


class ModerationFlag(models.Model):
    """A message somebody should look at, and what became of it."""

    class Source(models.TextChoices):
        """Who raised the flag."""

        AUTOMATIC = "automatic", _("automatic")
        REPORT = "report", _("report")

    class Status(models.TextChoices):
        """What a moderator decided."""

        OPEN = "open", _("open")
        UPHELD = "upheld", _("upheld")
        DISMISSED = "dismissed", _("dismissed")

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="flags")
    source = models.CharField(max_length=9, choices=Source, default=Source.AUTOMATIC)
    category = models.CharField(max_length=32)
    detail = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        """The queue by status; one flag a message, source and category."""

        verbose_name = _("flag")
        verbose_name_plural = _("flags")
        indexes = [models.Index(fields=["status", "created_at"], name="flag_queue")]
        constraints = [
            models.UniqueConstraint(
                fields=["message", "source", "category"], name="flag_once_a_category"
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} ({self.status})"


class Ban(models.Model):
    """Somebody who may not prompt or vote for a while: a user, a visitor or a network."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    visitor = models.CharField(max_length=32, blank=True, db_index=True)
    network = models.CharField(max_length=32, blank=True, db_index=True)
    reason = models.CharField(max_length=200)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("empty means for good"))
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A ban is on somebody."""

        verbose_name = _("ban")
        verbose_name_plural = _("bans")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False) | ~Q(visitor="") | ~Q(network=""),
                name="ban_has_a_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user or self.visitor or self.network}: {self.reason}"
