"""The scripted provider keeps to the parameters, and its answers travel like any others."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings
from django.test import override_settings

from inference import client
from inference.exceptions import GenerationFailedError, QueueFullError
from inference.generation import FinishReason, GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.providers.scripted import scripted_text, split_tokens


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
