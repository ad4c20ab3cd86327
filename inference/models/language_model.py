"""The card of a model."""

from typing import ClassVar

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# A served name appears in queue names, addresses and JSON: printable, no blanks, no quotes.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}\Z"
NAME_MAX_CHARS = 128

validate_model_name = RegexValidator(
    NAME_PATTERN,
    _("Use 1 to 128 letters, digits and . _ : / @ + - and begin with a letter or digit."),
)


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
