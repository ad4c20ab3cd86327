"""Conversations become turns of user and assistant, with the system prompt apart."""

import pytest

from inference.exceptions import InvalidRequestError
from inference.messages import ImagePart, Message, Role, TextPart
from inference.providers.turns import data_url, in_turns, parts_of

PIXEL = ImagePart(b"pixel", "image/png")


def user(text):
    return Message(Role.USER, text)


def test_system_messages_are_taken_out_wherever_they_stand():
    early, late = Message(Role.SYSTEM, "Be brief."), Message(Role.SYSTEM, "Be kind.")

    turns = in_turns([early, user("Hi."), late])

    assert turns.system == "Be brief.\n\nBe kind."
    assert turns.turns == (user("Hi."),)


def test_neighbours_of_one_role_are_joined():
    answers = [Message(Role.ASSISTANT, "Yes"), Message(Role.ASSISTANT, "Go on.")]

    turns = in_turns([user("Hi."), *answers, user("Well?")]).turns

    assert [turn.content for turn in turns] == ["Hi.", "Yes\n\nGo on.", "Well?"]


def test_images_keep_their_place_when_messages_are_joined():
    picture = Message.of_parts(Role.USER, [TextPart("Look:"), PIXEL])

    (turn,) = in_turns([picture, user("What is it?")]).turns

    assert parts_of(turn) == (TextPart("Look:"), PIXEL, TextPart("What is it?"))


def test_a_message_that_is_only_an_image_is_not_empty():
    picture = Message.of_parts(Role.USER, [PIXEL])

    assert in_turns([picture]).turns == (picture,)


@pytest.mark.parametrize("messages", [[], [user("  \n")], [Message(Role.SYSTEM, "Be brief.")]])
def test_without_a_question_there_is_nothing_to_answer(messages):
    with pytest.raises(InvalidRequestError, match="no message to answer"):
        in_turns(messages)


def test_messages_of_tools_are_refused():
    with pytest.raises(InvalidRequestError, match="tools"):
        in_turns([user("Hi."), Message(Role.TOOL, "42")])


def test_an_image_fits_into_an_address():
    assert data_url(PIXEL) == "data:image/png;base64,cGl4ZWw="
