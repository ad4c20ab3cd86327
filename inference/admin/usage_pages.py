"""What keys use as moderators see it: a table to filter, a chart of it, and a file."""

import csv
from datetime import date, timedelta
from typing import Any, ClassVar, NamedTuple

from django.contrib import admin
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.models import ApiUsage

CHART_DAYS = 30
CHART_HEIGHT = 80
BAR_STEP = 20
COLUMNS = (
    "day",
    "key",
    "prefix",
    "model",
    "requests",
    "prompt_tokens",
    "completion_tokens",
    "errors",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Bar(NamedTuple):
    """One day of the chart; places and sizes in the units of the drawing."""

    day: date
    tokens: int
    x: int
    y: int
    height: int


def bars_of(rows: QuerySet[ApiUsage], *, last_day: date) -> list[Bar]:
    """Return a bar for each of the last 30 days, the highest as high as the chart."""
    first_day = last_day - timedelta(days=CHART_DAYS - 1)
    spent = (
        rows.filter(day__range=(first_day, last_day))
        .order_by()
        .values_list("day")
        .annotate(tokens=Sum(F("prompt_tokens") + F("completion_tokens")))
    )
    tokens = dict(spent)
    most = max(tokens.values(), default=0)
    bars = []
    for place in range(CHART_DAYS):
        day = first_day + timedelta(days=place)
        count = tokens.get(day, 0)
        height = max(1, round(CHART_HEIGHT * count / most)) if count else 0
        bars.append(Bar(day, count, place * BAR_STEP, CHART_HEIGHT - height, height))
    return bars


def as_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


@admin.register(ApiUsage)
class ApiUsageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no arguments at run time
    """Shows what each key used of each model on each day; the site alone writes it."""

    list_display = (
        "day",
        "key",
        "model",
        "requests",
        "prompt_tokens",
        "completion_tokens",
        "errors",
    )
    list_display_links = None
    list_filter: ClassVar = ("day", "model", ("key", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("key",)
    search_fields = ("key__name", "key__prefix", "model")
    date_hierarchy = "day"
    actions = ("export_csv",)
    change_list_template = "admin/inference/apiusage/change_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Draw what the table shows, all its pages together."""
        response = super().changelist_view(request, extra_context)
        data = getattr(response, "context_data", None) or {}
        if "cl" in data:
            rows: QuerySet[ApiUsage] = data["cl"].queryset
            sums = {name: Sum(name) for name in COLUMNS[4:]}
            data["bars"] = bars_of(rows, last_day=timezone.now().date())
            data["chart_width"] = CHART_DAYS * BAR_STEP
            data["chart_height"] = CHART_HEIGHT
            data["sums"] = rows.order_by().aggregate(**sums)
        return response

    @admin.action(description=_("Export the chosen rows as CSV"), permissions=["view"])
    def export_csv(
        self,
        request: HttpRequest,  # noqa: ARG002  (Django's signature)
        queryset: QuerySet[ApiUsage],
    ) -> HttpResponse:
        """Write rows as a file, one line a key, day and model."""
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="api-usage.csv"'
        sheet = csv.writer(response)
        sheet.writerow(COLUMNS)
        for row in queryset.select_related("key").iterator():
            names = (row.key.name, row.key.prefix, row.model)
            counts = (row.requests, row.prompt_tokens, row.completion_tokens, row.errors)
            sheet.writerow([row.day.isoformat(), *map(as_cell, names), *counts])
        return response

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse."""
        return False
