"""What a program shows to use the API."""

import re
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.keys import MAX_KEY_MODELS, SCOPES
from inference.models.language_model import NAME_PATTERN

KEY_HASH_HEX_DIGITS = 64


def validate_scopes(value: Any) -> None:
    """Return if this is a list of scopes that exist.

    Raises:
        ValidationError: it is not.
    """
    if not isinstance(value, list) or not set(map(str, value)) <= set(SCOPES):
        raise ValidationError(_("Choose from: %(scopes)s.") % {"scopes": ", ".join(SCOPES)})


def validate_model_names(value: Any) -> None:
    """Return if this is a list of names that models can be served under.

    Raises:
        ValidationError: it is not.
    """
    if not isinstance(value, list) or len(value) > MAX_KEY_MODELS:
        raise ValidationError(_("Name at most %(count)d models.") % {"count": MAX_KEY_MODELS})
    for name in value:
        if not re.match(NAME_PATTERN, str(name)):
            raise ValidationError(
                _("%(name)s cannot be a model's name.") % {"name": str(name)[:200]}
            )


class BudgetPeriod(models.TextChoices):
    """What a budget of tokens is for."""

    TOTAL = "total", _("all time")
    MONTH = "month", _("each month")


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
    scopes = models.JSONField(
        _("scopes"),
        default=list,
        blank=True,
        validators=[validate_scopes],
        help_text=_("Parts of the API it opens; none chosen opens all."),
    )
    allowed_models = models.JSONField(
        _("models"),
        default=list,
        blank=True,
        validators=[validate_model_names],
        help_text=_("Names of the models it may use, one a line; empty allows all."),
    )
    requests_per_minute = models.PositiveIntegerField(
        _("requests a minute"),
        null=True,
        blank=True,
        help_text=_("Empty takes the site's limit, 0 sets none."),
    )
    tokens_per_minute = models.PositiveIntegerField(
        _("tokens a minute"),
        null=True,
        blank=True,
        help_text=_("Of prompts and answers. Empty takes the site's limit, 0 sets none."),
    )
    token_budget = models.PositiveBigIntegerField(
        _("token budget"),
        null=True,
        blank=True,
        help_text=_("Tokens it may use before the door closes; empty sets no budget."),
    )
    budget_period = models.CharField(
        _("budget is for"),
        max_length=8,
        choices=BudgetPeriod.choices,
        default=BudgetPeriod.TOTAL,
    )

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
            models.CheckConstraint(
                name="inference_key_budget_period_exists",
                condition=models.Q(budget_period__in=BudgetPeriod.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_valid_at(self, moment: datetime) -> bool:
        """Tell whether the key opens the door at this moment."""
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or moment < self.expires_at

    def opens(self, scope: str) -> bool:
        """Tell whether the key opens this part of the API."""
        return not self.scopes or scope in self.scopes

    def may_use(self, model: str) -> bool:
        """Tell whether the key may use the model of this name."""
        return not self.allowed_models or model in self.allowed_models
