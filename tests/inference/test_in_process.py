"""A model held in this process and asked like any other."""

import asyncio
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inference.client import complete_reply, live_models
from inference.exceptions import ModelLoadError
from inference.generation import GenerationRequest, SamplingParams
from inference.in_process import ModelSpec, hold_model
from inference.management.sampling_arguments import sampling_params
from inference.messages import Message, Role
from inference.worker.hosts import all_hosts
from tests.support.lora_adapters import save_adapter
from tests.support.tiny_models import save_tiny_model, tiny_llama

QUESTION = (Message(Role.USER, "hi"),)
PARAMS = SamplingParams(temperature=0, max_tokens=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def ask(name: str) -> int:
    reply = asyncio.run(complete_reply(GenerationRequest(name, QUESTION, PARAMS)))
    return reply.usage.completion_tokens


# No mark lets these tests touch the database: a held model must not need it.
def test_a_held_model_answers_until_it_is_let_go(folder: Path, settings):
    settings.INFERENCE = {**settings.INFERENCE, "scripted_models": ("held",)}
    said: list[str] = []

    for _ in range(2):  # the second time, everything starts anew
        with hold_model(ModelSpec(str(folder), ("held",)), say=said.append) as model:
            tokens = ask(model.name)
            names = asyncio.run(live_models())
            prompt = model.prompt_text(QUESTION)

    assert tokens == 4  # a script would have said more
    assert names == {"held"}
    assert prompt == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert (model.architecture, model.context_length, model.template) == ("llama", 512, "")
    assert "float32" in model.description
    assert said == [f"Loading held from {folder} …"] * 2
    assert settings.INFERENCE["scripted_models"] == ("held",)


def test_a_family_is_told_where_its_template_is_used(folder: Path):
    spec = ModelSpec(str(folder), ("held",), conv_template="vicuna_v1.1")

    with hold_model(spec, say=str) as model:
        prompt = model.prompt_text(QUESTION)

    assert model.template == "vicuna_v1.1"
    assert prompt.endswith("USER: hi ASSISTANT:")


def test_an_adapter_is_held_on_its_base(folder: Path, tmp_path: Path):
    save_adapter(tmp_path / "taught", tiny_llama(), base=folder)

    with hold_model(ModelSpec(str(tmp_path / "taught"), ("taught",)), say=str) as model:
        tokens = ask("taught")

    assert tokens == 4
    assert model.architecture == "llama"


def test_a_model_that_cannot_be_loaded_leaves_nothing_behind(tmp_path: Path):
    with (
        pytest.raises(ModelLoadError, match="nothing"),
        hold_model(ModelSpec(str(tmp_path / "nothing"), ("held",)), say=str),
    ):
        pytest.fail("it was loaded")

    assert all_hosts() == []


def test_hf_generate_prints_message_and_answer(folder: Path, capsys: pytest.CaptureFixture[str]):
    options = ("--message", "hi", "--temp", "0", "--max-new-tokens", "4", "--debug")

    call_command("hf_generate", "--model-path", str(folder), *options)

    printed = capsys.readouterr()
    assert printed.out.startswith("user: hi\nassistant: ")
    assert "<|im_start|>user\nhi<|im_end|>" in printed.err


def test_hf_generate_refuses_in_one_sentence(tmp_path: Path):
    with pytest.raises(CommandError, match="nothing-here") as refused:
        call_command("hf_generate", "--model-path", str(tmp_path / "nothing-here"))

    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    ("given", "architecture", "used"),
    [(1.0, "t5", 1.2), (1.0, "mt5", 1.2), (1.1, "t5", 1.1), (1.0, "llama", 1.0)],
)
def test_a_t5_model_repeats_itself_less(given: float, architecture: str, used: float):
    options = {"temperature": 0.7, "repetition_penalty": given, "max_new_tokens": 512}

    params = sampling_params(options, context_length=2048, architecture=architecture)

    assert params.repetition_penalty == used
    assert (params.max_tokens, params.truncate_prompt) == (512, "left")


def test_an_answer_gets_at_most_half_the_window():
    options = {"temperature": 0.7, "repetition_penalty": 1.0, "max_new_tokens": 1024}

    assert sampling_params(options, context_length=1024).max_tokens == 512
    assert sampling_params(options).max_tokens == 1024


@pytest.mark.parametrize(
    "wrong",
    [
        ("--temperature", "2.1"),
        ("--temperature", "nan"),
        ("--repetition_penalty", "0"),
        ("--max-new-tokens", "0"),
        ("--max-new-tokens", "-1"),
        ("--max-new-tokens", "²"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: tuple[str, str]):
    with pytest.raises(CommandError, match=wrong[0]):
        call_command("hf_generate", "--model-path", "x", *wrong)
