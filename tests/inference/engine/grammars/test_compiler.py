"""Answers of a real model that must follow a grammar do, whatever the model would rather say."""

import json
import re

import jsonschema
import pytest

from inference.demo_models import demo_model_folders
from inference.engine.config import EngineConfig
from inference.engine.grammars.compiler import KEPT, GrammarCompiler
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import InvalidRequestError, UnsatisfiableGrammarError
from inference.generation import FinishReason, SamplingParams
from inference.loading.loader import load_model
from tests.support.engine_runs import drain, said, text_of

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "likes": {"type": "array", "items": {"enum": ["茶", "coffee"]}, "maxItems": 3},
        "home": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]},
    },
    "required": ["name", "age", "likes", "home"],
    "additionalProperties": False,
    "$defs": {
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 9}},
            "required": ["city"],
            "additionalProperties": False,
        }
    },
}
WEATHER = {
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"enum": ["Bern", "北京"]}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
TIME = {"name": "time", "parameters": {"type": "object", "additionalProperties": False}}
CALLS = {
    "type": "calls",
    "functions": [WEATHER, TIME],
    "most": 3,
    "begin": "<tool_call>\n",
    "end": "\n</tool_call>",
    "separator": "\n",
    "name_key": "name",
    "arguments_key": "arguments",
}


@pytest.fixture(scope="module")
def loaded():
    return load_model(str(demo_model_folders()["demo-small"]))


@pytest.fixture(scope="module")
def engine(loaded):
    return LLMEngine(loaded.model, loaded.tokenizer, EngineConfig(kv_cache_tokens=8192))


@pytest.fixture(scope="module")
def compiler(loaded):
    return GrammarCompiler(
        loaded.tokenizer,
        vocabulary_size=loaded.model.config.vocab_size,
        end_token_ids={loaded.tokenizer.eos_token_id},
    )


def answers(engine, grammar, count=12):
    """Ask for several answers in one batch, hot and cold; one more has no grammar."""
    engine.submit("free", messages=said("Hello!"), params=SamplingParams(max_tokens=5))
    for number in range(count):
        params = SamplingParams(
            temperature=number % 3, max_tokens=200, seed=number, grammar=grammar
        )
        engine.submit(str(number), messages=said("Go!"), params=params)
    outputs = drain(engine)
    assert outputs.pop("free")[-1].failure is None
    for answer in outputs.values():
        assert answer[-1].finish_reason is FinishReason.STOP
    return [text_of(answer) for answer in outputs.values()]


def test_json_follows_its_schema(engine):
    for text in answers(engine, {"type": "json_schema", "schema": PERSON}):
        jsonschema.validate(json.loads(text), PERSON)


def test_an_expression_is_matched(engine):
    for text in answers(engine, {"type": "regex", "regex": "[a-z]{3,5}-[0-9]{2}"}):
        assert re.fullmatch("[a-z]{3,5}-[0-9]{2}", text)


def test_one_of_the_choices_is_taken(engine):
    choices = ["yes", "no", '也许"吧', "yes, but"]

    texts = answers(engine, {"type": "choice", "choices": choices})

    assert set(texts) <= set(choices)


def test_calls_name_a_function_and_fill_in_its_arguments(engine):
    for text in answers(engine, CALLS):
        calls = re.findall("<tool_call>\n(.*?)\n</tool_call>", text)
        assert 1 <= len(calls) <= 3
        assert "".join(f"<tool_call>\n{call}\n</tool_call>\n" for call in calls)[:-1] == text
        for call in map(json.loads, calls):
            function = {"weather": WEATHER, "time": TIME}[call["name"]]
            jsonschema.validate(call["arguments"], function["parameters"])


def test_special_tokens_around_a_call_are_tokens(engine, compiler, loaded):
    grammar = CALLS | {"begin": "<|tool|>", "end": "", "most": 1}
    constraint = compiler.compile(grammar)

    engine.submit("call", messages=said("Go!"), constraint=constraint)
    first = drain(engine)["call"][0].token

    assert first == loaded.tokenizer.convert_tokens_to_ids("<|tool|>")


def test_an_answer_goes_on_where_it_was_broken_off(compiler):
    grammar = {"type": "regex", "regex": "one two( three)?"}

    assert not compiler.compile(grammar, said="one two").is_finished
    assert compiler.compile(grammar, said="one two three").is_finished
    with pytest.raises(UnsatisfiableGrammarError):
        compiler.compile(grammar, said="two")


def test_what_does_not_follow_the_grammar_is_refused(compiler, loaded):
    constraint = compiler.compile({"type": "choice", "choices": ["yes"]})

    with pytest.raises(UnsatisfiableGrammarError):
        constraint.accept(loaded.tokenizer.encode("no", add_special_tokens=False)[0])


def test_forks_go_their_own_ways(compiler, loaded):
    one = compiler.compile({"type": "choice", "choices": ["ab", "ac"]}, said="a")
    other = one.fork()

    one.accept(loaded.tokenizer.convert_tokens_to_ids("b"))

    assert one.is_finished
    assert not other.is_finished


def test_grammars_are_kept_but_not_for_ever(compiler):
    for number in range(2 * KEPT):
        compiler.compile({"type": "choice", "choices": [f"word {number}"]})

    assert len(compiler._kept) == KEPT


@pytest.mark.parametrize(
    ("grammar", "problem"),
    [
        ({"type": "json_schema", "schema": {"type": "strin"}}, "strin"),
        ({"type": "json_schema", "schema": {"type": "string", "pattern": "(("}}, "unclosed"),
        ({"type": "json_schema", "schema": {"$ref": "http://example.org/x"}}, "example.org"),
        ({"type": "regex", "regex": "(("}, "unclosed"),
        ({"type": "regex", "regex": "(?=a)b"}, "look-around"),
        ({"type": "lark", "lark": "start: nothing"}, "nothing"),
        ({"type": "choice", "choices": []}, "choices"),
        ({"type": "poem"}, "poem"),
    ],
)
def test_a_grammar_that_cannot_be_followed_is_refused(compiler, grammar, problem):
    with pytest.raises(InvalidRequestError, match=re.escape(problem)):
        compiler.compile(grammar)
