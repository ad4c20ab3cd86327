"""Families write conversations the way their models were taught."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.chat_templates.families import (
    families,
    family_for,
    family_named,
    use_family_file,
)
from inference.chat_templates.reference import TURNS, agreement, digest, recorded_digests
from inference.chat_templates.rendering import render_family
from inference.exceptions import InvalidRequestError
from inference.messages import Message, Role

GIVEN = Message(Role.SYSTEM, "S")
GOLDEN = {
    "vicuna_v1.1": "S USER: Hello! ASSISTANT: Hi!</s>USER: How are you? ASSISTANT:",
    "zero_shot": (
        "S\n### Human: Hello!\n### Assistant: Hi!\n### Human: How are you?\n### Assistant:"
    ),
    "default": "S\n### Human: Hello!\n### Assistant: Hi!\n### Human: How are you?\n### Assistant:",
    "llama-2": (
        "[INST] <<SYS>>\nS\n<</SYS>>\n\nHello! [/INST] Hi! </s><s>[INST] How are you? [/INST]"
    ),
    "alpaca": (
        "S\n\n### Instruction: Hello!\n\n### Response: Hi!</s>"
        "### Instruction: How are you?\n\n### Response:"
    ),
    "chatml": (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n"
        "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nHow are you?<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    "llama-3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHello!<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHi!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHow are you?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "chatglm2": "S\n\n[Round 1]\n\n问：Hello!\n\n答：Hi!\n\n[Round 2]\n\n问：How are you?\n\n答：",
    "phi-2": "S\nInstruct: Hello!\nOutput: Hi!\nInstruct: How are you?\nOutput:",
    "stable-beluga": (
        "### System:\nS\n\n### User:\nHello!\n\n### Assistant:\nHi!\n\n"
        "### User:\nHow are you?\n\n### Assistant:\n"
    ),
}
"""What the model cards show; the families that are FastChat's are compared with its digests too."""


@pytest.mark.parametrize("name", GOLDEN)
def test_a_family_writes_conversations_the_way_its_models_were_taught(name: str) -> None:
    assert render_family(family_named(name), [GIVEN, *TURNS]) == GOLDEN[name]


def test_a_family_that_is_not_fastchats_has_a_golden_text() -> None:
    ours = {name for name, family in families().items() if agreement(family, name) == "text"}

    assert ours <= set(GOLDEN)


@pytest.mark.parametrize("name", recorded_digests())
def test_every_conversation_of_fastchat_is_written_as_it_writes_it(name: str) -> None:
    assert agreement(family_named(name), name) in {"whole", "layout", "no text"}


def test_most_default_system_messages_are_those_the_models_were_taught_with() -> None:
    found = [agreement(family_named(name), name) for name in recorded_digests()]

    assert (len(found), found.count("whole"), found.count("layout")) == (102, 83, 18)


def test_a_digest_tells_one_text_from_another() -> None:
    assert digest("S USER: Hello!") != digest("S USER: Hello! ")


def test_the_recorded_digests_are_those_of_the_recorded_texts(reference_data: Path) -> None:
    layouts = json.loads((reference_data / "chat_template_layouts.json").read_text("utf-8"))
    recorded = recorded_digests()

    def digest_of(text: str | None) -> str:
        return "" if text is None else digest(text)

    assert {layout["name"] for layout in layouts} == set(recorded)
    for layout in layouts:
        digests: dict[str, Any] = recorded[layout["name"]]
        assert digests["system"] == digest_of(layout["rendered_with_system_S"]), layout["name"]
        assert digests["empty"] == digest_of(layout["rendered_without_system"]), layout["name"]


def test_stop_rules_are_those_of_fastchat(reference_data: Path) -> None:
    layouts = json.loads((reference_data / "chat_template_layouts.json").read_text("utf-8"))

    for layout in layouts:
        family = family_named(layout["name"])
        stop = layout["stop_str"] or ()
        assert family.stop == ((stop,) if isinstance(stop, str) else tuple(stop)), layout["name"]
        assert family.stop_token_ids == tuple(layout["stop_token_ids"] or ()), layout["name"]


def test_a_family_without_a_layout_writes_no_text() -> None:
    with pytest.raises(InvalidRequestError, match="'yandexgpt' has no layout"):
        render_family(family_named("yandexgpt"), TURNS)


def test_an_alias_is_another_name_of_the_same_family() -> None:
    assert family_named("TinyLlama") is family_named("catppt") is family_named("zephyr")


def test_no_name_stands_for_two_families() -> None:
    names = [name for family in families().values() for name in (family.name, *family.aliases)]

    assert len(names) == len(set(names))


def test_an_unknown_family_is_answered_with_those_that_sound_alike() -> None:
    with pytest.raises(InvalidRequestError, match=r"did you mean vicuna_v1\.1"):
        family_named("vicuna-v1.1")
    with pytest.raises(InvalidRequestError, match=r"'\?'; docs/reference/models\.md lists all"):
        family_named("?")


def test_the_familys_own_system_message_stands_where_none_is_given() -> None:
    family = family_named("chatml")

    assert family.system_message in render_family(family, TURNS)
    assert family.system_message not in render_family(family, [GIVEN, *TURNS])


def test_examples_go_with_the_familys_own_system_message() -> None:
    family = family_named("baize")
    own = Message(Role.SYSTEM, family.system_message)
    example = "[|Human|]Hello!\n[|AI|]Hi!\n"

    assert render_family(family, [TURNS[2]]).count(example) == 1
    assert render_family(family, [own, TURNS[2]]).count(example) == 1
    assert render_family(family, [GIVEN, TURNS[2]]).count(example) == 0


def test_a_mark_at_the_end_is_not_taken_for_its_letters() -> None:
    said = [Message(Role.USER, "an n<n")]

    assert render_family(family_named("yuan2"), said) == "an n<n<sep>"


@pytest.fixture
def families_of_the_site() -> Iterator[None]:
    yield
    use_family_file(None)


def write(path: Path, **changes: Any) -> Path:
    entry = {"layout": "robin", "roles": ["Q", "A"], "patterns": ["*acme*"], **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    path.write_text("\n".join(["[acme]", *lines]), encoding="utf-8")
    return path


@pytest.mark.usefixtures("families_of_the_site")
def test_families_of_the_site_come_before_ours(tmp_path: Path) -> None:
    use_family_file(write(tmp_path / "families.toml", separator="\n"))

    found = family_for("acme-vicuna-7b")

    assert found is not None
    assert render_family(found, [TURNS[0]]) == "\nQ:\nHello!\nA:\n"
    assert family_named("vicuna_v1.1").name == "vicuna_v1.1"


@pytest.mark.usefixtures("families_of_the_site")
def test_a_layout_may_lie_beside_the_file(tmp_path: Path) -> None:
    layout = "{{ user }}={% for m in messages %}{{ m.content }}{{ tail }}{% endfor %}"
    (tmp_path / "acme.jinja").write_text(layout, encoding="utf-8")
    path = write(tmp_path / "families.toml", layout="acme.jinja")
    path.write_text(f'{path.read_text()}\nvariables = {{ tail = "!" }}', encoding="utf-8")

    use_family_file(path)

    assert render_family(family_named("acme"), [TURNS[0]]) == "Q=Hello!!"


MARKED_AT_THE_END = {"cllm", "yuan2"}
"""One reads the last turns alone, the other marks what is to be answered."""

BY_NAME = {name: family for name, family in families().items() if family.layout}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("turns", [1, 3])
def test_an_answer_continues_the_prompt_it_was_asked_by(name: str, turns: int) -> None:
    asked = list(TURNS[:turns])
    answered = [*asked, Message(Role.ASSISTANT, "Fine.")]

    prompt = render_family(BY_NAME[name], asked)
    whole = render_family(BY_NAME[name], answered, add_generation_prompt=False)

    assert render_family(BY_NAME[name], answered) == whole[: whole.rindex("Fine.")] + "Fine."
    if BY_NAME[name].layout not in MARKED_AT_THE_END:
        assert whole.startswith(prompt)
        assert whole.removeprefix(prompt).lstrip().startswith("Fine.")
