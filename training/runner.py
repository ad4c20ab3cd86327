"""One run from recipe to served model: tokenizer, training, exam, export, registration."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from transformers import PreTrainedTokenizerFast

from inference.services import register_model
from training import services
from training.conf import training_settings
from training.corpus.registry import Corpus, open_corpus
from training.exceptions import CheckpointError, RecipeError, TrainingError
from training.models import TrainingRun
from training.sft.card import render_card
from training.sft.chat_data import ChatDataset
from training.sft.config import Recipe, read_recipe
from training.sft.evaluation import ExamReport, examine
from training.sft.export import export_model
from training.sft.model import build_model
from training.sft.tokenizer import train_tokenizer
from training.sft.trainer import Progress, newest_checkpoint, train_model

RECIPES_DIR = Path(__file__).parent / "recipes"


class RunListener(Protocol):
    """Who wants to hear how a run goes."""

    def stage_began(self, stage: str) -> None:
        """Hear, in words, that something that takes a while begins."""

    def steps_done(self, progress: Progress) -> None:
        """Hear of a few more steps."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a finished run has made."""

    run: TrainingRun
    folder: Path
    report: ExamReport


def recipe_names() -> list[str]:
    """Return the names of the recipes that ship with the project."""
    return sorted(path.stem for path in RECIPES_DIR.glob("*.toml"))


def find_recipe(name_or_path: str, overrides: list[str]) -> Recipe:
    """Return a shipped recipe by name, or one from a file, with values set over it.

    Raises:
        RecipeError: there is no such recipe, or it makes no sense.
    """
    path = RECIPES_DIR / f"{name_or_path}.toml"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(recipe_names())
        raise RecipeError(f"there is no recipe {name_or_path!r}; shipped are {known}")
    return read_recipe(path, overrides)


def train(
    recipe: Recipe,
    *,
    listener: RunListener,
    output_dir: Path | None = None,
    resume: bool = False,
) -> RunResult:
    """Train a recipe and register the model under the recipe's name.

    Args:
        recipe: what to train.
        listener: hears of stages and steps, in the training thread.
        output_dir: gets the checkpoints and the finished model in `model/`; by default a folder
            with the recipe's name under the setting `runs_dir`.
        resume: go on from the newest checkpoint in the folder.

    Returns:
        The stored run, the model's folder and the exam.

    Raises:
        TrainingError: any of its kinds; the run is stored as failed, checkpoints stay.
        KeyboardInterrupt: the run was stopped from outside; it is stored as stopped.
    """
    folder = (output_dir or training_settings().runs_dir / recipe.name).resolve()
    corpus = open_corpus(
        recipe.corpus,
        seed=recipe.seed,
        batch_size=recipe.schedule.batch_size,
        single_turn_steps=recipe.schedule.single_turn_steps,
    )
    if resume:
        _check_same_recipe(recipe, folder)
    run = services.start_run(
        recipe=asdict(recipe),
        output_dir=str(folder),
        steps=recipe.schedule.steps,
        is_resumed=resume,
    )
    try:
        return _train(run, recipe, corpus, folder, resume, listener)
    except KeyboardInterrupt:
        services.stop_run(run=run)
        raise
    except (TrainingError, OSError, RuntimeError) as error:
        services.fail_run(run=run, error=str(error))
        raise


def _train(
    run: TrainingRun,
    recipe: Recipe,
    corpus: Corpus,
    folder: Path,
    resume: bool,
    listener: RunListener,
) -> RunResult:
    listener.stage_began("Preparing the tokenizer")
    tokenizer = _prepare_tokenizer(recipe, corpus, folder, resume)
    model = build_model(recipe.model, tokenizer, seed=recipe.seed)
    parameter_count = model.num_parameters()
    dataset = ChatDataset(
        corpus.dialogue,
        count=recipe.schedule.steps * recipe.schedule.batch_size,
        tokenizer=tokenizer,
        max_length=recipe.schedule.max_length,
    )

    def report_progress(progress: Progress) -> None:
        services.record_metric(
            run=run,
            step=progress.step,
            loss=progress.loss,
            learning_rate=progress.learning_rate,
            grad_norm=progress.grad_norm,
            tokens_per_s=progress.tokens_per_s,
        )
        listener.steps_done(progress)

    listener.stage_began(
        f"Training {parameter_count:,} parameters for {recipe.schedule.steps:,} steps"
    )
    train_model(
        model, dataset, recipe=recipe, output_dir=folder, resume=resume, on_progress=report_progress
    )
    listener.stage_began("Asking the held-out questions")
    questions = corpus.questions(training_settings().exam_questions_per_intent)
    report = examine(model, tokenizer, questions)
    listener.stage_began("Writing the model")
    digest = export_model(
        model,
        tokenizer,
        folder / "model",
        dtype=recipe.dtype,
        card=render_card(recipe, report, parameter_count=parameter_count),
    )
    card = register_model(
        name=recipe.name,
        path=str(folder / "model"),
        description=recipe.description,
        context_length=recipe.model.context_length,
    )
    run = services.finish_run(
        run=run,
        model=card,
        parameter_count=parameter_count,
        accuracy=report.accuracy,
        weights_sha256=digest,
    )
    return RunResult(run, folder / "model", report)


def _prepare_tokenizer(
    recipe: Recipe, corpus: Corpus, folder: Path, resume: bool
) -> PreTrainedTokenizerFast:
    """Train the tokenizer and note the recipe beside it, or read what an earlier leg has left."""
    if resume:
        trained: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
            folder / "tokenizer"
        )
        return trained
    dialogues = map(corpus.dialogue, range(recipe.tokenizer.dialogues))
    tokenizer = train_tokenizer(
        (message.content for dialogue in dialogues for message in dialogue),
        vocab_size=recipe.tokenizer.vocab_size,
        max_length=recipe.model.context_length,
    )
    tokenizer.save_pretrained(folder / "tokenizer")
    text = json.dumps(asdict(recipe), indent=2, ensure_ascii=False)
    (folder / "recipe.json").write_text(text + "\n", encoding="utf-8")
    return tokenizer


def _check_same_recipe(recipe: Recipe, folder: Path) -> None:
    newest_checkpoint(folder)
    path = folder / "recipe.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no recipe.json, so it cannot be resumed")
    if json.loads(path.read_text(encoding="utf-8")) != asdict(recipe):
        raise CheckpointError(f"the checkpoint in {folder} belongs to another recipe")
