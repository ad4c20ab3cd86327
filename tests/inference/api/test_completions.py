"""Raw prompts, continued: texts, tokens, several of them, and how likely they were."""

import json
from typing import Any

import pytest

from inference import client
from inference.api import limits
from inference.api.unsupported import NEUTRAL_IN_COMPLETIONS
from inference.client import Tokens
from inference.exceptions import ContextLengthExceededError
from inference.generation import Delta, Failure, FinishReason, LikelyToken, TokenScore, Usage
from inference.models import LanguageModel
from inference.requests import TokensRequest
from tests.inference.api.conftest import events_of
from tests.support.canned_client import spoken


def scored(*tokens: tuple[str, float], prompt: list[Any] | None = None) -> list[Delta]:
    """Return an answer whose tokens have log-probabilities; a likelier "?" is beside each."""
    deltas = [
        Delta(index, (text,), scores=(score_of(text, logprob),))
        for index, (text, logprob) in enumerate(tokens)
    ]
    result = {"prompt_scores": prompt} if prompt else None
    usage = Usage(3, len(tokens))
    end = Delta(len(tokens), finish_reason=FinishReason.LENGTH, usage=usage, result=result)
    return [*deltas, end]


def score_of(text: str, logprob: float) -> TokenScore:
    token = LikelyToken(text, text.encode(), logprob)
    return TokenScore(token, (LikelyToken("?", b"?", -0.5), token))


async def complete(api, **fields: Any) -> Any:
    """POST a completion and return the response."""
    body = {"model": "parrot", "prompt": "Say"} | fields
    return await api.post("/v1/completions", data=body, content_type="application/json")


async def test_a_text_is_continued(api, models):
    response = await complete(api, temperature=0)

    body = response.json()
    assert body["object"] == "text_completion"
    assert body["id"].startswith("cmpl-")
    assert body["choices"] == [
        {"index": 0, "text": "Hello 世界", "logprobs": None, "finish_reason": "stop"}
    ]
    assert body["usage"]["total_tokens"] == 5 + 3
    (request,) = models.requests
    assert (request.prompt, request.messages, request.params.max_tokens) == ("Say", (), 16)


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [(1, 2)]),
        ([[1, 2], [3]], [(1, 2), (3,)]),
    ],
)
async def test_prompts_come_as_texts_or_tokens(api, models, prompt, asked):
    response = await complete(api, prompt=prompt, n=2)

    assert sorted(map(str, asked * 2)) == sorted(str(request.prompt) for request in models.requests)
    assert [choice["index"] for choice in response.json()["choices"]] == list(range(len(asked) * 2))
    assert response.json()["usage"]["prompt_tokens"] == 5 * len(asked)


async def test_choices_stand_prompt_by_prompt(api, models):
    models.answer = lambda request: spoken(f"{request.prompt}{request.params.seed}")

    response = await complete(api, prompt=["a", "b"], n=2, seed=4)

    assert [choice["text"] for choice in response.json()["choices"]] == ["a4", "a5", "b4", "b5"]


async def test_more_prompts_than_places_take_turns(api, models):
    models.answers["parrot"] = [0.01, *spoken("x")]

    response = await complete(api, prompt=["a"] * 20)

    assert len(response.json()["choices"]) == 20
    assert models.most_open == limits.CHOICES_AT_ONCE


async def test_the_likeliest_of_several_is_told_and_all_are_counted(api, models):
    logprobs = {1: -3.0, 2: -1.0, 3: -2.0}
    models.answer = lambda request: scored(
        (str(request.params.seed), logprobs[request.params.seed])
    )

    response = await complete(api, best_of=3, n=2, seed=1)

    body = response.json()
    assert [(c["index"], c["text"], c["logprobs"]) for c in body["choices"]] == [
        (0, "2", None),
        (1, "3", None),
    ]
    assert body["usage"]["completion_tokens"] == 3
    assert body["usage"]["prompt_tokens"] == 3


async def test_logprobs_name_tokens_their_likeliest_and_their_places(api, models):
    models.answers["parrot"] = scored(("Hel", -1.0), ("lo", float("-inf")))

    response = await complete(api, logprobs=1)

    assert response.json()["choices"][0]["logprobs"] == {
        "tokens": ["Hel", "lo"],
        "token_logprobs": [-1.0, -9999.0],
        "top_logprobs": [{"?": -0.5, "Hel": -1.0}, {"?": -0.5, "lo": -9999.0}],
        "text_offset": [0, 3],
    }
    assert models.requests[0].params.logprobs == 1


async def test_half_a_character_is_named_by_its_bytes(api, models):
    half = TokenScore(LikelyToken("\N{REPLACEMENT CHARACTER}", b"\xe4\xb8", -1.0))
    models.answers["parrot"] = [
        Delta(0, ("",), scores=(half,)),
        Delta(1, ("世",), FinishReason.LENGTH, Usage(1, 2), scores=(score_of("x", -1.0),)),
    ]

    response = await complete(api, logprobs=0)

    assert response.json()["choices"][0]["logprobs"]["tokens"] == ["bytes:\\xe4\\xb8", "x"]


async def test_the_token_that_ends_an_answer_is_not_told(api, models):
    models.answers["parrot"] = [
        Delta(0, ("Hi",), scores=(score_of("Hi", -1.0),)),
        Delta(1, ("",), FinishReason.STOP, Usage(1, 2), scores=(score_of("</s>", -0.1),)),
    ]

    response = await complete(api, logprobs=0)

    assert response.json()["choices"][0]["logprobs"]["tokens"] == ["Hi"]


@pytest.mark.parametrize(("max_tokens", "text"), [(2, "Say it!"), (0, "Say it")])
async def test_an_echoed_prompt_has_its_scores(api, models, max_tokens, text):
    said = [None, score_of(" it", -2.0).as_list()]
    models.answers["parrot"] = scored(("!", -1.0), prompt=said)

    response = await complete(api, prompt="Say it", echo=True, logprobs=1, max_tokens=max_tokens)

    (choice,) = response.json()["choices"]
    assert choice["text"] == text
    assert choice["logprobs"]["tokens"] == ["Say", " it", "!"][: 3 if max_tokens else 2]
    assert choice["logprobs"]["token_logprobs"][:2] == [None, -2.0]
    assert choice["logprobs"]["text_offset"] == [0, 3, 6][: 3 if max_tokens else 2]
    assert response.json()["usage"]["completion_tokens"] == (1 if max_tokens else 0)


async def test_a_stream_tells_the_prompt_then_what_continues_it(api, models):
    response = await complete(
        api, prompt=["a", "b"], echo=True, stream=True, stream_options={"include_usage": True}
    )

    *events, done = await events_of(response)
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    texts = ["", ""]
    for chunk in chunks[:-1]:
        assert chunk["usage"] is None
        texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    assert texts == ["aHello 世界", "bHello 世界"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 2 * (5 + 3)
    assert done == b"data: [DONE]"


async def test_a_prompt_beyond_the_window_is_laid_to_the_prompt(api, models):
    models.answers["parrot"] = [ContextLengthExceededError(prompt_tokens=9, limit_tokens=4)]

    response = await complete(api)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "prompt"
    assert response.json()["error"]["code"] == "context_length_exceeded"


BAD_FIELDS = [
    ("prompt", {"prompt": None}),
    ("prompt", {"prompt": ""}),
    ("prompt", {"prompt": []}),
    ("prompt", {"prompt": [[]]}),
    ("prompt", {"prompt": [1, "a"]}),
    ("prompt", {"prompt": ["a", 1]}),
    ("prompt", {"prompt": [-1]}),
    ("prompt", {"prompt": [True]}),
    ("prompt", {"prompt": [1.5]}),
    ("prompt", {"prompt": {"text": "a"}}),
    ("prompt", {"prompt": "a\x00"}),
    ("prompt", {"prompt": "x" * (limits.MAX_PROMPT_CHARS + 1)}),
    ("prompt", {"prompt": "x" * 2_000_000}),
    ("prompt", {"prompt": [1] * (limits.MAX_PROMPT_TOKENS + 1)}),
    ("prompt", {"prompt": ["a"] * (limits.MAX_PROMPTS + 1)}),
    ("prompt", {"prompt": ["a"] * 9, "n": 8}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": -1}),
    ("n", {"n": 200_000}),
    ("best_of", {"best_of": 9}),
    ("best_of", {"best_of": 1, "n": 2}),
    ("best_of", {"best_of": 2, "stream": True}),
    ("logprobs", {"logprobs": 6}),
    ("logprobs", {"logprobs": True}),
    ("logprobs", {"logprobs": 1, "echo": True, "stream": True}),
    ("echo", {"echo": 1}),
    ("stop", {"stop": ["x"] * 100_000}),
    ("suffix", {"suffix": "tail"}),
    *[(name, {name: ["something"]}) for name in sorted(NEUTRAL_IN_COMPLETIONS.keys() - {"suffix"})],
    ("min_tokens", {"min_tokens": -1}),
    ("guided_regex", {"guided_regex": "a", "guided_json": {}}),
    ("guided_regex", {"guided_regex": 7}),
    ("guided_choice", {"guided_choice": []}),
    ("structured_outputs", {"structured_outputs": {"json": {}, "regex": "a"}}),
    ("structured_outputs.json_object", {"structured_outputs": {"json_object": 1}}),
    ("stream_options", {"stream_options": {"include_usage": True}}),
]


@pytest.mark.parametrize(("param", "fields"), BAD_FIELDS)
async def test_a_bad_field_is_named_in_a_400(api, models, param, fields):
    response = await complete(api, **fields)

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert models.requests == []


@pytest.mark.parametrize(
    ("fields", "grammar"),
    [
        (
            {"guided_json": {"type": "object"}},
            {"type": "json_schema", "schema": {"type": "object"}},
        ),
        ({"guided_json": "{}"}, {"type": "json_schema", "schema": {}}),
        ({"guided_regex": "a+"}, {"type": "regex", "regex": "a+"}),
        ({"guided_choice": ["yes", "no"]}, {"type": "choice", "choices": ["yes", "no"]}),
        ({"guided_grammar": "start: /a/"}, {"type": "lark", "lark": "start: /a/"}),
        ({"structured_outputs": {"json_object": True}}, {"type": "json_object"}),
        ({"response_format": {"type": "json_object"}}, {"type": "json_object"}),
        ({"response_format": {"type": "text"}}, None),
    ],
)
async def test_forms_become_grammars(api, models, fields, grammar):
    response = await complete(api, **fields)

    assert response.status_code == 200
    assert models.requests[0].params.grammar == grammar


async def test_a_hidden_model_does_not_exist(api):
    await LanguageModel.objects.acreate(name="parrot", is_listed=False)

    response = await complete(api)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_a_stream_of_the_prompt_alone_tells_no_token(api, models):
    response = await complete(api, echo=True, stream=True, max_tokens=0)

    *events, _ = await events_of(response)
    choices = [json.loads(event.removeprefix(b"data: "))["choices"][0] for event in events]
    assert "".join(choice["text"] for choice in choices) == "Say"
    assert choices[-1]["finish_reason"] == "length"


async def test_tokens_of_a_prompt_are_echoed_as_text(api, models, monkeypatch):
    async def tokenize(request: TokensRequest) -> Tokens:
        return Tokens(request.tokens, (), f"<{request.tokens}>", 99)

    monkeypatch.setattr(client, "tokenize", tokenize)

    response = await complete(api, prompt=[[1], [2]], echo=True)

    texts = [choice["text"] for choice in response.json()["choices"]]
    assert texts == ["<(1,)>Hello 世界", "<(2,)>Hello 世界"]


async def test_an_answer_that_breaks_ends_a_stream_with_an_error(api, models):
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(0, ("Hel",)),
        Delta(1, finish_reason=FinishReason.ERROR, failure=broken),
    ]

    response = await complete(api, stream=True)

    events = await events_of(response)
    assert json.loads(events[-1].removeprefix(b"data: "))["error"]["code"] == "worker_lost"
    assert models.open_count == 0


async def test_vllms_sampling_fields_reach_the_model(api, models):
    response = await complete(api, min_tokens=3, skip_special_tokens=False, length_penalty=1.0)

    assert response.status_code == 200
    params = models.requests[0].params
    assert (params.min_tokens, params.skip_special_tokens) == (3, False)
