"""The loop: learns, resumes bit for bit, counts only answers, refuses what cannot work."""

import contextlib
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from tests.support.tiny_training import tiny_dataset, tiny_recipe, tiny_tokenizer
from training.exceptions import CheckpointError, TrainingDivergedError
from training.sft.collate import collate_dialogues
from training.sft.masking import IGNORED
from training.sft.model import build_model
from training.sft.trainer import train_model


class KilledError(Exception):
    """Stands for the end of the process."""


def fresh_model(recipe):
    return build_model(recipe.model, tiny_tokenizer(), seed=recipe.seed)


def run(recipe, folder, *, resume=False, kill_at=None):
    """Train and return the model and the loss of each step."""
    model, losses = fresh_model(recipe), {}

    def hear(progress):
        losses[progress.step] = progress.loss
        if progress.step == kill_at:
            raise KilledError

    with contextlib.suppress(KilledError):
        train_model(
            model,
            tiny_dataset(recipe),
            recipe=recipe,
            output_dir=folder,
            on_progress=hear,
            resume=resume,
        )
    return model, losses


def test_twenty_steps_lower_the_loss(tmp_path):
    _, losses = run(tiny_recipe(), tmp_path)

    first, last = [losses[step] for step in (1, 2, 3)], [losses[step] for step in (18, 19, 20)]
    assert sum(last) < sum(first) - 0.5
    assert list(losses) == list(range(1, 21))


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    whole, losses = run(tiny_recipe(), tmp_path / "whole")

    _, before = run(tiny_recipe(), tmp_path / "killed", kill_at=13)
    resumed, after = run(tiny_recipe(), tmp_path / "killed", resume=True)

    assert min(after) == 9  # the last checkpoint was that of step 8
    assert {**before, **after} == losses
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_new_run_in_the_same_folder_forgets_the_old_checkpoints(tmp_path):
    run(tiny_recipe(), tmp_path)
    assert (tmp_path / "checkpoint-16").is_dir()

    run(tiny_recipe(steps=8), tmp_path)

    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-8"]


def test_resuming_from_nothing_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        run(tiny_recipe(), tmp_path / "nothing", resume=True)


def test_a_diverging_run_is_stopped_and_says_where(tmp_path):
    recipe = tiny_recipe(steps=3, warmup_steps=0, decay_share=0.1)
    model = fresh_model(recipe)
    with torch.no_grad():
        model.lm_head.weight.fill_(math.inf)

    with pytest.raises(TrainingDivergedError, match="at step 1"):
        train_model(
            model,
            tiny_dataset(recipe),
            recipe=recipe,
            output_dir=tmp_path,
            on_progress=lambda progress: None,
        )


def test_the_reported_loss_is_the_mean_over_trained_tokens(tmp_path):
    recipe = tiny_recipe(steps=1, warmup_steps=0)
    dataset, model = tiny_dataset(recipe), fresh_model(recipe)
    rows = [dataset[index] for index in range(recipe.schedule.batch_size)]
    expected = torch.cat([losses_alone(model, row) for row in rows]).mean().item()

    _, losses = run(recipe, tmp_path)

    assert losses[1] == pytest.approx(expected, abs=1e-4)


def losses_alone(model, row):
    """Loss of every trained token of one dialogue, computed without batch or padding."""
    ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])[1:]
    with torch.no_grad():
        scores = model(input_ids=ids).logits[0, :-1]
    trained = labels != IGNORED
    return functional.cross_entropy(scores[trained], labels[trained], reduction="none")


def test_the_same_seed_builds_the_same_model_and_leaves_the_random_state_alone():
    recipe = tiny_recipe()
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)

    first, second = fresh_model(recipe), fresh_model(recipe)

    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)
    other = fresh_model(replace(recipe, seed=4))
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


def test_a_batch_is_padded_on_the_right_without_labels():
    rows = [
        {"input_ids": [5, 6, 7], "labels": [IGNORED, 6, 7]},
        {"input_ids": [8], "labels": [IGNORED]},
    ]

    batch = collate_dialogues(rows, padding_id=0)

    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7], [IGNORED, IGNORED, IGNORED]]
