"""Cards of models and servers elsewhere as moderators see them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet, URLField
from django.forms import ChoiceField, ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from inference import services
from inference.exceptions import InvalidRequestError
from inference.models import Endpoint, LanguageModel
from inference.providers.dialects import DIALECTS
from inference.providers.records import check_endpoint
from inference.providers.server import is_key_there

# An address without a scheme means the safe one.
SAFE_ADDRESSES: dict[Any, dict[str, Any]] = {
    URLField: {"assume_scheme": "https"},
}


class EndpointForm(ModelForm):  # type: ignore[type-arg]  # no arguments at run time
    """Offers the dialects there are and checks what each needs."""

    dialect = ChoiceField(label=_("dialect"), choices=lambda: [(name, name) for name in DIALECTS])

    def _post_clean(self) -> None:
        """Check the record as a whole once its fields are in order."""
        super()._post_clean()  # type: ignore[misc]  # Django's hook for what concerns the instance
        if self.errors:
            return
        try:
            check_endpoint(self.instance)
        except InvalidRequestError as error:
            self.add_error(error.param if error.param in self.fields else None, str(error))


class EndpointInline(admin.TabularInline):  # type: ignore[type-arg]  # no arguments at run time
    """The endpoints of a model, on the model's own page."""

    model = Endpoint
    form = EndpointForm
    fields = ("dialect", "url", "remote_name", "key_variable", "is_enabled")
    extra = 0
    show_change_link = True


@admin.register(LanguageModel)
class LanguageModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no arguments at run time
    """Edits cards and says where a model may appear."""

    list_display = (
        "name",
        "title",
        "organisation",
        "licence",
        "is_listed",
        "is_in_arena",
        "sampling_weight",
        "updated_at",
    )
    list_filter = ("is_listed", "is_in_arena", "takes_images", "organisation")
    search_fields = ("name", "title", "organisation", "description")
    readonly_fields = ("path", "created_at", "updated_at")
    inlines = (EndpointInline,)
    formfield_overrides = SAFE_ADDRESSES
    actions = ("list_models", "unlist_models", "admit_to_arena", "take_from_arena")

    @admin.action(description=_("List the chosen models"))
    def list_models(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        """Show models to visitors and programs."""
        self._say(request, services.place_models(models=queryset, is_listed=True))

    @admin.action(description=_("Take the chosen models off the lists"))
    def unlist_models(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        """Hide models from visitors and programs."""
        self._say(request, services.place_models(models=queryset, is_listed=False))

    @admin.action(description=_("Admit the chosen models to the arena"))
    def admit_to_arena(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        """Let models be drawn for battles."""
        self._say(request, services.place_models(models=queryset, is_in_arena=True))

    @admin.action(description=_("Take the chosen models out of the arena"))
    def take_from_arena(self, request: HttpRequest, queryset: QuerySet[LanguageModel]) -> None:
        """Draw models for battles no more."""
        self._say(request, services.place_models(models=queryset, is_in_arena=False))

    def _say(self, request: HttpRequest, count: int) -> None:
        text = ngettext("%(count)d model changed.", "%(count)d models changed.", count)
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no arguments at run time
    """Edits servers elsewhere and shows how they do; their keys stay in the environment."""

    form = EndpointForm
    list_display = ("model", "dialect", "url", "has_key", "state", "is_enabled")
    list_filter = ("is_enabled", "dialect")
    list_select_related = ("model",)
    search_fields = ("model__name", "url", "remote_name")
    autocomplete_fields = ("model",)
    readonly_fields = ("failures_in_row", "rests_until", "last_failure", "last_failed_at")
    actions = ("wake_endpoints",)

    @admin.display(description=_("key is there"), boolean=True)
    def has_key(self, endpoint: Endpoint) -> bool:
        """Tell whether this process finds the key, or none is needed."""
        return is_key_there(endpoint.key_variable)

    @admin.display(description=_("state"))
    def state(self, endpoint: Endpoint) -> str:
        """Tell whether the endpoint works, and else why it rests."""
        if endpoint.rests_until is not None and endpoint.rests_until > timezone.now():
            return _("rests: %(code)s") % {"code": endpoint.last_failure}
        if endpoint.failures_in_row:
            values = {"count": endpoint.failures_in_row, "code": endpoint.last_failure}
            return _("%(count)d failures: %(code)s") % values
        return str(_("works"))

    @admin.action(description=_("End the rest of the chosen endpoints"))
    def wake_endpoints(self, request: HttpRequest, queryset: QuerySet[Endpoint]) -> None:
        """Let requests go to endpoints again that rest after failures."""
        queryset.update(failures_in_row=0, rests_until=None)
        self.message_user(request, _("The chosen endpoints are asked again."), messages.SUCCESS)
