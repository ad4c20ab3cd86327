"""Writes about runs: begun, measured, ended."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from inference.models import LanguageModel
from training.models import TrainingMetric, TrainingRun


@transaction.atomic
def start_run(
    *, recipe: Mapping[str, Any], output_dir: str, steps: int, is_resumed: bool = False
) -> TrainingRun:
    """Store that a run begins, or goes on where the last one in this folder ended.

    A run that still counts as running in the same folder was killed; a new one ends it as failed.
    """
    earlier = TrainingRun.objects.select_for_update().filter(output_dir=output_dir)
    if is_resumed and (run := earlier.first()) is not None:
        run.state, run.finished_at, run.error = TrainingRun.State.RUNNING, None, ""
        run.save(update_fields=["state", "finished_at", "error"])
        return run
    earlier.filter(state=TrainingRun.State.RUNNING).update(
        state=TrainingRun.State.FAILED,
        finished_at=timezone.now(),
        error="The process ended without a word.",
    )
    return TrainingRun.objects.create(
        recipe_name=str(recipe["name"]), recipe=dict(recipe), output_dir=output_dir, steps=steps
    )


@transaction.atomic
def record_metric(
    *,
    run: TrainingRun,
    step: int,
    loss: float,
    learning_rate: float,
    grad_norm: float,
    tokens_per_s: float,
) -> None:
    """Store one point of the curves; a resumed run writes over what it repeats."""
    TrainingMetric.objects.update_or_create(
        run=run,
        step=step,
        defaults={
            "loss": loss,
            "learning_rate": learning_rate,
            "grad_norm": grad_norm,
            "tokens_per_s": tokens_per_s,
        },
    )
    run.step, run.loss = step, loss
    run.save(update_fields=["step", "loss"])


def finish_run(
    *,
    run: TrainingRun,
    model: LanguageModel,
    parameter_count: int,
    accuracy: float,
    weights_sha256: str,
) -> TrainingRun:
    """Store what a run has made."""
    run.model = model
    run.parameter_count = parameter_count
    run.accuracy = accuracy
    run.weights_sha256 = weights_sha256
    return _end(run, TrainingRun.State.FINISHED)


def stop_run(*, run: TrainingRun) -> TrainingRun:
    """Store that somebody stopped the run; it can be resumed."""
    return _end(run, TrainingRun.State.STOPPED)


def fail_run(*, run: TrainingRun, error: str) -> TrainingRun:
    """Store why the run could not go on."""
    run.error = error
    return _end(run, TrainingRun.State.FAILED)


def _end(run: TrainingRun, state: TrainingRun.State) -> TrainingRun:
    run.state = state
    run.finished_at = timezone.now()
    run.save()
    return run
