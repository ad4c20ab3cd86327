"""What each key has used."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.models.api_key import ApiKey
from inference.models.language_model import NAME_MAX_CHARS


class ApiUsage(models.Model):
    """What one key used of one model on one day, in UTC; counters that only grow."""

    key = models.ForeignKey(
        ApiKey, on_delete=models.CASCADE, related_name="usage", verbose_name=_("API key")
    )
    day = models.DateField(_("day"))
    model = models.CharField(
        _("model"),
        max_length=NAME_MAX_CHARS,
        blank=True,
        help_text=_("Empty where a request named no model that answers."),
    )
    requests = models.PositiveBigIntegerField(_("requests"), default=0)
    prompt_tokens = models.PositiveBigIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveBigIntegerField(_("completion tokens"), default=0)
    errors = models.PositiveBigIntegerField(_("errors"), default=0)

    class Meta:
        """One row for a key, a day and a model; newest first."""

        verbose_name = _("API usage")
        verbose_name_plural = _("API usage")
        ordering: ClassVar = ["-day", "key", "model"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="inference_usage_once_a_day", fields=["key", "day", "model"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} · {self.day} · {self.model}"

    @property
    def total_tokens(self) -> int:
        """Prompts and answers together."""
        return self.prompt_tokens + self.completion_tokens
