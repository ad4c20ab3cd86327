"""Formats are known by what stands in a chat template."""

import pytest

from inference.grammars import check_grammar
from inference.tools.formats import format_of_template, tool_format, tool_formats

TEMPLATES = {
    "hermes": '{% if tools %}…<tool_call>\n{"name": …}</tool_call>{% endif %}',
    "mistral": "{{ tools }} [AVAILABLE_TOOLS] [TOOL_CALLS][",
    "mistral_arguments": "{{ tools }} [TOOL_CALLS]name[ARGS]{}",
    "deepseek": "{{ tools }}<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    "llama3": 'Respond with {"name": function name, "parameters": …} {{ tools }}',
}
UNKNOWN = (
    "{{ messages }}",
    "<tool_call><function=name> {{ tools }}",  # XML, which nothing here reads
    "<tool_call>name <arg_key> {{ tools }}",
    "the word tools alone",
    '<|tool_call|>[{"name": …, "parameters": …}] {{ tools }}',
)


@pytest.mark.parametrize("name", tool_formats())
def test_each_format_is_told_by_its_template(name: str) -> None:
    assert format_of_template(TEMPLATES[name]) == tool_format(name)


@pytest.mark.parametrize("template", UNKNOWN)
def test_other_templates_tell_no_format(template: str) -> None:
    assert format_of_template(template) is None


def test_a_name_nobody_knows_is_the_canonical_format() -> None:
    assert tool_format("").name == tool_format("martian").name == "hermes"


@pytest.mark.parametrize("name", tool_formats())
def test_what_forces_calls_is_a_grammar(name: str) -> None:
    form = tool_format(name)

    if form.grammar is not None:
        functions = [{"name": "go", "parameters": {}}]
        check_grammar({"type": "calls", "functions": functions, **form.grammar})
