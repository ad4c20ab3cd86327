"""The command that prints prompts: byte for byte, or one clear sentence."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from inference.chat_templates.reference import digest, recorded_digests
from tests.support.tiny_models import byte_tokenizer

TURNS = [
    {"role": "user", "content": "Hello!"},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "How are you?"},
]
OPEN = {"role": "assistant", "content": None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "messages.json"


def printed(name: str, file: Path | str, *options: str, messages: Any = None) -> str:
    if messages is not None:
        Path(file).write_text(json.dumps(messages), encoding="utf-8")
    out = io.StringIO()
    call_command("render_template", name, "--messages", str(file), *options, stdout=out)
    return out.getvalue()


def refusal(name: str, file: Path | str, *options: str, messages: Any = None) -> str:
    with pytest.raises(CommandError) as caught:
        printed(name, file, *options, messages=messages)
    assert caught.value.returncode == 2
    return str(caught.value)


@pytest.mark.parametrize("messages", [TURNS, [*TURNS, OPEN]])
def test_it_prints_the_prompt_and_nothing_else(file: Path, messages: Any) -> None:
    text = printed("vicuna_v1.1", file, "--system", "S", messages=messages)

    assert text == "S USER: Hello! ASSISTANT: Hi!</s>USER: How are you? ASSISTANT:"


@pytest.mark.parametrize("name", ["llama-3", "baize", "TinyLlama", "falcon"])
def test_without_a_system_message_it_prints_what_fastchat_does(file: Path, name: str) -> None:
    assert digest(printed(name, file, messages=TURNS)) == recorded_digests()[name]["default"]


def test_the_given_system_message_takes_the_place_of_the_files(file: Path) -> None:
    messages = [{"role": "system", "content": "old"}, *TURNS]

    assert printed("vicuna_v1.1", file, messages=messages).startswith("old USER:")
    assert printed("vicuna_v1.1", file, "--system", "new", messages=messages).startswith(
        "new USER:"
    )


def test_a_conversation_may_be_written_as_it_is(file: Path) -> None:
    text = printed("vicuna_v1.1", file, "--no-generation-prompt", "--system=", messages=TURNS[:2])

    assert text == " USER: Hello! ASSISTANT: Hi!</s>"


def test_an_answer_that_was_begun_stays_open(file: Path) -> None:
    text = printed("vicuna_v1.1", file, "--system=", messages=TURNS[:2])

    assert text == " USER: Hello! ASSISTANT: Hi!"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO(json.dumps(TURNS[:1]).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))

    assert printed("raw", "-") == "Hello!"


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    byte_tokenizer().save_pretrained(folder)
    return folder


def test_a_models_folder_means_its_own_template(file: Path, tokenizer_folder: Path) -> None:
    text = printed(str(tokenizer_folder), file, messages=TURNS)

    assert text == byte_tokenizer().apply_chat_template(
        TURNS, tokenize=False, add_generation_prompt=True
    )


def test_a_model_without_a_template_has_the_family_its_name_tells(
    file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "koala-7b"
    byte_tokenizer(chat_template=None).save_pretrained(folder)

    text = printed(str(folder), file, messages=TURNS[:1])

    assert text == "BEGINNING OF CONVERSATION: USER: Hello! GPT:"


def test_an_unknown_template_is_told_with_those_that_sound_alike(file: Path) -> None:
    assert "did you mean llama-2" in refusal("llama2", file, messages=TURNS)


def test_a_family_without_a_text_says_so(file: Path) -> None:
    assert "has no layout" in refusal("yandexgpt", file, messages=TURNS)


def test_a_folder_that_is_not_there_is_told(file: Path) -> None:
    assert "there is no folder" in refusal("/no/such/model", file, messages=TURNS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('"\\ud800"', "must hold a list of messages"),
        ("{}", "must hold a list of messages"),
        ("[]", "must hold a list of messages"),
        ('["hi"]', "message 1 of"),
        ('[{"role": "user"}]', "message 1 of"),
        ('[{"role": "user", "content": null}]', "message 1 of"),
        ('[{"role": "bot", "content": "x"}]', "needs a role among system, user, assistant, tool"),
        ('[{"role": "user", "content": "\\ud800"}]', "half a surrogate pair"),
        ('[{"role": "assistant", "content": null}]', "at least one message"),
        ('[{"role": "assistant", "content": "x"}]', "nobody has spoken"),
    ],
)
def test_what_is_no_conversation_is_told(file: Path, text: str, reason: str) -> None:
    file.write_text(text, encoding="utf-8")

    assert reason in refusal("raw", file)


def test_a_file_that_is_not_there_and_one_that_is_too_large_are_told(
    file: Path, settings: Any
) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "prompt_bytes": 10}

    assert "cannot be read" in refusal("raw", file)
    assert "is larger than 10 bytes" in refusal("raw", file, messages=TURNS)


def test_an_open_slot_cannot_be_closed(file: Path) -> None:
    assert "--no-generation-prompt" in refusal(
        "raw", file, "--no-generation-prompt", messages=[*TURNS, OPEN]
    )
