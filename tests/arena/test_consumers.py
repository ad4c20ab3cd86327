"""The battle socket: the protocol, what it refuses, and what it never tells."""

import json
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.test import override_settings

from arena.models import Battle, Vote
from chat.models import Conversation, Message
from fastchat_site.asgi import application
from inference.models import LanguageModel
from tests.support.scripted import NAMES
from tests.support.sockets import EventCommunicator, both_ended, open_socket, text_of

PATH = "/ws/battle/"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("scripted", "cards", "no_counters"),
]


@pytest.fixture
def no_counters() -> Any:
    with override_settings(ARENA={"flush_hz": 100.0}):
        yield


async def play(socket: EventCommunicator, text: str = "Hello there") -> list[dict[str, Any]]:
    await socket.say(type="prompt", text=text)
    return await socket.hear_until(both_ended)


async def test_a_battle_goes_from_a_prompt_to_the_names() -> None:
    async with open_socket(PATH) as socket:
        events = await play(socket, "What is the capital of France?")
        await socket.say(type="vote", winner="a")
        voted = await socket.hear()

    battle = await Battle.objects.select_related("model_a", "model_b").aget()
    assert events[0]["type"] == "battle"
    assert events[0]["id"] == battle.public_id
    assert events[0]["turns"] == [
        {
            "prompt": "What is the capital of France?",
            "a": {"text": "", "finish_reason": None, "seq": 0},
            "b": {"text": "", "finish_reason": None, "seq": 0},
        }
    ]
    assert text_of(events, "a").startswith("You said: What is the capital of France?")
    assert [event["finish_reason"] for event in events if event["type"] == "done"] == ["stop"] * 2
    assert voted == {
        "type": "voted",
        "winner": "a",
        "models": {"a": battle.model_a.name, "b": battle.model_b.name},
    }
    assert battle.state == Battle.State.VOTED
    assert battle.serving_probability == pytest.approx(1.0)


async def test_the_stored_answers_are_the_streamed_ones() -> None:
    async with open_socket(PATH) as socket:
        events = await play(socket)

    battle = await Battle.objects.aget()
    for side, conversation_id in battle.conversation_ids.items():
        answer = await Message.objects.aget(conversation_id=conversation_id, role="assistant")
        assert answer.content == text_of(events, side)
        assert answer.state == Message.State.DONE
        assert answer.completion_tokens == sum(
            event["count"] for event in events if event["type"] == "delta" and event["side"] == side
        )


async def test_the_sequence_of_a_side_has_no_gap() -> None:
    async with open_socket(PATH) as socket:
        events = await play(socket)

    for side in ("a", "b"):
        expected = 0
        for event in events:
            if event["type"] == "delta" and event["side"] == side:
                assert event["seq"] == expected
                expected += event["count"]


async def test_several_turns_come_before_the_vote() -> None:
    async with open_socket(PATH) as socket:
        await play(socket, "First")
        events = await play(socket, "Second")
        await socket.say(type="vote", winner="tie")
        voted = await socket.hear()

    assert events[0] == {"type": "accepted", "sides": ["a", "b"]}
    assert text_of(events, "b").startswith("You said: Second")
    assert voted["winner"] == "tie"
    assert await Message.objects.filter(role="user").acount() == 4


async def test_regenerate_writes_both_answers_anew_and_keeps_the_old_ones() -> None:
    async with open_socket(PATH) as socket:
        await play(socket)
        await socket.say(type="regenerate")
        events = await socket.hear_until(both_ended)

    assert events[0] == {"type": "accepted", "sides": ["a", "b"]}
    answers = Message.objects.filter(role="assistant")
    assert await answers.acount() == 4
    assert await answers.filter(is_current=True, version=1).acount() == 2


@override_settings(ARENA={"flush_hz": 50.0})
async def test_stop_keeps_what_was_written_and_allows_a_vote(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.2}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="A long story, please")
        seen = await socket.hear_until(
            lambda events: {event.get("side") for event in events} >= {"a", "b"}
        )
        await socket.say(type="stop")
        events = seen + await socket.hear_until(both_ended)
        await socket.say(type="vote", winner="both_bad")
        voted = await socket.hear()

    assert [e["finish_reason"] for e in events if e["type"] == "done"] == ["cancelled"] * 2
    assert voted["type"] == "voted"
    answers = [message async for message in Message.objects.filter(role="assistant")]
    assert all(answer.state == Message.State.CANCELLED and answer.content for answer in answers)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "prompt", "text": ""}, "empty_prompt"),
        ({"type": "prompt", "text": " \n\t\u0000"}, "empty_prompt"),
        ({"type": "prompt", "text": "x" * 12_001}, "prompt_too_long"),
        ({"type": "prompt"}, "invalid_event"),
        ({"type": "prompt", "text": 7}, "invalid_event"),
        ({"type": "prompt", "text": ["a"]}, "invalid_event"),
        ({"type": "vote", "winner": "a"}, "battle_not_found"),
        ({"type": "vote", "winner": "c"}, "invalid_event"),
        ({"type": "vote"}, "invalid_event"),
        ({"type": "stop"}, "battle_not_found"),
        ({"type": "regenerate"}, "battle_not_found"),
        ({"type": "resume", "battle": "f" * 32, "seq": 0}, "battle_not_found"),
        ({"type": "resume", "battle": "", "seq": 0}, "battle_not_found"),
        ({"type": "resume", "battle": "\u0000", "seq": 0}, "battle_not_found"),
        ({"type": "resume", "battle": "\ud800", "seq": 0}, "battle_not_found"),
        ({"type": "resume", "battle": "f" * 32, "seq": 10**40}, "battle_not_found"),
        ({"type": "resume", "battle": "f" * 32, "seq": -1}, "invalid_event"),
        ({"type": "resume", "battle": "f" * 32, "seq": True}, "invalid_event"),
        ({"type": "resume", "battle": "f" * 32, "seq": {"c": 1}}, "invalid_event"),
        ({"type": "resume", "battle": "f" * 32, "seq": 1.5}, "invalid_event"),
        ({"type": "dance"}, "unknown_event"),
        ({"type": "\ud800"}, "unknown_event"),
        ({"type": 3}, "invalid_event"),
        ({}, "invalid_event"),
        ([], "invalid_event"),
        ("prompt", "invalid_event"),
        (None, "invalid_event"),
    ],
)
async def test_a_bad_event_is_answered_and_stores_nothing(event: Any, code: str) -> None:
    async with open_socket(PATH) as socket:
        await socket.send_to(text_data=json.dumps(event))
        answer = await socket.hear()
        await socket.say(type="dance")
        assert (await socket.hear())["code"] == "unknown_event"

    assert (answer["type"], answer["code"]) == ("error", code)
    assert "Traceback" not in answer["message"]
    assert await Battle.objects.acount() == await Conversation.objects.acount() == 0


@pytest.mark.parametrize("frame", ["{", "[" * 100_000, "nul", '{"type": "stop"', "\ud800"])
async def test_malformed_json_is_answered(frame: str) -> None:
    async with open_socket(PATH) as socket:
        await socket.send_to(text_data=frame)
        code = (await socket.hear())["code"]

    assert code in {"malformed_json", "event_too_large"}


async def test_frames_that_are_too_large_or_binary_are_answered() -> None:
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="x" * 70_000)
        assert (await socket.hear())["code"] == "event_too_large"
        await socket.send_to(bytes_data=b"\x00\xff")
        assert (await socket.hear())["code"] == "invalid_event"


async def test_a_second_vote_is_refused() -> None:
    async with open_socket(PATH) as socket:
        await play(socket)
        await socket.say(type="vote", winner="a")
        await socket.hear()
        await socket.say(type="vote", winner="b")
        answer = await socket.hear()

    assert answer["code"] == "already_voted"
    assert [vote.winner async for vote in Vote.objects.all()] == ["a"]


async def test_a_vote_before_both_sides_are_done_is_refused(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.2}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="Hello")
        assert (await socket.hear())["type"] == "battle"
        await socket.say(type="vote", winner="a")
        events = await socket.hear_until(lambda events: events[-1]["type"] == "error")

    assert events[-1]["code"] == "battle_incomplete"
    assert await Vote.objects.acount() == 0


async def test_a_prompt_while_answers_are_written_is_refused(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.2}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="Hello")
        await socket.say(type="prompt", text="Hello again")
        events = await socket.hear_until(lambda events: events[-1]["type"] == "error")

    assert events[-1]["code"] == "turn_running"
    assert await Message.objects.filter(role="user").acount() == 2


async def test_nothing_but_a_new_battle_follows_the_vote() -> None:
    async with open_socket(PATH) as socket:
        await play(socket)
        await socket.say(type="vote", winner="a")
        await socket.hear()
        await socket.say(type="prompt", text="One more")
        assert (await socket.hear())["code"] == "battle_over"
        await socket.say(type="regenerate")
        assert (await socket.hear())["code"] == "battle_over"
        await socket.say(type="new")
        events = await play(socket, "Another round")

    assert events[0]["type"] == "battle"
    assert await Battle.objects.acount() == 2


async def test_another_visitors_battle_does_not_exist() -> None:
    async with open_socket(PATH) as mine, open_socket(PATH) as theirs:
        await play(mine)
        battle = await Battle.objects.aget()
        await theirs.say(type="resume", battle=battle.public_id, seq=0)
        foreign = await theirs.hear()
        await theirs.say(type="resume", battle="0" * 32, seq=0)
        missing = await theirs.hear()
        await theirs.say(type="vote", winner="a")
        vote = await theirs.hear()

    assert foreign == missing
    assert foreign["code"] == vote["code"] == "battle_not_found"
    assert await Vote.objects.acount() == 0


@pytest.mark.parametrize(
    "headers", [[(b"origin", b"https://evil.example")], [(b"origin", b"null")], []]
)
async def test_a_socket_from_a_foreign_origin_is_refused(headers: Any) -> None:
    socket = WebsocketCommunicator(application, PATH, headers=[(b"host", b"testserver"), *headers])

    is_connected, _ = await socket.connect(timeout=20)

    assert not is_connected


async def test_fewer_than_two_live_models_make_no_battle(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_models": [NAMES[0]]}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="Hello")
        answer = await socket.hear()

    assert answer["code"] == "not_enough_models"
    assert await Battle.objects.acount() == 0


async def test_too_many_prompts_a_minute_are_refused(settings: Any) -> None:
    settings.CHAT = {"prompts_per_minute": 1}
    async with open_socket(PATH) as socket:
        await play(socket)
        await socket.say(type="prompt", text="And again")
        answer = await socket.hear()

    assert answer["code"] == "rate_limited"
    assert 0 < answer["retry_after_s"] <= 60


async def test_a_reload_shows_the_battle_and_the_vote() -> None:
    async with open_socket(PATH) as socket:
        events = await play(socket)
        battle_id = events[0]["id"]
    async with open_socket(PATH, cookie=socket.cookie) as socket:
        await socket.say(type="resume", battle=battle_id, seq=0)
        before = await socket.hear()
        await socket.say(type="vote", winner="b")
        voted = await socket.hear()
        await socket.say(type="resume", battle=battle_id, seq={"a": 3})
        after = await socket.hear()

    assert before["state"] == "answered"
    assert before["turns"][0]["a"] == {"text": text_of(events, "a"), "finish_reason": "stop"}
    assert "models" not in before
    assert after["models"] == voted["models"]
    assert after["winner"] == "b"


async def test_a_lost_connection_continues_at_the_token_it_broke(settings: Any) -> None:
    settings.INFERENCE = {**settings.INFERENCE, "scripted_token_delay_s": 0.03}
    async with open_socket(PATH) as socket:
        await socket.say(type="prompt", text="Tell me everything")
        first = await socket.hear_until(lambda events: len(events) == 6)
    battle_id = first[0]["id"]
    position = {
        side: sum(e["count"] for e in first if e["type"] == "delta" and e["side"] == side)
        for side in ("a", "b")
    }
    async with open_socket(PATH, cookie=socket.cookie) as socket:
        await socket.say(type="resume", battle=battle_id, seq=position)
        rest = await socket.hear_until(both_ended)

    battle = await Battle.objects.aget()
    assert rest[0]["type"] == "battle"
    assert rest[0]["turns"][0]["a"] == {"text": "", "finish_reason": None, "seq": position["a"]}
    for side, conversation_id in battle.conversation_ids.items():
        stored = await Message.objects.aget(conversation_id=conversation_id, role="assistant")
        assert stored.content == text_of(first, side) + text_of(rest, side)


async def test_a_failed_side_is_told_in_neutral_words_and_answered_again_alone(
    failing: Any,
) -> None:
    failing.failing_model = NAMES[1]
    async with open_socket(PATH) as socket:
        events = await play(socket)
        error = next(event for event in events if event["type"] == "error")
        await socket.say(type="vote", winner="tie")
        refused = await socket.hear()
        failing.failing_model = ""
        await socket.say(type="regenerate")
        again = await socket.hear_until(lambda events: events[-1]["type"] == "done")
        await socket.say(type="vote", winner="tie")
        voted = await socket.hear()

    assert error["code"] == "side_failed"
    assert refused["code"] == "battle_incomplete"
    assert again[0] == {"type": "accepted", "sides": [error["side"]]}
    assert {event["side"] for event in again[1:]} == {error["side"]}
    assert voted["type"] == "voted"
    no_name_in(socket.frames[:-1])


async def test_no_frame_before_the_vote_names_a_model(settings: Any) -> None:
    settings.CHAT = dict.fromkeys(
        ("prompts_per_minute", "prompts_per_minute_network", "events_per_minute"), 10_000
    )
    settings.ARENA = {"flush_hz": 1000.0}
    odd = [
        {"type": "dance"},
        {"type": "stop"},
        {"type": "vote", "winner": "x"},
        {"type": "prompt", "text": ""},
        {"type": "resume", "battle": "0" * 32, "seq": 0},
    ]
    async with open_socket(PATH) as socket:
        for round_ in range(200):
            events = await play(socket, f"Question {round_}")
            await socket.say(type="resume", battle=events[0]["id"], seq=round_ % 7)
            await socket.hear()
            await socket.say(**odd[round_ % len(odd)])
            if odd[round_ % len(odd)] != {"type": "stop"}:
                await socket.hear()
            no_name_in(socket.frames)
            socket.frames.clear()
            await socket.say(type="new")

    assert await Battle.objects.acount() == 200
    assert await Battle.objects.filter(abandoned_at=None).acount() == 0


def no_name_in(frames: list[str]) -> None:
    words = {word for name in NAMES for word in (name, name.title(), *name.split("-"))}
    words |= {"Amber Works", "Basalt Labs"}
    for frame in frames:
        found = [word for word in words if word.casefold() in frame.casefold()]
        assert not found, frame


def test_the_cards_of_the_test_have_telling_names(cards: list[LanguageModel]) -> None:
    assert {card.name for card in cards} == set(NAMES)
