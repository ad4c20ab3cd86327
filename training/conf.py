"""The settings of training, read from the dict `TRAINING`."""

from dataclasses import dataclass, fields
from pathlib import Path

from django.conf import settings


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
    """Return the settings as they stand now.

    Raises:
        ValueError: `TRAINING` has a key that means nothing.
    """
    values = {"runs_dir": settings.STATE_DIR / "training", **settings.TRAINING}
    unknown = set(values) - {entry.name for entry in fields(TrainingSettings)}
    if unknown:
        raise ValueError(f"TRAINING has unknown keys: {', '.join(sorted(unknown))}")
    values["runs_dir"] = Path(values["runs_dir"])
    return TrainingSettings(**values)
