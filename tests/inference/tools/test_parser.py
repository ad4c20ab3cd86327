"""Calls are read the same however an answer is cut into pieces, and no sign of them leaks."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.tools.formats import tool_format, tool_formats
from inference.tools.parser import CallParser, Parsed
from inference.tools.writing import call_text

ADD = {"a": 1, "b": {"c": ["}", '"', "</tool_call>", "]"]}}
ARGUMENTS = json.dumps(ADD)
WRITTEN = {
    "hermes": (
        f"{call_text('add', ARGUMENTS)}\n{call_text('go', '{}')}",
        "<tool_call>",
    ),
    "mistral": (
        (
            f'[TOOL_CALLS][{{"name": "add", "arguments": {ARGUMENTS}}},'
            ' {"name": "go", "arguments": {}}]'
        ),
        "[TOOL_CALLS]",
    ),
    "mistral_arguments": (
        f"[TOOL_CALLS]add[ARGS]{ARGUMENTS}[TOOL_CALLS]go[CALL_ID]abc123XYZ[ARGS]{{}}",
        "[TOOL_CALLS]",
    ),
    "deepseek": (
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n"
            f"```json\n{ARGUMENTS}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>go<｜tool▁sep｜>"
            "{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        "<｜tool",
    ),
    "llama3": (
        (
            f'<|python_tag|>{{"name": "add", "parameters": {ARGUMENTS}}}; '
            '{"type": "function", "name": "go", "parameters": {}}'
        ),
        "<|python_tag|>",
    ),
}
NOT_CALLS = (
    "<tool_call>",
    "<tool_call> I would call it",
    '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
    "<tool_call>{broken}</tool_call> and on",
    "a <tool b <tool_cal c\n\n",
    " \n",
)


def read(form: str, pieces: list[str], **options: object) -> tuple[str, list[tuple[str, str]]]:
    """The text and the calls of an answer."""
    parser = CallParser(tool_format(form), **{"names": ("add", "go"), **options})
    steps: list[Parsed] = [*(parser.feed(piece) for piece in pieces), parser.finish()]
    calls: list[list[str]] = []
    for delta in (delta for step in steps for delta in step.calls):
        if delta.name:
            assert delta.index == len(calls)
            calls.append([delta.name, ""])
        calls[delta.index][1] += delta.arguments
    assert parser.call_count == len(calls)
    return "".join(step.text for step in steps), [(name, text) for name, text in calls]


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[first:last] for first, last in pairwise(bounds)]


@pytest.mark.parametrize("form", tool_formats())
def test_two_calls_are_read_in_every_format(form: str) -> None:
    text, _ = WRITTEN[form]

    said, calls = read(form, list(text))

    assert said == ""
    assert [(name, json.loads(arguments)) for name, arguments in calls] == [
        ("add", ADD),
        ("go", {}),
    ]


@pytest.mark.parametrize("form", tool_formats())
@given(places=st.lists(st.integers(0, 10_000), max_size=12), after=st.sampled_from(["", "\nDone."]))
def test_cutting_an_answer_differently_changes_nothing(form, places, after) -> None:
    before = "" if form == "llama3" else "I will see.\n\n"
    text = before + WRITTEN[form][0] + after

    said, calls = read(form, cut(text, places))

    assert (said, calls) == read(form, [text])
    assert said.strip() == (before + after).replace("\n\n\n", "\n").strip()
    assert WRITTEN[form][1] not in said
    assert len(calls) == 2


@given(
    parts=st.lists(
        st.sampled_from(
            [*NOT_CALLS, "<tool_call>", "</tool_call>", '{"name": "add", "arguments": {', "}}", " "]
        ),
        max_size=6,
    ),
    places=st.lists(st.integers(0, 10_000), max_size=8),
)
def test_broken_calls_are_read_alike_too(parts, places) -> None:
    text = "".join(parts)

    assert read("hermes", cut(text, places)) == read("hermes", [text])


@pytest.mark.parametrize("text", NOT_CALLS)
def test_what_only_looks_like_a_call_is_text(text: str) -> None:
    assert read("hermes", list(text)) == (text, [])


@pytest.mark.parametrize("text", ['{"answer": 3}', "Plain words.", "  {", '{"name": "no"}', ""])
def test_json_that_is_no_call_is_text_to_a_model_without_signs(text: str) -> None:
    assert read("llama3", list(text)) == (text, [])


def test_keys_may_come_in_another_order_and_arguments_twice_written() -> None:
    swapped = '<tool_call>{"arguments": {"a": 1}, "name": "add"}</tool_call>'
    twice = '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>'

    assert read("hermes", list(swapped)) == ("", [("add", '{"a": 1}')])
    assert read("hermes", list(twice)) == ("", [("add", '{"a": 1}')])


def test_the_name_comes_first_and_arguments_as_they_grow() -> None:
    parser = CallParser(tool_format("hermes"))

    begun = parser.feed('Yes. <tool_call>{"name": "add", "arguments": {"a"').calls
    grown = parser.feed(": 1").calls

    assert [(delta.name, delta.arguments) for delta in begun] == [("add", ""), ("", '{"a"')]
    assert [(delta.name, delta.arguments) for delta in grown] == [("", ": 1")]


def test_calls_beyond_the_wanted_number_are_dropped() -> None:
    assert read("hermes", [WRITTEN["hermes"][0]], most=1) == ("", [("add", ARGUMENTS)])


def test_a_call_that_is_cut_off_keeps_what_was_told() -> None:
    assert read("hermes", ['<tool_call>{"name": "add", "arguments": {"a": "b']) == (
        "",
        [("add", '{"a": "b')],
    )
