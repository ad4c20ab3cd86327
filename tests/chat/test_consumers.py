"""The chat socket: the protocol, and what it refuses."""

from typing import Any

import pytest

from chat.models import Conversation, Message
from inference.client import close_client
from tests.support.scripted import NAMES
from tests.support.sockets import EventCommunicator, has_ended, open_socket, text_of

PATH = "/ws/chat/"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("scripted", "cards")]


async def ask(socket: EventCommunicator, text: str = "Hello", **more: Any) -> list[dict[str, Any]]:
    await socket.say(type="prompt", text=text, **more)
    return await socket.hear_until(has_ended)


async def test_a_conversation_goes_on_over_several_prompts() -> None:
    async with open_socket(PATH) as socket:
        first = await ask(socket, "Good morning", model=NAMES[0], params={"temperature": 0})
        second = await ask(socket, "And now?", conversation=first[0]["id"])

    conversation = await Conversation.objects.aget()
    assert first[0] == {
        "type": "conversation",
        "id": conversation.public_id,
        "title": "Good morning",
        "model": NAMES[0],
    }
    assert first[-1]["finish_reason"] == "stop"
    assert first[-1]["usage"]["completion_tokens"] > 0
    assert second[0] == {"type": "accepted"}
    assert conversation.params == {"temperature": 0}
    said = [m.content async for m in conversation.messages.order_by("position")]
    assert said == ["Good morning", text_of(first), "And now?", text_of(second)]


async def test_regenerate_keeps_the_older_version() -> None:
    async with open_socket(PATH) as socket:
        await ask(socket, model=NAMES[0])
        await socket.say(type="regenerate")
        events = await socket.hear_until(has_ended)

    assert events[0] == {"type": "accepted"}
    answers = Message.objects.filter(role="assistant").order_by("version")
    assert [(a.version, a.is_current) async for a in answers] == [(0, False), (1, True)]


async def test_stop_keeps_the_part_that_was_written(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.2}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="A long one", model=NAMES[0])
        seen = await socket.hear_until(lambda events: events[-1]["type"] == "delta")
        await socket.say(type="stop")
        events = seen + await socket.hear_until(has_ended)

    answer = await Message.objects.aget(role="assistant")
    assert events[-1]["finish_reason"] == "cancelled"
    assert answer.state == Message.State.CANCELLED
    assert answer.content == text_of(events) != ""


async def test_a_second_tab_sees_the_same_answer(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.03}
    async with open_socket(PATH) as one:
        await one.say(type="prompt", text="Tell me", model=NAMES[0])
        begun = await one.hear_until(lambda events: len(events) == 4)
        async with open_socket(PATH, cookie=one.cookie) as two:
            await two.say(type="resume", conversation=begun[0]["id"], seq=0)
            there = await two.hear_until(has_ended)
        here = begun + await one.hear_until(has_ended)

    answer = await Message.objects.aget(role="assistant")
    assert text_of(here) == text_of(there) == answer.content
    assert there[0]["messages"] == [
        {"role": "user", "content": "Tell me"},
        {"role": "assistant", "content": "", "finish_reason": None, "seq": 0},
    ]


async def test_resume_shows_a_finished_conversation() -> None:
    async with open_socket(PATH) as socket:
        events = await ask(socket, model=NAMES[0])
        await socket.say(type="resume", conversation=events[0]["id"], seq=5)
        state = await socket.hear()

    assert [message["role"] for message in state["messages"]] == ["user", "assistant"]
    assert state["messages"][1] == {
        "role": "assistant",
        "content": text_of(events),
        "finish_reason": "stop",
        "error": "",
    }


async def test_an_answer_whose_log_is_gone_is_told_as_interrupted(settings: Any) -> None:
    settings.CHAT = {"expiry_grace_s": 0.0}
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 30.0}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="Hello", model=NAMES[0])
        conversation_id = (await socket.hear())["id"]
    answer = await Message.objects.aget(role="assistant")
    # The process that knew the request is gone, and so is the log.
    from chat import turns

    turns._turns.pop(answer.request_id).task.cancel()
    close_client()

    async with open_socket(PATH, cookie=socket.cookie) as socket:
        await socket.say(type="resume", conversation=conversation_id, seq=0)
        await socket.hear()
        error = await socket.hear()
        await socket.say(type="regenerate")
        accepted = await socket.hear()

    await answer.arefresh_from_db()
    assert error["code"] == "interrupted"
    assert answer.state == Message.State.INTERRUPTED
    assert accepted == {"type": "accepted"}


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"text": "Hi"}, "invalid_event"),
        ({"text": "Hi", "model": 5}, "invalid_event"),
        ({"text": "", "model": NAMES[0]}, "empty_prompt"),
        ({"text": "x" * 12_001, "model": NAMES[0]}, "prompt_too_long"),
        ({"text": "Hi", "model": "nobody"}, "model_not_found"),
        ({"text": "Hi", "model": "\u0000"}, "model_not_found"),
        ({"text": "Hi", "model": "\ud800"}, "model_not_found"),
        ({"text": "Hi", "model": "hidden"}, "model_not_found"),
        ({"text": "Hi", "model": "asleep"}, "no_worker"),
        ({"text": "Hi", "model": NAMES[0], "params": []}, "invalid_event"),
        ({"text": "Hi", "model": NAMES[0], "params": {"top_k": 5}}, "invalid_parameter"),
        ({"text": "Hi", "model": NAMES[0], "params": {"temperature": 3}}, "invalid_parameter"),
        ({"text": "Hi", "model": NAMES[0], "params": {"max_tokens": 1e9}}, "invalid_parameter"),
        ({"text": "Hi", "conversation": "f" * 32}, "conversation_not_found"),
        ({"text": "Hi", "conversation": "\u0000\ud800"}, "conversation_not_found"),
    ],
)
async def test_a_bad_prompt_is_answered_and_stores_nothing(
    cards: Any, event: dict[str, Any], code: str
) -> None:
    model = type(cards[0])
    await model.objects.acreate(name="hidden", is_listed=False)
    await model.objects.acreate(name="asleep")

    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", **event)
        answer = await socket.hear()

    assert (answer["type"], answer["code"]) == ("error", code)
    assert await Conversation.objects.acount() == await Message.objects.acount() == 0


async def test_another_visitors_conversation_does_not_exist() -> None:
    async with open_socket(PATH) as mine, open_socket(PATH) as theirs:
        conversation_id = (await ask(mine, model=NAMES[0]))[0]["id"]
        for event in (
            {"type": "prompt", "text": "Hi"},
            {"type": "regenerate"},
            {"type": "stop"},
            {"type": "resume", "seq": 0},
        ):
            await theirs.say(conversation=conversation_id, **event)
            assert (await theirs.hear())["code"] == "conversation_not_found"


async def test_a_conversation_keeps_its_model() -> None:
    async with open_socket(PATH) as socket:
        conversation_id = (await ask(socket, model=NAMES[0]))[0]["id"]
        await socket.say(type="prompt", text="Hi", conversation=conversation_id, model=NAMES[1])
        answer = await socket.hear()

    assert answer["code"] == "invalid_parameter"


async def test_too_many_answers_at_once_are_refused(settings: Any) -> None:
    settings.CHAT = {"max_open_turns": 1}
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.3}
    async with open_socket(PATH) as one:
        await one.say(type="prompt", text="Hello", model=NAMES[0])
        await one.hear()
        async with open_socket(PATH, cookie=one.cookie) as two:
            await two.say(type="prompt", text="Hello", model=NAMES[0])
            answer = await two.hear()
        await one.say(type="stop")
        await one.hear_until(has_ended)

    assert answer["code"] == "too_many_open_turns"


async def test_too_many_events_are_refused(settings: Any) -> None:
    settings.CHAT = {"events_per_minute": 3}
    async with open_socket(PATH) as socket:
        codes = []
        for _ in range(5):
            await socket.say(type="dance")
            codes.append((await socket.hear())["code"])

    assert codes == ["unknown_event"] * 3 + ["rate_limited"] * 2


async def test_the_reason_of_a_failure_is_told_and_stored(failing: Any) -> None:
    failing.failing_model = NAMES[0]
    async with open_socket(PATH) as socket:
        events = await ask(socket, model=NAMES[0])

    answer = await Message.objects.aget(role="assistant")
    assert events[-1]["type"] == "error"
    assert answer.state == Message.State.FAILED
    assert answer.error_code == events[-1]["code"] != ""
    assert answer.content == "Well"


async def test_our_own_errors_are_told_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("the secret path /srv/x")

    monkeypatch.setattr("chat.dialogue.admit_prompt", broken)
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="Hi", model=NAMES[0])
        answer = await socket.hear()

    assert answer["code"] == "internal_error"
    assert "secret" not in answer["message"]
