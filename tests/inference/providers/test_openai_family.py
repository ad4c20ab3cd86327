"""Each relative of OpenAI's API is asked in its own words and understood."""

import base64
from dataclasses import replace

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.generation import FinishReason, GenerationRequest, SamplingParams, Usage
from inference.messages import ImagePart, Message, Role, TextPart, ToolCall
from inference.providers.dialects import DIALECTS, dialect_named
from inference.providers.stop_cut import StopCut
from inference.tools.formats import tool_format
from inference.tools.parser import CallParser
from inference.tools.use import ToolUse
from tests.support.wire_server import Canned, WireServer, a_request, a_server, ask, sse

FAMILY = ["openai", "openai_compatible", "vllm", "sglang", "llama_cpp", "tgi_messages", "azure"]
FAMILY += ["huggingface", "nvidia", "p2l"]
SHARED = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "presence_penalty": 0.1}


def chunk(text: str = "", finish_reason: str | None = None, **fields: object) -> dict[str, object]:
    delta = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "there",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        **fields,
    }


COUNTS = {
    "choices": [],
    "usage": {
        "prompt_tokens": 11,
        "completion_tokens": 2,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 8},
    },
}
STREAM = sse(
    chunk(""), chunk("Good "), chunk("day"), chunk(finish_reason="stop"), COUNTS, ends_with="[DONE]"
)


@pytest.fixture(autouse=True)
def a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "k-123")


def test_every_dialect_of_the_table_is_there() -> None:
    for name in DIALECTS:
        assert dialect_named(name).takes, name


@pytest.mark.parametrize("dialect", FAMILY)
async def test_a_stream_is_read_with_its_counts(wire: WireServer, dialect: str) -> None:
    wire.answer(Canned([STREAM]))

    told = await ask(
        a_server(dialect, wire.url, key_variable="THE_KEY"),
        a_request("Hi", system="Be kind.", max_tokens=20, stop=("END",), **SHARED),
    )

    sent = wire.heard[0].json
    assert (told.text, told.finish_reason) == ("Good day", FinishReason.STOP)
    assert told.usage == Usage(11, 2, cached_tokens=8)
    assert sent["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]
    assert {name: sent[name] for name in SHARED} == SHARED
    assert (sent["model"], sent["stop"], sent["stream"]) == ("there", ["END"], True)
    assert sent["stream_options"] == {"include_usage": True}
    newer = dialect in {"openai", "azure"}
    assert sent["max_completion_tokens" if newer else "max_tokens"] == 20


@pytest.mark.parametrize("name", ["o1", "o3-mini", "gpt-5", "gpt-5.1-mini", "openai/o4-mini"])
async def test_models_that_reason_are_not_told_how_to_sample(wire: WireServer, name: str) -> None:
    wire.answer(Canned([STREAM]))

    told = await ask(
        a_server("openai", wire.url, name_there=name),
        a_request(temperature=0.2, top_p=0.5, max_tokens=100, stop=("day",)),
    )

    sent = wire.heard[0].json
    assert sent["max_completion_tokens"] == 100
    assert not {"temperature", "top_p", "stop"} & set(sent)
    assert told.text == "Good "


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-5-chat-latest", "gpt-50", "olmo-1"])
async def test_other_models_are(wire: WireServer, name: str) -> None:
    wire.answer(Canned([STREAM]))

    await ask(a_server("openai", wire.url, name_there=name), a_request(temperature=0.2))

    assert wire.heard[0].json["temperature"] == 0.2


@pytest.mark.parametrize(
    ("dialect", "params", "fields"),
    [
        (
            "vllm",
            {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "min_tokens": 2},
            {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "min_tokens": 2},
        ),
        (
            "sglang",
            {"stop_token_ids": (1, 2), "ignore_eos": True},
            {"stop_token_ids": [1, 2], "ignore_eos": True},
        ),
        ("llama_cpp", {"repetition_penalty": 1.1}, {"repeat_penalty": 1.1}),
        ("openai", {"logit_bias": ((42, -100.0),)}, {"logit_bias": {"42": -100.0}}),
    ],
)
async def test_parameters_have_the_servers_names(
    wire: WireServer, dialect: str, params: dict[str, object], fields: dict[str, object]
) -> None:
    wire.answer(Canned([STREAM]))

    await ask(a_server(dialect, wire.url), a_request(**params))

    sent = wire.heard[0].json
    assert {name: sent[name] for name in fields} == fields


async def test_a_server_that_cannot_stream_is_asked_for_the_whole(wire: WireServer) -> None:
    whole = {
        "choices": [{"message": {"content": "Good day"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    wire.answer(Canned.of_json(whole))

    told = await ask(a_server("openai", wire.url, options={"stream": False}))

    assert "stream_options" not in wire.heard[0].json
    assert wire.heard[0].json["stream"] is False
    assert (told.text, told.finish_reason, told.usage) == (
        "Good day",
        FinishReason.LENGTH,
        Usage(3, 2),
    )


async def test_images_travel_inside_the_request(wire: WireServer) -> None:
    wire.answer(Canned([STREAM]))
    image = ImagePart(b"\x89PNG", "image/png")
    message = Message.of_parts(Role.USER, [TextPart("What is it?"), image])
    request = GenerationRequest("here", (message,), SamplingParams())

    await ask(a_server("vllm", wire.url), request)
    with pytest.raises(InvalidRequestError, match="takes no images"):
        await ask(a_server("vllm", wire.url, takes_images=False), request)

    url = f"data:image/png;base64,{base64.b64encode(image.data).decode()}"
    assert wire.heard[0].json["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]


async def test_options_of_a_chat_template_go_where_they_are_understood(wire: WireServer) -> None:
    wire.answer(Canned([STREAM]))
    request = replace(a_request(), template_options={"enable_thinking": False})

    await ask(a_server("vllm", wire.url), request)
    with pytest.raises(InvalidRequestError, match="takes no options of a chat template"):
        await ask(a_server("openai", wire.url), request)

    assert wire.heard[0].json["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("dialect", "fields", "words"),
    [
        ("openai", {"messages": (), "prompt": "Once upon"}, "continues no raw prompts"),
        ("mistral", {"tools": ({"type": "function"},)}, "calls no tools"),
        ("cohere", {"messages": (Message(Role.TOOL, "3", tool_call_id="1"),)}, "of tools"),
    ],
)
async def test_what_no_answer_of_a_conversation_is_gets_refused(
    wire: WireServer, dialect: str, fields: dict[str, object], words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        await ask(a_server(dialect, wire.url), replace(a_request(), **fields))


ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
GO = {"type": "function", "function": {"name": "go", "parameters": {"type": "object"}}}


def called(index: int, arguments: str, name: str | None = None) -> dict[str, object]:
    entry = {"index": index, "function": {"arguments": arguments, "name": name}}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}


async def test_calls_of_functions_come_as_models_here_write_them(wire: WireServer) -> None:
    begun = [called(0, "", "add"), called(0, '{"a": '), called(0, "1}")]
    wire.answer(Canned([sse(*begun, called(1, "", "go"), chunk(finish_reason="tool_calls"))]))
    call = ToolCall("c1", "add", "{}")
    talk = (
        *a_request("Hi").messages,
        Message(Role.ASSISTANT, "", tool_calls=(call,)),
        Message(Role.TOOL, "3", tool_call_id="c1"),
    )

    told = await ask(a_server("vllm", wire.url), GenerationRequest("m", talk, tools=(ADD, GO)))

    parser = CallParser(tool_format("hermes"))
    deltas = [*parser.feed(told.text).calls, *parser.finish().calls]
    assert told.finish_reason is FinishReason.STOP
    assert [delta.name for delta in deltas if delta.name] == ["add", "go"]
    assert [delta.arguments for delta in deltas if delta.arguments] == ['{"a": 1}', "{}"]
    sent = wire.heard[0].json
    assert sent["tools"] == [ADD, GO]
    assert "tool_choice" not in sent
    assert sent["messages"][1]["tool_calls"][0]["id"] == sent["messages"][2]["tool_call_id"] == "c1"


@pytest.mark.parametrize(
    ("name", "choice"),
    [("", "required"), ("go", {"type": "function", "function": {"name": "go"}})],
)
async def test_a_call_that_must_be_made_is_asked_for(
    wire: WireServer, name: str, choice: object
) -> None:
    wire.answer(Canned([STREAM]))
    use = ToolUse((ADD, GO), is_forced=True, forced_name=name)
    params = use.applied_to(SamplingParams(), tool_format("hermes"))

    await ask(a_server("openai", wire.url), replace(a_request(), params=params, tools=use.tools))

    assert wire.heard[0].json["tool_choice"] == choice


async def test_thoughts_are_not_part_of_the_answer(wire: WireServer) -> None:
    thought = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hmm", "content": None}}]}
    wire.answer(Canned([sse(thought, chunk("Yes"), chunk(finish_reason="stop"))]))

    assert (await ask(a_server("vllm", wire.url))).text == "Yes"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"object": "error", "message": "maximum context length", "code": 400}, "context"),
        ({"error": {"message": "Overloaded", "type": "server_error"}}, "provider_unavailable"),
        ({"error": "Input is too long", "error_type": "validation"}, "context"),
    ],
)
async def test_errors_come_in_several_shapes(
    wire: WireServer, error: dict[str, object], code: str
) -> None:
    wire.answer(Canned([sse(error)]))

    with pytest.raises(ProviderError) as caught:
        await ask(a_server("vllm", wire.url))

    assert caught.value.code.startswith(code)


async def test_organisation_and_project_are_told(wire: WireServer) -> None:
    wire.answer(Canned([STREAM]))
    options = {"organization": "org-1", "project": "proj-1"}

    await ask(a_server("openai", wire.url, key_variable="THE_KEY", options=options))

    headers = wire.heard[0].headers
    assert headers["authorization"] == "Bearer k-123"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


async def test_azure_has_the_deployment_in_its_address(wire: WireServer) -> None:
    wire.answer(Canned([STREAM]))
    options = {"api_version": "2025-01-01", "model": "o3"}
    server = a_server(
        "azure", f"{wire.url}/", name_there="my/own", key_variable="THE_KEY", options=options
    )

    await ask(server, a_request(temperature=0.1))

    heard = wire.heard[0]
    assert heard.path == "/openai/deployments/my%2Fown/chat/completions?api-version=2025-01-01"
    assert heard.headers["api-key"] == "k-123"
    assert "authorization" not in heard.headers
    assert "temperature" not in heard.json


async def test_the_routers_choice_is_logged_and_not_shown(
    wire: WireServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="inference.providers")
    first = {"model": "the-chosen-one", "router_outputs": {"a": 1.0}, "choices": []}
    wire.answer(Canned([sse(first), STREAM]))

    told = await ask(a_server("p2l", wire.url))

    assert told.text == "Good day"
    assert "the-chosen-one wrote" in caplog.text


async def test_column_sends_messages_and_just_ends(wire: WireServer) -> None:
    wire.answer(Canned([sse({"message": "One ST"}, {"message": "OP two"})]))

    cut = await ask(a_server("column", f"{wire.url}/talk"), a_request(stop=("STOP",)))
    whole = await ask(a_server("column", f"{wire.url}/talk"))

    assert (cut.text, cut.finish_reason) == ("One ", FinishReason.STOP)
    assert whole.text == "One STOP two"
    assert wire.heard[0].path == "/talk"
    assert (wire.heard[0].json["seed"], "stop" in wire.heard[0].json) == (42, False)


@pytest.mark.parametrize("event", [{"error": "busy"}, {"massage": "x"}, {"message": 3}])
async def test_column_may_send_nonsense(wire: WireServer, event: dict[str, object]) -> None:
    wire.answer(Canned([sse({"message": "One"}, event)]))

    with pytest.raises(ProviderError):
        await ask(a_server("column", wire.url))


def token(text: str, *, special: bool = False, **last: object) -> dict[str, object]:
    return {
        "index": 1,
        "token": {"id": 1, "text": text, "logprob": -0.1, "special": special},
        "generated_text": None,
        "details": None,
        **last,
    }


async def test_tgi_gets_a_rendered_prompt_and_hides_the_stop_string(wire: WireServer) -> None:
    end = {
        "generated_text": "Good day</s>",
        "details": {"finish_reason": "stop_sequence", "generated_tokens": 4, "prefill": []},
    }
    wire.answer(Canned([sse(token("Good"), token(" day"), token("</"), token("s>", **end))]))
    server = a_server(
        "tgi", wire.url, name_there="vicuna-7b-v1.5", options={"template": "vicuna_v1.1"}
    )

    told = await ask(server, a_request("Hi", temperature=0.0, max_tokens=9, stop=("</s>",)))

    sent = wire.heard[0].json
    assert told.text == "Good day"
    assert (told.finish_reason, told.usage.completion_tokens) == (FinishReason.STOP, 4)
    assert told.usage.prompt_tokens > 0
    assert wire.heard[0].path == "/generate_stream"
    assert sent["inputs"].endswith("USER: Hi ASSISTANT:")
    assert sent["parameters"]["max_new_tokens"] == 9
    assert "temperature" not in sent["parameters"]
    assert "</s>" in sent["parameters"]["stop"]


@pytest.mark.parametrize(
    ("error_type", "words", "code"),
    [
        ("overloaded", "Model is overloaded", "provider_unavailable"),
        ("validation", "`inputs` tokens + `max_new_tokens` must be <= 2048", "context_length"),
        ("generation", "CUDA error", "provider_cut_off"),
    ],
)
async def test_tgi_says_what_went_wrong(
    wire: WireServer, error_type: str, words: str, code: str
) -> None:
    error = {"error": words, "error_type": error_type}
    wire.answer(Canned([sse(token("Good"), error)]))

    with pytest.raises(ProviderError) as caught:
        await ask(a_server("tgi", wire.url))

    assert caught.value.code.startswith(code)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["Hello wor", "ld\nUs", "er: no"], "Hello world"),
        (["\nUse", "ful"], "\nUseful"),
        (["a\n", "\nUser", "x"], "a\n\nUserx"),
        (["\n", "\nUser:"], "\n"),
        (["</s", "></s>"], ""),
    ],
)
def test_a_stop_string_is_cut_out_wherever_the_pieces_end(pieces: list[str], shown: str) -> None:
    cut = StopCut(["\nUser:", "</s>"])

    text = "".join(cut.feed(piece) for piece in pieces) + cut.close()

    assert text == shown


@pytest.mark.parametrize(
    ("dialect", "options", "words"),
    [
        ("openai", {"organisation": "x"}, "no option 'organisation'"),
        ("openai", {"stream": "no"}, "cannot be 'no'"),
        ("tgi", {"template": "nobody"}, "no chat template 'nobody'"),
        ("vllm", {"organization": "x"}, "no option"),
    ],
)
def test_options_are_checked_by_name(dialect: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        dialect_named(dialect).check(a_server(dialect, "http://host", options=options))
