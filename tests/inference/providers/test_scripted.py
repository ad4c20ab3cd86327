"""The scripted provider keeps to the parameters, and its answers travel like any others."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from django.conf import settings
from django.test import override_settings

from inference import client
from inference.exceptions import GenerationFailedError, QueueFullError
from inference.generation import FinishReason, GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.providers.scripted import split_tokens
from inference.providers.scripted_answers import scripted_text
from inference.requests import EmbeddingRequest, TokensRequest


@pytest.fixture
def scripted() -> Iterator[Callable[..., None]]:
    """Serves `parrot` by the script; takes more settings."""
    with ExitStack() as changes:

        def change(**values: object) -> None:
            values = {"scripted_models": ["parrot"], "scripted_token_delay_s": 0.0, **values}
            changes.enter_context(override_settings(INFERENCE={**settings.INFERENCE, **values}))

        yield change
        client.close_client()


def a_request(text: str = "你好, how are you?", **params: object) -> GenerationRequest:
    return GenerationRequest("parrot", (Message(Role.USER, text),), SamplingParams(**params))


@pytest.mark.parametrize("text", ["", "plain words", "你好，世界 👋", "a\n\n b\tc", "x" * 500])
def test_tokens_put_together_are_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


async def test_the_same_request_gets_the_same_answer(scripted) -> None:
    scripted()

    first = await client.complete_reply(a_request())
    second = await client.complete_reply(a_request())
    other = await client.complete_reply(a_request("something else"))

    assert first == second
    assert first.text == scripted_text(a_request())
    assert first.finish_reason is FinishReason.STOP
    assert first.usage.completion_tokens == len(split_tokens(first.text))
    assert other.text != first.text


async def test_an_answer_is_cut_at_its_limit(scripted) -> None:
    scripted()

    reply = await client.complete_reply(a_request(max_tokens=3))

    assert (reply.finish_reason, reply.usage.completion_tokens) == (FinishReason.LENGTH, 3)
    assert scripted_text(a_request()).startswith(reply.text)


async def test_a_stop_string_ends_the_answer_and_is_not_in_it(scripted) -> None:
    scripted()

    reply = await client.complete_reply(a_request(stop=("said",)))

    assert reply.text == "You "
    assert reply.finish_reason is FinishReason.STOP


async def test_an_answer_breaks_off_where_it_is_told_to(scripted) -> None:
    scripted(scripted_fail_after_tokens=2)

    deltas = [delta async for delta in client.stream_reply(a_request())]
    with pytest.raises(GenerationFailedError):
        await client.complete_reply(a_request())

    assert deltas[-1].next_seq == 2
    assert deltas[-1].failure.code == "engine_error"


async def test_a_scripted_answer_can_be_followed_and_cancelled(scripted) -> None:
    scripted(scripted_token_delay_s=0.05)
    request = a_request()
    await client.start(request)

    seen = []
    async for delta in client.follow(request.request_id):
        seen.append(delta)
        if delta.next_seq >= 2 and not delta.is_last:
            await client.cancel(request.request_id)

    assert seen[-1].finish_reason is FinishReason.CANCELLED
    assert scripted_text(request).startswith("".join(delta.text for delta in seen))


async def test_a_full_stage_refuses(scripted) -> None:
    scripted(scripted_slots=1, scripted_token_delay_s=0.05)
    await client.start(a_request())

    with pytest.raises(QueueFullError):
        await client.start(a_request())


async def test_scripted_names_are_live(scripted) -> None:
    scripted()

    assert "parrot" in await client.live_models()


ADD = {
    "type": "function",
    "function": {
        "name": "add_numbers",
        "description": "Adds two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Tells the weather."}}


async def test_a_function_that_fits_the_question_is_called(scripted) -> None:
    scripted()
    request = replace(a_request("Please add the numbers 3 and 4."), tools=(WEATHER, ADD))

    reply = await client.complete_reply(request)

    call = '{"name": "add_numbers", "arguments": {"a": 3, "b": 4}}'
    assert reply.text == f"<tool_call>\n{call}\n</tool_call>"


async def test_a_result_is_answered_in_words(scripted) -> None:
    scripted()
    heard = (*a_request("Weather?").messages, Message(Role.TOOL, "Rain", tool_call_id="1"))

    reply = await client.complete_reply(GenerationRequest("parrot", heard, tools=(WEATHER,)))

    assert reply.text.startswith("You said: Weather?")


@pytest.mark.parametrize(
    ("grammar", "answer"),
    [
        ({"type": "json_schema", "schema": ADD["function"]["parameters"]}, {"a": 1, "b": 2}),
        ({"type": "json_object"}, None),
        ({"type": "choice", "choices": ["3", "5"]}, None),
    ],
)
async def test_answers_follow_their_grammar(scripted, grammar, answer) -> None:
    scripted()

    reply = await client.complete_reply(a_request("1 and 2", grammar=grammar))

    value = json.loads(reply.text)
    assert value == answer if answer else value is not None


async def test_a_grammar_beyond_the_script_is_refused(scripted) -> None:
    scripted()

    with pytest.raises(GenerationFailedError, match="regex"):
        await client.complete_reply(a_request(grammar={"type": "regex", "regex": "a+"}))


async def test_tokens_are_told_together_with_their_scores(scripted) -> None:
    scripted(scripted_chunk_tokens=4)

    deltas = [delta async for delta in client.stream_reply(a_request(logprobs=2, max_tokens=8))]

    assert sum(len(delta.scores) for delta in deltas) == 8
    assert all(len(score.top) == 2 for delta in deltas for score in delta.scores)


async def test_vectors_are_alike_where_words_are(scripted) -> None:
    scripted()
    texts = ("a red cat sleeps", "the red cat sleeps", "stock markets fell")

    embeddings = await client.embed(EmbeddingRequest("parrot", texts))

    alike, other = embeddings.vectors[0] @ embeddings.vectors[1:].T
    assert alike > other
    assert np.allclose(np.linalg.norm(embeddings.vectors, axis=1), 1, atol=1e-5)


async def test_tokens_go_there_and_back(scripted) -> None:
    scripted()

    there = await client.tokenize(TokensRequest("parrot", text="你好 👋"))
    back = await client.tokenize(TokensRequest("parrot", tokens=there.tokens))

    assert back.text == "你好 👋"


@pytest.mark.parametrize(("refusal", "code"), [("429", "queue_full"), ("500", "engine_error")])
async def test_a_script_may_refuse_everything(scripted, refusal, code) -> None:
    scripted(scripted_refusal=refusal)

    with pytest.raises(GenerationFailedError) as refused:
        await client.complete_reply(a_request())

    assert refused.value.code == code


async def test_a_script_may_break_like_a_server_elsewhere(scripted) -> None:
    scripted(scripted_fail_after_tokens=2, scripted_fault="malformed")

    with pytest.raises(GenerationFailedError) as broken:
        await client.complete_reply(a_request())

    assert broken.value.code == "provider_protocol"


async def test_a_script_may_fall_silent_and_can_still_be_cancelled(scripted) -> None:
    scripted(scripted_fail_after_tokens=2, scripted_fault="hang")
    request = a_request()
    await client.start(request)

    last = None
    async for delta in client.follow(request.request_id):
        if delta.next_seq == 2 and not delta.is_last:
            await client.cancel(request.request_id)
        last = delta

    assert last is not None
    assert last.finish_reason is FinishReason.CANCELLED
