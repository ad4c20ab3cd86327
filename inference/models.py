"""What is stored about models: their cards, endpoints elsewhere, the keys of callers."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.addresses import address_fault

# A served name appears in queue names, addresses and JSON: printable, no blanks, no quotes.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}\Z"
NAME_MAX_CHARS = 128
KEY_HASH_HEX_DIGITS = 64
DEFAULT_SLOTS = 16

validate_model_name = RegexValidator(
    NAME_PATTERN,
    _("Use 1 to 128 letters, digits and . _ : / @ + - and begin with a letter or digit."),
)


def validate_endpoint_address(value: str) -> None:
    """Return if a server can be asked at this address.

    Raises:
        ValidationError: it cannot; the message says why.
    """
    if fault := address_fault(value):
        raise ValidationError(fault)


class LanguageModel(models.Model):
    """The card of a model: what it is called, who made it, where it may appear."""

    name = models.CharField(
        _("name"),
        max_length=NAME_MAX_CHARS,
        unique=True,
        validators=[validate_model_name],
        help_text=_("The name programs and workers use."),
    )
    title = models.CharField(
        _("title"), max_length=128, blank=True, help_text=_("Shown to people instead of the name.")
    )
    organisation = models.CharField(_("organisation"), max_length=128, blank=True)
    licence = models.CharField(_("licence"), max_length=64, blank=True)
    link = models.URLField(_("link"), max_length=300, blank=True)
    description = models.TextField(_("description"), blank=True)
    path = models.CharField(
        _("path"),
        max_length=512,
        blank=True,
        help_text=_("Local folder or hub id of the weights; never shown to visitors."),
    )
    context_length = models.PositiveIntegerField(
        _("context length"), null=True, blank=True, help_text=_("In tokens.")
    )
    takes_images = models.BooleanField(
        _("takes images"), default=False, help_text=_("Messages may show it images.")
    )
    is_listed = models.BooleanField(
        _("listed"),
        default=True,
        help_text=_("Appears on the models page, in chat and in the API."),
    )
    is_in_arena = models.BooleanField(
        _("in the arena"), default=True, help_text=_("May be drawn for battles.")
    )
    sampling_weight = models.FloatField(
        _("sampling weight"),
        default=1.0,
        validators=[MinValueValidator(0.0)],
        help_text=_("How often the arena draws it, relative to the others; 0 never."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        """Names, order and what the database checks."""

        verbose_name = _("language model")
        verbose_name_plural = _("language models")
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(name="inference_model_has_name", condition=~models.Q(name="")),
            models.CheckConstraint(
                name="inference_model_weight_not_negative",
                condition=models.Q(sampling_weight__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.name


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
