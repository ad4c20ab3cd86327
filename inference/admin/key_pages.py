"""API keys as moderators see them."""

import re
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import (
    CharField,
    CheckboxSelectMultiple,
    ModelForm,
    MultipleChoiceField,
    Textarea,
)
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference import selectors, services
from inference.keys import SCOPES, KeyTerms
from inference.models import ApiKey


class NamesField(CharField):
    """Names of models, one a line."""

    widget = Textarea(attrs={"rows": 4, "cols": 40})

    def prepare_value(self, value: Any) -> Any:
        """Return the names as text."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the names as a list, each once."""
        return list(dict.fromkeys(re.findall(r"[^\s,]+", str(value or ""))))

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare names, not the blanks between them."""
        return bool(list(initial or []) != self.to_python(data))


class ApiKeyForm(ModelForm):  # type: ignore[type-arg]  # no arguments at run time
    """Keeps people from making a key that opens nothing."""

    scopes = MultipleChoiceField(
        label=_("scopes"),
        choices=[(scope, scope) for scope in SCOPES],
        widget=CheckboxSelectMultiple,
        required=False,
        help_text=_("Parts of the API it opens; none chosen opens all."),
    )
    allowed_models = NamesField(
        label=_("models"),
        required=False,
        help_text=_("Names of the models it may use, one a line; empty allows all."),
    )

    def clean_expires_at(self) -> datetime | None:
        """Return the moment, which lies ahead for a new key.

        Raises:
            ValidationError: a new key would have expired already.
        """
        moment: datetime | None = self.cleaned_data["expires_at"]
        if self.instance.pk is None and moment is not None and moment <= timezone.now():
            raise ValidationError(_("This moment has passed."))
        return moment


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no arguments at run time
    """Makes keys, shows each once, revokes them."""

    form = ApiKeyForm
    list_display = ("name", "prefix", "user", "created_at", "last_used_at", "expires_at", "is_open")
    list_filter: ClassVar = (
        ("revoked_at", admin.EmptyFieldListFilter),
        ("user", admin.RelatedOnlyFieldListFilter),
    )
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    autocomplete_fields = ("user",)
    fields = (
        "name",
        "user",
        "expires_at",
        "scopes",
        "allowed_models",
        "requests_per_minute",
        "tokens_per_minute",
        "token_budget",
        "budget_period",
        "spent",
        "prefix",
        "created_at",
        "last_used_at",
        "revoked_at",
    )
    readonly_fields = ("spent", "prefix", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke_keys",)

    @admin.display(description=_("valid"), boolean=True)
    def is_open(self, key: ApiKey) -> bool:
        """Tell whether the key opens the door now."""
        return key.is_valid_at(timezone.now())

    @admin.display(description=_("tokens used of the budget"))
    def spent(self, key: ApiKey) -> str:
        """Tell what the key has used in the time its budget is for."""
        return f"{selectors.tokens_spent(key):,}" if key.pk else "-"

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: "ModelForm[ApiKey]", change: bool
    ) -> None:
        """Make a new key and show its text this once; an edited key keeps its text."""
        if change:
            super().save_model(request, obj, form, change)
            return
        terms = KeyTerms(
            scopes=tuple(obj.scopes),
            models=tuple(obj.allowed_models),
            requests_per_minute=obj.requests_per_minute,
            tokens_per_minute=obj.tokens_per_minute,
            token_budget=obj.token_budget,
            budget_period=obj.budget_period,
        )
        key, text = services.create_api_key(
            name=obj.name, user=obj.user, expires_at=obj.expires_at, terms=terms
        )
        obj.pk = key.pk
        obj.refresh_from_db()
        notice = _("Copy the key now, it is not shown again: %(key)s")
        self.message_user(request, notice % {"key": text}, messages.WARNING)

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002  (Django's signature)
        obj: ApiKey | None = None,  # noqa: ARG002
    ) -> bool:
        """Keep every key on record: keys are revoked, not deleted."""
        return False

    @admin.action(description=_("Revoke the chosen keys"))
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Close the door to the chosen keys for good."""
        for key in queryset:
            services.revoke_api_key(key=key)
        self.message_user(request, _("The chosen keys are revoked."), messages.SUCCESS)
