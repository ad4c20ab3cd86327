"""A whole run: from the command to the model that is registered and can be loaded."""

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from transformers import AutoModelForCausalLM

from inference.models import LanguageModel
from training import runner
from training.exceptions import CheckpointError
from training.models import TrainingRun
from training.runner import find_recipe

pytestmark = pytest.mark.django_db

TINY = [
    *("model.hidden_size=32", "model.layers=1", "model.heads=2", "model.intermediate_size=48"),
    *("model.context_length=256", "tokenizer.vocab_size=500", "tokenizer.dialogues=60"),
    *("schedule.steps=6", "schedule.batch_size=2", "schedule.max_length=256"),
    *("schedule.logging_steps=2", "schedule.save_steps=2", "name=tiny"),
]


class Listener:
    """Notes what it hears; stops the run at a step."""

    def __init__(self, error=None, at=None):
        self.stages, self.steps, self.error, self.at = [], [], error, at

    def stage_began(self, stage):
        self.stages.append(stage)

    def steps_done(self, progress):
        self.steps.append(progress.step)
        if progress.step == self.at:
            raise self.error


@pytest.fixture(autouse=True)
def short_exam(settings):
    settings.TRAINING = {"exam_questions_per_intent": 1}


def tiny(*overrides):
    return find_recipe("demo-small", [*TINY, *overrides])


def test_the_command_trains_registers_and_reports(tmp_path):
    out = StringIO()
    sets = [argument for value in TINY for argument in ("--set", value)]

    call_command("train", "demo-small", *sets, "--output_dir", str(tmp_path), stdout=out)

    run = TrainingRun.objects.get()
    assert run.state == TrainingRun.State.FINISHED
    assert (run.step, run.steps) == (6, 6)
    assert [metric.step for metric in run.metrics.all()] == [2, 4, 6]
    assert run.model == LanguageModel.objects.get(name="tiny")
    assert run.model.path == str(tmp_path / "model")
    assert run.model.context_length == 256
    assert run.recipe["schedule"]["steps"] == 6
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "model").num_parameters() == (
        run.parameter_count
    )
    assert run.weights_sha256 in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "held-out questions answered exactly" in out.getvalue()


def test_a_run_without_a_folder_goes_where_the_settings_say(tmp_path, settings):
    settings.TRAINING = {"exam_questions_per_intent": 1, "runs_dir": tmp_path}

    result = runner.train(tiny(), listener=Listener())

    assert result.folder == tmp_path / "tiny" / "model"
    assert json.loads((tmp_path / "tiny" / "recipe.json").read_text())["name"] == "tiny"


def test_a_stopped_run_is_stored_as_stopped_and_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        runner.train(tiny(), listener=Listener(KeyboardInterrupt(), at=4), output_dir=tmp_path)
    stopped = TrainingRun.objects.get()
    assert stopped.state == TrainingRun.State.STOPPED
    assert not LanguageModel.objects.exists()

    listener = Listener()
    result = runner.train(tiny(), listener=listener, output_dir=tmp_path, resume=True)

    assert listener.steps == [4, 6]  # the checkpoint of step 4 had not been written yet
    assert result.run == stopped
    assert TrainingRun.objects.get().state == TrainingRun.State.FINISHED
    assert [metric.step for metric in stopped.metrics.all()] == [2, 4, 6]


def test_a_failed_run_says_why(tmp_path):
    error = OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        runner.train(tiny(), listener=Listener(error, at=2), output_dir=tmp_path)

    run = TrainingRun.objects.get()
    assert run.state == TrainingRun.State.FAILED
    assert "No space left" in run.error
    assert run.finished_at is not None


def test_a_new_run_ends_the_one_that_was_killed_in_the_same_folder(tmp_path):
    killed = TrainingRun.objects.create(recipe_name="tiny", output_dir=str(tmp_path), steps=6)

    runner.train(tiny(), listener=Listener(), output_dir=tmp_path)

    killed.refresh_from_db()
    assert killed.state == TrainingRun.State.FAILED
    assert TrainingRun.objects.count() == 2


def test_another_recipe_cannot_resume_the_checkpoint(tmp_path):
    runner.train(tiny(), listener=Listener(), output_dir=tmp_path)

    with pytest.raises(CheckpointError, match="belongs to another recipe"):
        runner.train(tiny("seed=99"), listener=Listener(), output_dir=tmp_path, resume=True)

    assert TrainingRun.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo-huge"], "no recipe 'demo-huge'"),
        (["demo-small", "--set", "corpus=novels"], "no corpus 'novels'"),
        (["demo-small", "--set", "schedule.steps=-1"], "'steps' cannot be -1"),
        (["demo-small", "--resume"], "no checkpoint"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("train", *arguments, "--output_dir", str(tmp_path / "run"))

    assert not TrainingRun.objects.exists()


def test_asking_for_help_does_not_load_torch():
    program = (
        "import sys, django; django.setup();"
        "from django.core.management import load_command_class;"
        "load_command_class('training', 'train').create_parser('manage.py', 'train');"
        "import training.admin;"
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "fastchat_site.settings.test"}

    output = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert output.strip().endswith("False")


def test_sigterm_stops_a_run_with_its_checkpoint_kept(tmp_path):
    state = {"FASTCHAT_STATE_DIR": str(tmp_path / "state"), "OMP_NUM_THREADS": "1"}
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        **state,
        "DJANGO_SETTINGS_MODULE": "fastchat_site.settings.test",
    }
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True, capture_output=True)
    sets = [argument for value in TINY for argument in ("--set", value)]
    long = ["--set", "schedule.steps=100000"]
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [*manage, "train", "demo-small", *sets, *long, "--output_dir", str(folder)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob("checkpoint-*/trainer_state.json")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 1
    assert "`--resume` goes on" in errors
    assert "Traceback" not in errors
