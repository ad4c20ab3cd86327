"""Saved conversations: FastChat's layout, both ways, and files that are none."""

import json
from pathlib import Path

import pytest

from chat.exceptions import SavedConversationError
from chat.terminal.conversation import TerminalConversation
from chat.terminal.saved import load_conversation, path_to_load, path_to_save, save_conversation
from inference.chat_templates.families import family_named
from inference.messages import Message, Role

TALK = [Message(Role.USER, "你好"), Message(Role.ASSISTANT, "Hi\nthere")]


def written(folder: Path, data: object) -> Path:
    path = folder / "talk.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def fastchat_file(**changes: object) -> dict[str, object]:
    return {
        "template_name": "one_shot",
        "system_message": "A chat.",
        "roles": ["Human", "Assistant"],
        "messages": [
            ["Human", "an example"],
            ["Assistant", "its answer"],
            ["Human", "real"],
            ["Assistant", "answer"],
            ["Assistant", None],
        ],
        "offset": 2,
        **changes,
    }


def test_a_file_has_fastchats_layout(tmp_path: Path):
    conversation = TerminalConversation(family_named("vicuna_v1.1"), "Be brief.")
    conversation.messages.extend(TALK)

    save_conversation(conversation, tmp_path / "talk.json")

    assert json.loads((tmp_path / "talk.json").read_text(encoding="utf-8")) == {
        "template_name": "vicuna_v1.1",
        "system_message": "Be brief.",
        "roles": ["USER", "ASSISTANT"],
        "messages": [["USER", "你好"], ["ASSISTANT", "Hi\nthere"]],
        "offset": 0,
    }


@pytest.mark.parametrize("family", ["vicuna_v1.1", "llama-2", "raw"])
def test_what_was_saved_is_loaded(tmp_path: Path, family: str):
    conversation = TerminalConversation(family_named(family), "Be brief.")
    conversation.messages.extend(TALK)
    save_conversation(conversation, tmp_path / "talk.json")

    assert load_conversation(tmp_path / "talk.json") == ("Be brief.", TALK)


def test_the_examples_of_a_template_are_left_out(tmp_path: Path):
    system, messages = load_conversation(written(tmp_path, fastchat_file()))

    assert system == "A chat."
    assert messages == [Message(Role.USER, "real"), Message(Role.ASSISTANT, "answer")]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        fastchat_file(roles=["one"]),
        fastchat_file(roles=None),
        fastchat_file(offset=-1),
        fastchat_file(offset="2"),
        fastchat_file(messages=[["Human"]], offset=0),
        fastchat_file(messages={"a": 1}),
        fastchat_file(messages=[["Human", 5]], offset=0),
        fastchat_file(messages=[["Nobody", "x"]], offset=0),
        fastchat_file(system_message=5),
    ],
    ids=range(13),
)
def test_a_file_without_a_conversation_is_refused_in_one_sentence(tmp_path: Path, content: object):
    with pytest.raises(SavedConversationError, match=r"talk\.json"):
        load_conversation(written(tmp_path, content))


def test_a_folder_and_a_giant_are_no_files_to_load(tmp_path: Path):
    giant = tmp_path / "giant.json"
    with giant.open("wb") as file:
        file.truncate(20 * 1024 * 1024)

    with pytest.raises(SavedConversationError, match="more than"):
        load_conversation(giant)
    assert path_to_load(str(tmp_path)) is None


def test_names_get_their_ending(tmp_path: Path):
    (tmp_path / "talk.json").touch()

    assert path_to_save("talk") == Path("talk.json")
    assert path_to_save("talk.txt") == Path("talk.txt")
    assert path_to_load(str(tmp_path / "talk")) == tmp_path / "talk.json"
    assert path_to_load(str(tmp_path / "none")) is None
