"""Runs as a researcher sees them: to read, not to edit."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from training import selectors
from training.models import TrainingMetric, TrainingRun


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no arguments at run time
    """Shows what a run has written; only deleting is left to people."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Return False: runs begin with `manage.py train`."""
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: TrainingRun | TrainingMetric | None = None,  # noqa: ARG002
    ) -> bool:
        """Return False: what was measured stays as it was measured."""
        return False


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    """Lists runs with their state, loss and exam."""

    list_display = [
        "recipe_name",
        "state",
        "progress",
        "loss",
        "accuracy",
        "parameter_count",
        "model",
        "started_at",
        "finished_at",
    ]
    list_filter = ["state", "recipe_name"]
    search_fields = ["recipe_name", "public_id", "output_dir", "weights_sha256"]
    date_hierarchy = "started_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainingRun]:  # noqa: ARG002
        """Return the runs with the models they made."""
        return selectors.recent_runs()

    @admin.display(description=_("progress"))
    def progress(self, run: TrainingRun) -> str:
        """Return the steps done of the steps in all."""
        return f"{run.step} / {run.steps}"


@admin.register(TrainingMetric)
class TrainingMetricAdmin(ReadOnlyAdmin):
    """Lists the points of the curves."""

    list_display = ["run", "step", "loss", "learning_rate", "grad_norm", "tokens_per_s"]
    list_filter = ["run__recipe_name"]
    list_select_related = ["run"]
