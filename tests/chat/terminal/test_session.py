"""What a terminal chat does with what is typed."""

import json
from pathlib import Path

import pytest

from chat.terminal.screen import LONGEST_INPUT
from inference.messages import Role
from tests.support.terminal_chats import chat_about


def test_a_question_is_answered_and_remembered():
    screen, model = chat_about("hello", "again")

    assert screen.lines == ["ASSISTANT> 1 hello", "ASSISTANT> 2 again", "exit..."]
    assert [said.content for said in model.asked[1]] == ["hello", "1 hello", "again"]


@pytest.mark.parametrize("typed", [["!!exit", "more"], ["", "more"], []])
def test_it_ends_at_exit_at_an_empty_line_and_at_the_end_of_the_input(typed: list[str]):
    screen, model = chat_about(*typed)

    assert screen.lines == ["exit..."]
    assert model.asked == []


def test_a_system_message_stands_first_and_survives_a_reset():
    _, model = chat_about("a", "!!reset", "b", system="Be brief.")

    assert [(said.role, said.content) for said in model.asked[1]] == [
        (Role.SYSTEM, "Be brief."),
        (Role.USER, "b"),
    ]


def test_without_history_every_prompt_stands_alone():
    _, model = chat_about("a", "b", has_history=False)

    assert [[said.content for said in asked] for asked in model.asked] == [["a"], ["b"]]


def test_remove_takes_the_last_turn_back_and_shows_the_rest():
    screen, model = chat_about("a", "b", "!!remove", "c")

    assert screen.lines[2:5] == ["removing last message...", "USER: a", "ASSISTANT: 1 a"]
    assert [said.content for said in model.asked[2]] == ["a", "1 a", "c"]


def test_regen_shows_the_conversation_and_asks_the_last_question_again():
    screen, model = chat_about("a", "!!regen")

    assert screen.lines[1:4] == ["regenerating last message...", "USER: a", "ASSISTANT> 2 a"]
    assert [said.content for said in model.asked[1]] == ["a"]


def test_there_is_nothing_to_remove_or_regenerate_at_the_beginning():
    screen, _ = chat_about("!!remove", "!!regen")

    assert screen.lines == ["No messages to remove.", "No messages to regenerate.", "exit..."]


def test_an_interrupted_answer_leaves_no_trace():
    screen, model = chat_about("a", "interrupt", "b")

    assert screen.lines[1:5] == [
        "ASSISTANT> 2 ",
        "stopped generation.",
        "USER: a",
        "ASSISTANT: 1 a",
    ]
    assert [said.content for said in model.asked[2]] == ["a", "1 a", "b"]


def test_a_broken_answer_is_one_sentence_and_the_chat_goes_on():
    screen, model = chat_about("break", "b")

    assert screen.lines[1] == "error: the worker is gone"
    assert [said.content for said in model.asked[1]] == ["b"]


def test_a_conversation_is_saved_and_loaded(tmp_path: Path):
    name = str(tmp_path / "talk")
    chat_about("a", f"!!save {name}", system="Be brief.")

    screen, model = chat_about(f"!!load {name}", "b")

    assert screen.lines[:3] == [f"loading... {name}.json", "USER: a", "ASSISTANT: 1 a"]
    assert [said.content for said in model.asked[0]] == ["Be brief.", "a", "1 a", "b"]


def test_saving_and_loading_want_a_name_that_works(tmp_path: Path):
    nowhere = tmp_path / "no" / "folder.json"

    screen, _ = chat_about("!!save", "!!load", f"!!save {nowhere}", f"!!load {nowhere}")

    assert screen.lines[0] == "usage: !!save <filename>"
    assert screen.lines[1] == "usage: !!load <filename>"
    assert screen.lines[3].startswith(f"error: {nowhere} cannot be written")
    assert screen.lines[4] == f"file not found: {nowhere}"


def test_debugging_shows_prompt_answer_and_speed_as_json():
    screen, _ = chat_about("你好", is_debugging=True)

    facts = json.loads(screen.lines[1])

    assert facts["conv_template"] == "plain"
    assert (facts["prompt"], facts["outputs"]) == ("你好", "1 你好")
    assert facts["speed (token/s)"] > 0


def test_half_a_character_from_the_terminal_does_no_harm():
    screen, _ = chat_about("a\udce4")

    assert screen.lines[0] == "ASSISTANT> 1 a?"


def test_a_message_that_is_too_long_is_refused_and_the_chat_goes_on():
    screen, model = chat_about("x" * (LONGEST_INPUT + 1), "y" * (LONGEST_INPUT + 1), "short")

    assert screen.lines[0].startswith("error: a message may have")
    assert [said.content for said in model.asked[0]] == ["short"]
