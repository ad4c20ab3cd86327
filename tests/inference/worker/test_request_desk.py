"""What a worker does with every kind of request, through the bus, with a real small model."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from inference.bus.base import BusConfig
from inference.bus.events import Event, logged_pieces
from inference.bus.local import LocalBus
from inference.conf import InferenceSettings
from inference.demo_models import demo_model_folders
from inference.generation import FinishReason, GenerationRequest, SamplingParams, TokenScore
from inference.messages import Message, Role
from inference.requests import AnyRequest, EmbeddingRequest, TokensRequest
from inference.tools.use import ToolUse
from inference.worker.engine_host import EngineHost
from inference.worker.model_specs import host_model, parse_spec

NAME = "demo-small"
GREEDY = SamplingParams(temperature=0, max_tokens=8)
QUESTION = (Message(Role.USER, "What is 2 + 3?"),)


@pytest.fixture(scope="module")
def bus() -> Iterator[LocalBus]:
    bus = LocalBus(BusConfig())
    yield bus
    bus.close()


@pytest.fixture(scope="module")
def host(bus: LocalBus) -> Iterator[EngineHost]:
    spec = parse_spec(str(demo_model_folders()[NAME]), device="cpu")
    spec = replace(spec, engine_options={"kv_cache_bytes": 20_000_000})
    host = host_model(spec, bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
    yield host
    host.close()


def ask(bus: LocalBus, host: EngineHost, request: AnyRequest) -> tuple[Event, ...]:
    """The events of a request's log."""
    bus.submit(request, inbox="test", capacity=99, retry_after_s=1)
    host.answer(request.request_id, 0)
    return bus.attach(request.request_id, "test").log


def text_of(log: tuple[Event, ...]) -> str:
    return "".join(logged_pieces(log))


def scores_of(log: tuple[Event, ...]) -> list[TokenScore]:
    return [score for event in log for score in event.scores]


def vectors_of(log: tuple[Event, ...]) -> np.ndarray:
    end = log[-1]
    assert end.result is not None, end.failure
    return np.frombuffer(end.result["vectors"], dtype="<f4").reshape(-1, end.result["width"])


def test_a_text_is_continued_and_so_are_its_tokens(bus, host) -> None:
    text = host.prompt_text(QUESTION)
    tokens = ask(bus, host, TokensRequest(NAME, text=text, adds_special_tokens=False))
    ids = tuple(tokens[-1].result["tokens"])

    chat = ask(bus, host, GenerationRequest(NAME, QUESTION, GREEDY))
    continued = ask(bus, host, GenerationRequest(NAME, prompt=ids, params=GREEDY))

    assert text_of(chat) == text_of(continued) != ""


def test_a_text_may_be_echoed_with_its_scores(bus, host) -> None:
    params = replace(GREEDY, echo=True, logprobs=2, prompt_logprobs=1)

    log = ask(bus, host, GenerationRequest(NAME, prompt="Two and three", params=params))

    assert text_of(log).startswith("Two and three")
    scores = log[-1].result["prompt_scores"]
    assert len(scores) == log[-1].usage.prompt_tokens
    assert scores[0] is None
    assert all(TokenScore.from_list(score).token.logprob <= 0 for score in scores[1:])


def test_every_token_has_its_score_beside_it(bus, host) -> None:
    log = ask(bus, host, GenerationRequest(NAME, QUESTION, replace(GREEDY, logprobs=3)))

    scores = scores_of(log)
    assert len(scores) == len(logged_pieces(log)) > 0
    for score in scores:
        assert score.token == score.top[0]  # greedy
        assert len(score.top) == 3
    said = b"".join(score.token.raw for score in scores).decode(errors="replace")
    assert text_of(log).strip() in said


def test_several_answers_are_several_requests(bus, host) -> None:
    log = ask(bus, host, GenerationRequest(NAME, QUESTION, replace(GREEDY, n=2)))

    assert log[-1].failure.code == "invalid_request"


def test_many_texts_become_vectors_each_as_if_alone(bus, host) -> None:
    texts = tuple(f"text number {number} " + "and more " * (number % 7) for number in range(150))

    together = ask(bus, host, EmbeddingRequest(NAME, texts))
    alone = ask(bus, host, EmbeddingRequest(NAME, texts[6:7]))

    vectors = vectors_of(together)
    assert vectors.shape[0] == 150
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[6], vectors_of(alone)[0], atol=1e-5)
    assert together[-1].usage.prompt_tokens > 150 * 3


def test_a_text_beyond_the_window_is_refused_cut_or_split(bus, host) -> None:
    beginning = "alpha beta gamma " * 150
    long = beginning * 3

    refused = ask(bus, host, EmbeddingRequest(NAME, ("short", long)))
    cut = ask(bus, host, EmbeddingRequest(NAME, (long,), truncates=True))
    split = ask(bus, host, EmbeddingRequest(NAME, (long, "short"), splits=True))
    short = ask(bus, host, EmbeddingRequest(NAME, ("short",)))

    assert refused[-1].failure.code == "context_length_exceeded"
    assert cut[-1].usage.prompt_tokens <= host.context_length < split[-1].usage.prompt_tokens
    assert np.allclose(vectors_of(split)[1], vectors_of(short)[0], atol=1e-5)
    assert math.isclose(float(np.linalg.norm(vectors_of(split)[0])), 1, abs_tol=1e-5)


def test_tokens_and_their_text(bus, host) -> None:
    there = ask(bus, host, TokensRequest(NAME, text="你好, world"))[-1].result
    back = ask(bus, host, TokensRequest(NAME, tokens=tuple(there["tokens"])))[-1].result
    talk = ask(bus, host, TokensRequest(NAME, messages=QUESTION))[-1]
    unknown = ask(bus, host, TokensRequest(NAME, tokens=(10**6,)))[-1]

    assert "你好, world" in back["text"]
    assert len(there["texts"]) == len(there["tokens"])
    assert there["context_length"] == host.context_length
    assert QUESTION[0].content in talk.result["text"]
    assert talk.usage.prompt_tokens == len(talk.result["tokens"])
    assert unknown.failure.code == "invalid_request"


def test_an_answer_follows_its_grammar_also_after_another_worker_began_it(bus, host) -> None:
    grammar = {"type": "regex", "regex": "red [a-z]{3} (blue|green)"}
    params = SamplingParams(temperature=1, max_tokens=40, grammar=grammar, seed=1)
    whole = ask(bus, host, GenerationRequest(NAME, QUESTION, params))
    request = GenerationRequest(NAME, QUESTION, params)
    bus.submit(request, inbox="test", capacity=99, retry_after_s=1)
    bus.claim(request.request_id, attempt=0, worker_id="dead")
    said = Event(request.request_id, 0, 0, ("red ", "ab"))
    bus.publish({}, {request.request_id: [said]})
    bus.requeue(request.request_id, attempt=0, tail=Event(request.request_id, 1, 2))

    host.answer(request.request_id, 1)
    log = bus.attach(request.request_id, "test").log

    assert re.fullmatch(grammar["regex"], text_of(whole))
    assert re.fullmatch(grammar["regex"], text_of(log))
    assert text_of(log).startswith("red ab")


def test_a_grammar_nobody_can_follow_ends_its_request_alone(bus, host) -> None:
    params = replace(GREEDY, grammar={"type": "regex", "regex": "(("})

    log = ask(bus, host, GenerationRequest(NAME, QUESTION, params))

    assert log[-1].finish_reason is FinishReason.ERROR
    assert log[-1].failure.code == "invalid_request"


def test_a_continued_text_goes_on_after_a_lost_worker(bus, host) -> None:
    plain = GenerationRequest(NAME, prompt="One two", params=GREEDY)
    whole = text_of(ask(bus, host, plain))
    begun = GenerationRequest(NAME, prompt="One two", params=replace(GREEDY, max_tokens=3))
    first = logged_pieces(ask(bus, host, begun))
    request = GenerationRequest(NAME, prompt="One two", params=GREEDY)
    bus.submit(request, inbox="test", capacity=99, retry_after_s=1)
    bus.claim(request.request_id, attempt=0, worker_id="dead")
    bus.publish({}, {request.request_id: [Event(request.request_id, 0, 0, first)]})
    bus.requeue(request.request_id, attempt=0, tail=Event(request.request_id, 1, len(first)))

    host.answer(request.request_id, 1)
    log = bus.attach(request.request_id, "test").log

    assert text_of(log).startswith("".join(first))
    assert log[-1].usage.completion_tokens <= 8
    assert len(text_of(log)) > 0 < len(whole)


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer", "maximum": 99, "minimum": 0}},
            "required": ["a"],
            "additionalProperties": False,
        },
    },
}


def test_a_call_that_must_be_made_is_made_by_a_model_that_was_taught_none(bus, host) -> None:
    use = ToolUse((ADD,), is_forced=True, forced_name="add")
    form = use.form_of(host.tool_format)
    params = use.applied_to(SamplingParams(temperature=1, seed=3, max_tokens=80), form)

    log = ask(bus, host, GenerationRequest(NAME, QUESTION, params, tools=use.tools))

    parser = use.parser(form)
    parsed, rest = parser.feed(text_of(log)), parser.finish()
    assert parser.call_count == 1
    assert (parsed.text + rest.text).strip() == ""
    arguments = "".join(delta.arguments for delta in parsed.calls)
    assert 0 <= json.loads(arguments)["a"] <= 99


def test_tools_are_read_by_the_model(bus, host) -> None:
    bare = ask(bus, host, GenerationRequest(NAME, QUESTION, GREEDY))
    offered = ask(bus, host, GenerationRequest(NAME, QUESTION, GREEDY, tools=(ADD,)))

    assert offered[-1].usage.prompt_tokens > bare[-1].usage.prompt_tokens + 20


def test_an_option_that_templates_do_not_take_is_refused(bus, host) -> None:
    options = {"messages": "none"}

    log = ask(bus, host, GenerationRequest(NAME, QUESTION, GREEDY, template_options=options))

    assert log[-1].failure.code == "invalid_request"
