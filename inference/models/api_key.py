"""What a program shows to use the API."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

KEY_HASH_HEX_DIGITS = 64


class ApiKey(models.Model):
    """What a program shows to use the API; only its hash is stored."""

    name = models.CharField(_("name"), max_length=100, help_text=_("What the key is for."))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_keys",
        verbose_name=_("user"),
    )
    prefix = models.CharField(
        _("prefix"),
        max_length=12,
        editable=False,
        help_text=_("First characters, to tell keys apart."),
    )
    key_hash = models.CharField(
        _("hash"), max_length=KEY_HASH_HEX_DIGITS, unique=True, editable=False
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        """Newest first; a hash is always whole."""

        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="inference_key_hash_is_whole",
                condition=Exact(Length("key_hash"), KEY_HASH_HEX_DIGITS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether the key opens the door at this moment."""
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or moment < self.expires_at
