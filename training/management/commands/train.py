"""`manage.py train RECIPE`: train a model and register it."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from training.exceptions import TrainingError

if TYPE_CHECKING:
    from training.sft.trainer import Progress as TrainingProgress


class Command(BaseCommand):
    """Trains a recipe with a progress bar."""

    help = (
        "Train a model from a recipe and register it under the recipe's name. RECIPE is the name of"
        " a shipped recipe (demo-small, demo-large) or a TOML file. Checkpoints and the finished"
        " model are written to the output folder, the run and its loss to the database."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the recipe, what is set over it, and where it goes."""
        parser.epilog = "Example: manage.py train demo-small --set schedule.steps=200"
        parser.add_argument("recipe", help="name of a shipped recipe, or a TOML file")
        parser.add_argument(
            "--set",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            dest="overrides",
            help="set a value over the recipe, such as schedule.steps=200; may be repeated",
        )
        parser.add_argument(
            "--output_dir", type=Path, help="folder of the run (default: var/training/NAME)"
        )
        parser.add_argument(
            "--resume", action="store_true", help="go on from the newest checkpoint in the folder"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's signature)
        """Train.

        Raises:
            CommandError: the recipe, the folder or the training itself is at fault.
        """
        from training import runner  # loads torch, which the help page can do without

        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            recipe = runner.find_recipe(options["recipe"], options["overrides"])
            with ProgressLine(recipe.name, recipe.schedule.steps) as line:
                result = runner.train(
                    recipe,
                    listener=line,
                    output_dir=options["output_dir"],
                    resume=options["resume"],
                )
        except KeyboardInterrupt as error:
            raise CommandError("stopped; `--resume` goes on from the last checkpoint") from error
        except (TrainingError, OSError, RuntimeError) as error:
            raise CommandError(str(error)) from error
        finally:
            signal.signal(signal.SIGTERM, before)
        self.stdout.write(
            f"{recipe.name}: {result.report.accuracy:.1%} of {result.report.asked.total()} held-out"
            f" questions answered exactly; written to {result.folder}"
        )


class ProgressLine:
    """A bar with steps, time left, loss and speed; on no terminal, a line now and then."""

    def __init__(self, name: str, steps: int) -> None:
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}"),
            console=Console(stderr=True),
        )
        self.task = self.bar.add_task(name, total=steps, facts="")

    def __enter__(self) -> "ProgressLine":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def stage_began(self, stage: str) -> None:
        """Print what begins."""
        self.bar.print(stage)

    def steps_done(self, progress: "TrainingProgress") -> None:
        """Move the bar."""
        facts = f"loss {progress.loss:.3f}, {progress.tokens_per_s:,.0f} tokens/s"
        self.bar.update(self.task, completed=progress.step, facts=facts)
        if not self.bar.console.is_terminal:
            self.bar.print(f"step {progress.step} of {progress.steps}: {facts}")


def _interrupt(signal_number: int, frame: Any) -> NoReturn:  # noqa: ARG001  (a handler's signature)
    raise KeyboardInterrupt
