"""What can go wrong when a model is trained.

TrainingError
├── RecipeError                a recipe or an override that makes no sense
├── UntrainableDialogueError   a dialogue whose answers cannot be found or do not fit
├── CheckpointError            nothing to resume from, or it belongs to another run
└── TrainingDivergedError      the loss is no number any more
"""


class TrainingError(Exception):
    """Anything that keeps a model from being trained."""


class RecipeError(TrainingError):
    """A recipe, or a value set over it, cannot be used."""


class UntrainableDialogueError(TrainingError):
    """A dialogue has no answer to train on, or its answers cannot be found."""


class CheckpointError(TrainingError):
    """There is no checkpoint to resume from, or it belongs to another recipe."""


class TrainingDivergedError(TrainingError):
    """The loss became infinite or is not a number."""

    def __init__(self, *, step: int, loss: float) -> None:
        super().__init__(f"the loss is {loss} at step {step}; try a lower learning rate")
        self.step = step
        self.loss = loss
