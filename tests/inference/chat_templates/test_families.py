import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from inference.chat_templates.families import families, family_for, family_named
from inference.chat_templates.rendering import render_family
from inference.exceptions import InvalidRequestError
from inference.messages import Message, Role

TURNS = [
    Message(Role.USER, "Hello!"),
    Message(Role.ASSISTANT, "Hi!"),
    Message(Role.USER, "How are you?"),
]
GOLDEN = {
    "vicuna_v1.1": "S USER: Hello! ASSISTANT: Hi!</s>USER: How are you? ASSISTANT:",
    "zero_shot": (
        "S\n### Human: Hello!\n### Assistant: Hi!\n### Human: How are you?\n### Assistant:"
    ),
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
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_family_writes_conversations_the_way_its_models_were_taught(name):
    assert render_family(family_named(name), [Message(Role.SYSTEM, "S"), *TURNS]) == GOLDEN[name]


def test_all_layouts_agree_with_the_recorded_ones():
    folder = os.environ.get("FASTCHAT_REFERENCE_DATA")
    if not folder:
        pytest.skip("FASTCHAT_REFERENCE_DATA is not set")
    layouts = json.loads((Path(folder) / "chat_template_layouts.json").read_text("utf-8"))
    recorded = {layout["name"]: layout for layout in layouts}
    shared = [family for family in families().values() if family.name in recorded]

    for family in shared:
        expected = recorded[family.name]
        with_system = render_family(family, [Message(Role.SYSTEM, "S"), *TURNS])
        without = render_family(replace(family, system_message=""), TURNS)

        assert with_system == expected["rendered_with_system_S"], family.name
        assert without == expected["rendered_without_system"], family.name
    assert len(shared) > 20


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("lmsys/vicuna-7b-v1.5", "vicuna_v1.1"),
        ("/models/Llama-2-13b-chat-hf/", "llama-2"),
        ("Meta-Llama-3-8B-Instruct", "llama-3"),
        ("stable-vicuna-13b", "stable-vicuna"),
        ("TinyLlama-1.1B-Chat-v1.0", "zephyr"),
    ],
)
def test_a_models_name_tells_its_family(model, family):
    found = family_for(model)

    assert found is not None
    assert found.name == family


def test_an_unknown_model_has_no_family():
    assert family_for("acme/wonder-9b") is None


def test_an_unknown_family_is_answered_with_those_there_are():
    with pytest.raises(InvalidRequestError, match="no chat template"):
        family_named("nonesuch")


def test_the_familys_own_system_message_stands_where_none_is_given():
    family = family_named("chatml")

    assert family.system_message in render_family(family, TURNS)
    assert family.system_message not in render_family(family, [Message(Role.SYSTEM, "S"), *TURNS])
