"""The settings of training, read from the dict `TRAINING`."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from inference.conf import read_settings


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Where runs live; every key has its line in docs/reference/settings.md.

    Attributes:
        runs_dir: gets one folder a run, named after the recipe.
        exam_questions_per_intent: held-out questions of each kind and language after a run.
    """

    runs_dir: Path
    exam_questions_per_intent: int = 10


def training_settings() -> TrainingSettings:
    """Return the settings as they are now.

    Raises:
        ValueError: `TRAINING` has a key that means nothing.
    """
    return read_settings(TrainingSettings, "TRAINING", runs_dir=settings.STATE_DIR / "training")
