"""Reads about runs."""

from django.db.models import QuerySet

from training.models import TrainingMetric, TrainingRun


def recent_runs() -> QuerySet[TrainingRun]:
    """Return all runs with the models they made, the newest first."""
    return TrainingRun.objects.select_related("model")


def metrics_of(run: TrainingRun) -> QuerySet[TrainingMetric]:
    """Return the points of a run's curves in the order of their steps."""
    return run.metrics.order_by("step")
