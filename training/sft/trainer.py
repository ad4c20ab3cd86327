"""The training loop: transformers' Trainer with our data, our loss and our clock.

Why the Trainer even for models this small: a killed run resumes bit for bit, accumulation and
several processes count tokens right, and larger runs need the same loop.
"""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from training.exceptions import CheckpointError, TrainingDivergedError
from training.sft.chat_data import ChatDataset
from training.sft.collate import collate_dialogues
from training.sft.config import Recipe
from training.sft.masking import IGNORED


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: optimiser steps done.
        steps: optimiser steps in all.
        loss: mean loss per trained token since the last report, in nats.
        learning_rate: now.
        grad_norm: length of the last gradient before clipping.
        tokens_per_s: tokens seen per second since the last report, padding not counted.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens_per_s: float


def train_model(
    model: PreTrainedModel,
    dataset: ChatDataset,
    *,
    recipe: Recipe,
    output_dir: Path,
    on_progress: Callable[[Progress], None],
    resume: bool = False,
) -> None:
    """Train a model in place, leaving checkpoints in `output_dir`.

    Args:
        model: changed in place.
        dataset: one epoch of it is trained, in order.
        recipe: schedule and seed.
        output_dir: gets `checkpoint-N` folders, the last two kept.
        on_progress: called every `logging_steps`, in the training thread.
        resume: go on from the newest checkpoint instead of starting.

    Raises:
        CheckpointError: `resume` without a checkpoint.
        TrainingDivergedError: the loss is infinite or not a number.
    """
    checkpoint = newest_checkpoint(output_dir) if resume else None
    if checkpoint is None and output_dir.is_dir():
        for old in output_dir.glob("checkpoint-*"):
            shutil.rmtree(old)  # of an earlier run: its steps must not be mixed with ours
    torch.set_num_threads(recipe.schedule.threads)
    counter = TokenCounter()
    trainer = AnswerTrainer(
        model=model,
        args=_arguments(recipe, output_dir),
        train_dataset=dataset,
        data_collator=partial(counter.collate, padding_id=_padding_id(dataset.tokenizer)),
        callbacks=[ProgressReport(on_progress, counter)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def newest_checkpoint(output_dir: Path) -> Path:
    """Return the checkpoint a run goes on from.

    Raises:
        CheckpointError: there is none.
    """
    found = get_last_checkpoint(str(output_dir)) if output_dir.is_dir() else None
    if found is None:
        raise CheckpointError(f"there is no checkpoint in {output_dir} to resume from")
    return Path(found)


class AnswerTrainer(Trainer):
    """A Trainer that computes scores only for the tokens that carry a label."""

    def compute_loss(
        self,
        model: Any,  # a causal language model of transformers: its body, then `lm_head`
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Return the mean loss per trained token over the whole step, all micro-batches.

        Shapes: inputs int64 [B, T]; scores are computed for the trained positions alone,
        [N, V], which is half the work of a small model with a large vocabulary.
        """
        labels = inputs["labels"][:, 1:]
        hidden = model.model(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state
        trained = labels != IGNORED
        scores = model.lm_head(hidden[:, :-1][trained])
        total = functional.cross_entropy(scores.float(), labels[trained], reduction="sum")
        loss = total / (trained.sum() if num_items_in_batch is None else num_items_in_batch)
        return (loss, {"logits": scores}) if return_outputs else loss


class TokenCounter:
    """Counts the tokens that pass the collator, for the speed in the progress report."""

    def __init__(self) -> None:
        self.tokens = 0

    def collate(
        self, dialogues: list[dict[str, list[int]]], *, padding_id: int
    ) -> dict[str, Tensor]:
        """Collate a batch and count it."""
        self.tokens += sum(len(dialogue["input_ids"]) for dialogue in dialogues)
        return collate_dialogues(dialogues, padding_id=padding_id)


class ProgressReport(TrainerCallback):
    """Turns the Trainer's log lines into `Progress` and stops a run that has diverged."""

    def __init__(self, on_progress: Callable[[Progress], None], counter: TokenCounter) -> None:
        self.on_progress = on_progress
        self.counter = counter
        self.reported_at = time.monotonic()
        self.reported_tokens = 0

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002  (the Trainer's signature)
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002  (likewise)
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Report one log line; the last, a summary, has no loss and is skipped."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise TrainingDivergedError(step=state.global_step, loss=logs["loss"])
        now, tokens = time.monotonic(), self.counter.tokens
        speed = (tokens - self.reported_tokens) / max(now - self.reported_at, 1e-9)
        self.reported_at, self.reported_tokens = now, tokens
        self.on_progress(
            Progress(
                step=state.global_step,
                steps=state.max_steps,
                loss=float(logs["loss"]),
                learning_rate=float(logs["learning_rate"]),
                grad_norm=float(logs.get("grad_norm", 0.0)),
                tokens_per_s=speed,
            )
        )


def _arguments(recipe: Recipe, output_dir: Path) -> TrainingArguments:
    schedule = recipe.schedule
    return TrainingArguments(
        output_dir=str(output_dir),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch_size,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={
            "num_decay_steps": round(schedule.steps * schedule.decay_share),
            "decay_type": "linear",
        },
        warmup_steps=schedule.warmup_steps,
        weight_decay=schedule.weight_decay,
        max_grad_norm=schedule.max_grad_norm,
        adam_beta2=0.98,  # a short memory suits short runs
        logging_steps=schedule.logging_steps,
        logging_nan_inf_filter=False,  # hiding a NaN would hide a broken run
        save_steps=schedule.save_steps,
        save_total_limit=2,
        seed=recipe.seed,
        data_seed=recipe.seed,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )


def _padding_id(tokenizer: PreTrainedTokenizerFast) -> int:
    # Any id will do where there is no padding token: positions after the end carry no label.
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
