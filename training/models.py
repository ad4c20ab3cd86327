"""What is stored about training: the runs, and how their loss went."""

import secrets
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.models import LanguageModel


def new_public_id() -> str:
    """Return a fresh random 128-bit id as 32 hexadecimal digits."""
    return secrets.token_hex(16)


class TrainingRun(models.Model):
    """One run of a recipe, from its first step to the model it made."""

    class State(models.TextChoices):
        """How far a run has come."""

        RUNNING = "running", _("running")
        FINISHED = "finished", _("finished")
        STOPPED = "stopped", _("stopped")
        FAILED = "failed", _("failed")

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    recipe_name = models.CharField(_("recipe"), max_length=128, db_index=True)
    recipe = models.JSONField(_("resolved recipe"), default=dict)
    output_dir = models.CharField(_("folder"), max_length=512)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RUNNING)
    step = models.PositiveIntegerField(_("step"), default=0)
    steps = models.PositiveIntegerField(_("steps in all"))
    loss = models.FloatField(_("loss"), null=True, blank=True)
    parameter_count = models.PositiveBigIntegerField(_("parameters"), null=True, blank=True)
    accuracy = models.FloatField(_("exam accuracy"), null=True, blank=True)
    weights_sha256 = models.CharField(_("SHA-256 of the weights"), max_length=64, blank=True)
    model = models.ForeignKey(
        LanguageModel,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="training_runs",
        verbose_name=_("registered as"),
    )
    error = models.TextField(_("what went wrong"), blank=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        """Names, order and what the database checks."""

        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        ordering: ClassVar = ["-started_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="training_run_step_within_steps",
                condition=models.Q(step__lte=models.F("steps")),
            ),
            models.CheckConstraint(
                name="training_run_running_has_no_end",
                condition=models.Q(state="running", finished_at__isnull=True)
                | (~models.Q(state="running") & models.Q(finished_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipe_name} {self.started_at:%Y-%m-%d %H:%M}"


class TrainingMetric(models.Model):
    """One point of a run's curves."""

    run = models.ForeignKey(
        TrainingRun, on_delete=models.CASCADE, related_name="metrics", verbose_name=_("run")
    )
    step = models.PositiveIntegerField(_("step"))
    loss = models.FloatField(_("loss"), help_text=_("Nats per trained token."))
    learning_rate = models.FloatField(_("learning rate"))
    grad_norm = models.FloatField(_("gradient norm"))
    tokens_per_s = models.FloatField(_("tokens per second"))
    created_at = models.DateTimeField(_("time"), default=timezone.now)

    class Meta:
        """Names, order and what the database checks."""

        verbose_name = _("training metric")
        verbose_name_plural = _("training metrics")
        ordering: ClassVar = ["run", "step"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "step"], name="training_metric_once_a_step"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} @ {self.step}: {self.loss:.4f}"
