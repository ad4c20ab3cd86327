"""A server elsewhere that answers for a model."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.addresses import address_fault
from inference.models.language_model import NAME_MAX_CHARS, LanguageModel

DEFAULT_SLOTS = 16


def validate_endpoint_address(value: str) -> None:
    """Return if a server can be asked at this address.

    Raises:
        ValidationError: it cannot; the message says why.
    """
    if fault := address_fault(value):
        raise ValidationError(fault)


class Endpoint(models.Model):
    """A server elsewhere that answers for a model; its secret stays in the environment."""

    model = models.ForeignKey(
        LanguageModel,
        on_delete=models.CASCADE,
        related_name="endpoints",
        verbose_name=_("language model"),
    )
    dialect = models.CharField(
        _("dialect"),
        max_length=32,
        default="openai",
        help_text=_("What the server speaks, such as openai, anthropic or vllm."),
    )
    url = models.CharField(
        _("address"),
        max_length=300,
        blank=True,
        validators=[validate_endpoint_address],
        help_text=_("Base address, such as https://host/v1. Empty: the dialect's own."),
    )
    remote_name = models.CharField(
        _("name over there"),
        max_length=NAME_MAX_CHARS,
        blank=True,
        help_text=_("Empty: the same name as here."),
    )
    key_variable = models.CharField(
        _("key variable"),
        max_length=64,
        blank=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9_]*\Z", _("Use capital letters, digits and _."))],
        help_text=_("Name of the environment variable that holds the API key, never the key."),
    )
    takes_images = models.BooleanField(
        _("takes images"), default=False, help_text=_("Images in a conversation are sent along.")
    )
    system_prompt = models.TextField(
        _("system prompt"),
        blank=True,
        help_text=_("Said first where a conversation has no system message."),
    )
    fixed_temperature = models.FloatField(
        _("fixed temperature"),
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(2.0)],
        help_text=_("Sent whatever is asked for; empty leaves the choice."),
    )
    recommended = models.JSONField(
        _("recommended parameters"),
        default=dict,
        blank=True,
        help_text=_("temperature, top_p and max_tokens of battles."),
    )
    extra_body = models.JSONField(
        _("extra fields"), default=dict, blank=True, help_text=_("Added to every request.")
    )
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("What else the dialect needs.")
    )
    dropped_params = models.JSONField(
        _("dropped parameters"),
        default=list,
        blank=True,
        help_text=_("Names of parameters that are left out silently, as the server refuses them."),
    )
    slots = models.PositiveIntegerField(
        _("slots"),
        default=DEFAULT_SLOTS,
        validators=[MinValueValidator(1)],
        help_text=_("Answers at the same time."),
    )
    requests_per_minute = models.PositiveIntegerField(
        _("requests a minute"), default=0, help_text=_("0 sets no limit.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    failures_in_row = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    rests_until = models.DateTimeField(_("rests until"), null=True, blank=True, editable=False)
    last_failure = models.CharField(_("last failure"), max_length=64, blank=True, editable=False)
    last_failed_at = models.DateTimeField(_("last failed"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        """One row for an address and a model."""

        verbose_name = _("endpoint")
        verbose_name_plural = _("endpoints")
        ordering: ClassVar = ["model__name", "url"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="inference_endpoint_once_per_model", fields=["model", "url"]
            ),
            models.CheckConstraint(
                name="inference_endpoint_has_dialect", condition=~models.Q(dialect="")
            ),
            models.CheckConstraint(
                name="inference_endpoint_has_slots", condition=models.Q(slots__gte=1)
            ),
            models.CheckConstraint(
                name="inference_endpoint_speaks_http",
                condition=models.Q(url="")
                | models.Q(url__startswith="http://")
                | models.Q(url__startswith="https://"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} @ {self.url or self.dialect}"
