"""A server elsewhere may do what it wants; the reader gets text and a clear end."""

import asyncio
import logging
from dataclasses import replace

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, Usage
from inference.providers.dialects import dialect_named
from inference.providers.remote import RemoteSource
from inference.providers.server import Server
from tests.support.wire_server import (
    FAST,
    Canned,
    WireServer,
    a_request,
    a_server,
    ask,
    bytewise,
    sse,
)

KEY = "sk-very-secret-0123456789"


def chunk(text: str = "", finish_reason: str | None = None, **fields: object) -> dict[str, object]:
    delta = {"content": text} if text else {}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}], **fields}


async def read_into(pieces: list[str], server: Server) -> None:
    async for output in RemoteSource(server, dialect_named("openai"), FAST).stream(a_request()):
        pieces += output.pieces


HELLO = sse(chunk("Hé"), chunk("llo 👋"), chunk(finish_reason="stop"), ends_with="[DONE]")


async def failure_of(server: WireServer, *answers: Canned, **values: object) -> ProviderError:
    server.answer(*answers)
    with pytest.raises(ProviderError) as caught:
        await ask(a_server("openai", server.url, **values))
    return caught.value


@pytest.mark.parametrize(
    "chunks",
    [[HELLO], bytewise(HELLO), [b": ping\n\n", HELLO.replace(b"\n", b"\r\n")]],
    ids=["at once", "byte by byte", "with comments and CRLF"],
)
async def test_text_arrives_however_it_is_cut(wire: WireServer, chunks: list[bytes]) -> None:
    wire.answer(Canned(chunks))

    told = await ask(a_server("openai", wire.url))

    assert told.pieces == ("Hé", "llo 👋")
    assert told.finish_reason is FinishReason.STOP


async def test_a_character_cut_in_two_escapes_is_one_again(wire: WireServer) -> None:
    halves = b"".join(
        b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % text
        for text in (b"a \\ud83d", b"\\udc4b b", b" \\ud83d", b"c\\u0000d", b"\\udc4b")
    )
    wire.answer(Canned([halves, sse(chunk(finish_reason="stop"))]))

    told = await ask(a_server("openai", wire.url))

    assert told.text == "a 👋 b \ufffdc\ufffdd\ufffd"


async def test_counts_are_the_servers_or_a_quarter_of_the_bytes(wire: WireServer) -> None:
    counts = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    wire.answer(Canned([sse(chunk("Hello"), chunk(finish_reason="length"), counts)]))
    counted = await ask(a_server("openai", wire.url))
    wire.answer(Canned([sse(chunk("Hello"), chunk(finish_reason="length"))]))

    uncounted = await ask(a_server("openai", wire.url), a_request("12345678"))

    assert (counted.usage, counted.finish_reason) == (Usage(9, 2), FinishReason.LENGTH)
    assert uncounted.usage == Usage(2, 2)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"message": f"Incorrect API key {KEY}"}}, "provider_key_rejected"),
        (403, {"detail": "no"}, "provider_key_rejected"),
        (404, {"error": {"message": "no such model"}}, "provider_model_not_found"),
        (402, {}, "provider_quota_exceeded"),
        (429, {"error": {"code": "insufficient_quota"}}, "provider_quota_exceeded"),
        (400, {"error": {"code": "context_length_exceeded"}}, "context_length_exceeded"),
        (400, {"error": {"message": "maximum context length is 4096"}}, "context_length_exceeded"),
        (413, {}, "context_length_exceeded"),
        (400, {"error": {"code": "content_filter"}}, "content_filtered"),
        (422, {"detail": [{"msg": "temperature"}]}, "invalid_request"),
        (302, {}, "provider_protocol"),
    ],
)
async def test_a_refusal_is_told_by_its_code_and_not_repeated(
    wire: WireServer, status: int, body: dict[str, object], code: str
) -> None:
    error = await failure_of(wire, Canned.of_json(body, status=status))

    assert error.code == code
    assert len(wire.heard) == 1


async def test_a_redirect_is_not_followed(wire: WireServer) -> None:
    elsewhere = Canned(status=307, headers={"Location": f"{wire.url}/other"})

    error = await failure_of(wire, elsewhere)

    assert error.code == "provider_protocol"
    assert [heard.path for heard in wire.heard] == ["/chat/completions"]


async def test_a_busy_server_is_asked_again_when_it_wants(wire: WireServer) -> None:
    busy = Canned.of_json({"error": "busy"}, status=429, Retry_After="0")
    wire.answer(busy, Canned.of_json({}, status=503, Retry_After="0.01"), Canned([HELLO]))

    told = await ask(a_server("openai", wire.url))

    assert told.text == "Héllo 👋"
    assert len(wire.heard) == 3


async def test_tries_are_counted(wire: WireServer) -> None:
    error = await failure_of(wire, Canned.of_json({}, status=503, Retry_After="0"))

    assert error.code == "provider_unavailable"
    assert len(wire.heard) == FAST.tries


async def test_nobody_waits_longer_than_the_budget(wire: WireServer) -> None:
    error = await failure_of(wire, Canned.of_json({}, status=429, Retry_After="3600"))

    assert (error.code, error.retry_after_s) == ("provider_rate_limited", 3600.0)
    assert len(wire.heard) == 1


async def test_a_server_that_is_not_there_is_unavailable(wire: WireServer) -> None:
    with pytest.raises(ProviderError) as caught:
        await ask(a_server("openai", "http://127.0.0.1:1"))

    assert caught.value.code == "provider_unavailable"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Canned([sse(chunk("Hel"))], is_cut=True), "provider_cut_off"),
        (Canned([sse(chunk("Hel"))]), "provider_cut_off"),
        (Canned([sse(chunk("Hel"), {"error": {"message": "oops"}})]), "provider_cut_off"),
        (Canned([sse(chunk("Hel"), {"error": {"code": 503}})]), "provider_unavailable"),
        (Canned([sse(chunk("Hel"))], hangs=True), "provider_silent"),
        (Canned([sse(chunk("Hel"), ends_with='{"choices": [')]), "provider_protocol"),
        (Canned([sse(chunk("Hel"), ends_with="[1]")]), "provider_protocol"),
        (Canned([sse(chunk("Hel"), {"choices": ["what"]})]), "provider_protocol"),
        (Canned([sse(chunk("Hel")), b"data: \xff\n\n"]), "provider_protocol"),
        (Canned([sse(chunk("Hel"), ends_with="[" * 100_000)]), "provider_protocol"),
        (Canned([sse(chunk("Hel")), b"x" * 70_000, b"x" * 1_000_000]), "provider_protocol"),
        (Canned([sse(chunk("Hel"), chunk(finish_reason="content_filter"))]), "content_filtered"),
    ],
    ids=[
        "the connection breaks",
        "the stream stops without an end",
        "an error in the stream",
        "an error with a status in the stream",
        "silence",
        "half of a JSON",
        "not an object",
        "an unknown shape",
        "not UTF-8",
        "nested without end",
        "a line without end",
        "a filter",
    ],
)
async def test_an_answer_that_breaks_keeps_its_beginning_and_tells_why(
    wire: WireServer, answer: Canned, code: str
) -> None:
    wire.answer(answer)
    pieces: list[str] = []

    with pytest.raises(ProviderError) as caught:
        await read_into(pieces, a_server("openai", wire.url))

    assert pieces == ["Hel"]
    assert caught.value.code == code
    assert len(wire.heard) == 1


async def test_a_break_after_the_end_costs_nothing(wire: WireServer) -> None:
    wire.answer(Canned([sse(chunk("Hello"), chunk(finish_reason="stop"))], is_cut=True))

    assert (await ask(a_server("openai", wire.url))).text == "Hello"


async def test_a_page_of_a_proxy_is_not_taken_for_an_answer(wire: WireServer) -> None:
    error = await failure_of(wire, Canned([b"<html>sign in</html>"], media_type="text/html"))

    assert error.code == "provider_protocol"


async def test_a_compressed_answer_is_refused(wire: WireServer) -> None:
    error = await failure_of(wire, Canned([b"\x1f\x8b"], headers={"Content-Encoding": "gzip"}))

    assert error.code == "provider_protocol"


async def test_an_answer_without_end_is_ended(wire: WireServer) -> None:
    limits = replace(FAST, answer_bytes=2000)
    wire.answer(Canned([sse(chunk("x" * 100))] * 100))

    with pytest.raises(ProviderError) as caught:
        await ask(a_server("openai", wire.url), limits=limits)

    assert caught.value.code == "provider_protocol"


async def test_a_server_that_accepts_and_says_nothing_is_given_up(wire: WireServer) -> None:
    limits = replace(FAST, first_byte_s=0.2)
    wire.answer(Canned(is_mute=True))

    with pytest.raises(ProviderError) as caught:
        await ask(a_server("openai", wire.url), limits=limits)

    assert caught.value.code == "provider_silent"


async def test_who_leaves_closes_the_connection_at_once(wire: WireServer) -> None:
    wire.answer(Canned([sse(chunk("Hel"))], hangs=True))
    limits = replace(FAST, idle_s=60)
    stream = RemoteSource(a_server("openai", wire.url), dialect_named("openai"), limits).stream(
        a_request()
    )

    first = await anext(stream)
    await stream.aclose()

    assert first.pieces == ("Hel",)
    await asyncio.wait_for(wire.left.wait(), 10)


async def test_the_key_is_sent_and_shown_nowhere(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    caplog.set_level(logging.DEBUG, logger="inference")
    server = a_server("openai", wire.url, key_variable="SOME_KEY")
    wire.answer(Canned.of_json({"error": {"message": f"bad value in {KEY}"}}, status=400))

    with pytest.raises(ProviderError) as caught:
        await ask(server)

    assert wire.heard[0].headers["authorization"] == f"Bearer {KEY}"
    shown = [caplog.text, str(caught.value), repr(caught.value), caught.value.detail, repr(server)]
    assert "bad value" in str(caught.value)
    assert not [text for text in shown if KEY in text]


@pytest.mark.parametrize("value", ["", "two\nlines", "with blank s", "schlüssel"])
async def test_a_key_that_cannot_be_sent_is_refused_here(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SOME_KEY", value)

    error = await failure_of(wire, Canned([HELLO]), key_variable="SOME_KEY")

    assert error.code == "provider_key_rejected"
    assert wire.heard == []


async def test_the_endpoints_prompt_temperature_and_fields_are_sent(wire: WireServer) -> None:
    wire.answer(Canned([HELLO]))
    extra = {"top_k": 5, "model": "ours wins"}
    server = a_server(
        "openai", wire.url, system_prompt="Be kind.", fixed_temperature=1.0, extra_body=extra
    )

    await ask(server, a_request("Hi", temperature=0.2))
    await ask(server, a_request("Hi", system="Be brief."))

    sent = wire.heard[0].json
    assert sent["messages"][0] == {"role": "system", "content": "Be kind."}
    assert (sent["temperature"], sent["top_k"], sent["model"]) == (1.0, 5, "there")
    assert [entry["content"] for entry in wire.heard[1].json["messages"]] == ["Be brief.", "Hi"]


async def test_a_parameter_nobody_there_knows_is_refused_unless_dropped(wire: WireServer) -> None:
    wire.answer(Canned([HELLO]))

    with pytest.raises(InvalidRequestError, match="does not take top_k"):
        await ask(a_server("openai", wire.url), a_request(top_k=5))
    dropped = a_server("openai", wire.url, dropped_params=frozenset({"top_k"}))
    await ask(dropped, a_request(top_k=5))

    assert "top_k" not in wire.heard[0].json


async def test_an_answer_in_one_piece_is_read_where_a_stream_was_wanted(wire: WireServer) -> None:
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    wire.answer(Canned.of_json(whole))

    told = await ask(a_server("openai", wire.url))

    assert wire.heard[0].json["stream"] is True
    assert told.text == "Hello"


async def test_cookies_are_not_kept(wire: WireServer) -> None:
    wire.answer(Canned([HELLO], headers={"Set-Cookie": "who=you; Path=/"}))
    server = a_server("openai", wire.url)

    await ask(server)
    await ask(server)

    assert "cookie" not in wire.heard[1].headers


async def test_the_proxy_of_the_environment_is_honoured(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", wire.url)
    wire.answer(Canned([HELLO]))

    told = await ask(a_server("openai", "http://far.example/v1"))

    assert told.text == "Héllo 👋"
    assert wire.heard[0].path == "http://far.example/v1/chat/completions"


async def test_many_answers_share_the_connections_of_a_loop(wire: WireServer) -> None:
    wire.answer(Canned([HELLO]))
    server = a_server("openai", wire.url)

    answers = await asyncio.gather(*(ask(server) for _ in range(40)))

    assert {told.text for told in answers} == {"Héllo 👋"}
    assert len(wire.heard) == 40
