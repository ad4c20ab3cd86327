"""A terminal chat's model behind a server, well-behaved or not."""

import asyncio
from collections.abc import Iterator

import pytest

from chat.terminal.server import ServerModel, choose_model
from chat.terminal.server_line import base_url
from inference.exceptions import GenerationFailedError, InvalidRequestError
from inference.generation import Delta, FinishReason, SamplingParams, Usage
from inference.messages import Message, Role
from tests.support.openai_server import OpenAIServer, events, openai_server, piece
from tests.support.ports import free_port

QUESTION = [Message(Role.USER, "你好")]
PARAMS = SamplingParams(temperature=0.5, max_tokens=9, repetition_penalty=1.1)


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture
def server(running: OpenAIServer) -> OpenAIServer:
    running.listed, running.status, running.body = ("one",), 200, b""
    running.asked.clear()
    return running


def answer(server: OpenAIServer, key: str = "") -> list[Delta]:
    async def collect() -> list[Delta]:
        model = ServerModel(base_url(server.address), "one", PARAMS, key)
        return [delta async for delta in model.reply(QUESTION)]

    return asyncio.run(collect())


def test_an_answer_comes_piece_by_piece_with_its_usage(server: OpenAIServer):
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    server.body = b": ping\n\n" + events(
        piece("你"),
        piece("好", finish_reason="length"),
        {"choices": [], "usage": usage},
    )

    deltas = answer(server, key="secret")

    assert [delta.text for delta in deltas] == ["你", "好", ""]
    assert deltas[1].finish_reason is FinishReason.LENGTH
    assert deltas[2].usage == Usage(3, 2)
    asked = server.asked[0]
    assert asked["messages"] == [{"role": "user", "content": "你好"}]
    assert (asked["temperature"], asked["max_tokens"], asked["repetition_penalty"]) == (0.5, 9, 1.1)
    assert asked["key"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, b'{"error": {"message": "wrong key", "code": "invalid_api_key"}}', "wrong key"),
        (429, b'{"error": "slow down"}', "slow down"),
        (500, b"<html>", "the server answered 500"),
        (200, events(piece("a"), {"error": {"message": "lost"}}), "lost"),
        (200, b"data: {\n\n", "cannot be read"),
        (200, b'data: {"choices": 5}\n\n', "cannot be read"),
        (200, b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', "broke the answer off"),
        (200, b"data: " + b"x" * 2_000_000 + b"\n\n", "limit"),
    ],
)
def test_a_server_that_fails_is_one_sentence(
    server: OpenAIServer, status: int, body: bytes, sentence: str
):
    server.status, server.body = status, body

    with pytest.raises(GenerationFailedError, match=sentence):
        answer(server)


def test_a_server_that_is_not_there_is_one_sentence():
    url = f"http://127.0.0.1:{free_port()}/v1"

    with pytest.raises(GenerationFailedError, match="cannot be reached"):
        choose_model(url, "one")


def test_the_only_model_needs_no_name(server: OpenAIServer):
    url = base_url(server.address)

    assert choose_model(url, "") == "one"
    assert choose_model(url, "one") == "one"
    with pytest.raises(InvalidRequestError, match="has no model 'two'; there are: one"):
        choose_model(url, "two")


def test_of_several_models_one_must_be_named(server: OpenAIServer):
    server.listed = ("one", "two")

    with pytest.raises(InvalidRequestError, match=r"--model.*one, two"):
        choose_model(base_url(server.address), "")


def test_a_server_without_a_list_is_believed(server: OpenAIServer):
    server.listed = None

    assert choose_model(base_url(server.address), "any") == "any"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://host/api/v1/chat/completions", "https://host/api/v1"),
    ],
)
def test_addresses_get_their_version(text: str, url: str):
    assert base_url(text) == url


@pytest.mark.parametrize(
    "text", ["localhost:8000", "ftp://host", "http://", "http://u:p@host", "http://a\x00b", ""]
)
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(InvalidRequestError, match="no address"):
        base_url(text)


def test_a_key_shows_nowhere():
    model = ServerModel("http://host/v1", "one", PARAMS, "secret")

    assert "secret" not in repr(model)
