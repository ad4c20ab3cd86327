"""Messages: text and images, as one text, as plain data and as templates want them."""

import msgpack
import pytest

from inference.messages import ImagePart, Message, Role, TextPart, images_of

CAT = ImagePart(b"\x89PNG cat", "image/png")
DOG = ImagePart(b"\xff\xd8 dog", "image/jpeg")


def test_a_message_of_parts_has_their_text_as_its_content() -> None:
    message = Message.of_parts(Role.USER, [TextPart("Look:"), CAT, TextPart("What is it?")])

    assert message.content == "Look:\nWhat is it?"
    assert message.images == (CAT,)


def test_parts_without_an_image_are_only_text() -> None:
    message = Message.of_parts(Role.USER, [TextPart("one"), TextPart("two")])

    assert message == Message(Role.USER, "one\ntwo")


def test_content_that_is_not_the_text_of_the_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="must be the text of its parts"):
        Message(Role.USER, "something else", (TextPart("Look:"), CAT))


@pytest.mark.parametrize(("data", "media_type"), [(b"", "image/png"), (b"<svg/>", "image/svg+xml")])
def test_images_without_bytes_or_of_other_types_are_refused(data: bytes, media_type: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|is not one of"):
        ImagePart(data, media_type)


def test_the_wire_brings_back_the_same_message() -> None:
    message = Message.of_parts(Role.USER, [CAT, TextPart("What is it?"), DOG])

    back = Message.from_dict(msgpack.unpackb(msgpack.packb(message.as_dict())))

    assert back == message


def test_a_message_that_is_only_text_travels_as_before() -> None:
    message = Message(Role.ASSISTANT, "A cat.")

    assert message.as_dict() == {"role": "assistant", "content": "A cat."}
    assert message.as_template_dict() == message.as_dict()


@pytest.mark.parametrize("part", [{"type": "audio"}, {"type": "image", "data": "no bytes"}, {}])
def test_unknown_parts_are_refused(part: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no part of the type"):
        Message.from_dict({"role": "user", "content": "", "parts": [part]})


def test_templates_get_the_list_of_parts() -> None:
    message = Message.of_parts(Role.USER, [CAT, TextPart("What is it?")])

    assert message.as_template_dict() == {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}],
    }


def test_changing_texts_leaves_images_in_place() -> None:
    message = Message.of_parts(Role.USER, [TextPart("one"), CAT, TextPart("two")])

    changed = message.with_texts(str.upper)

    assert changed.parts == (TextPart("ONE"), CAT, TextPart("TWO"))
    assert changed.content == "ONE\nTWO"
    assert Message(Role.USER, "three").with_texts(str.upper).content == "THREE"


def test_a_text_said_before_stands_before_the_images() -> None:
    message = Message.of_parts(Role.USER, [CAT, TextPart("What is it?")])

    told = message.preceded_by("Be brief.")

    assert told.content == "Be brief.\n\nWhat is it?"
    assert told.parts[1] == CAT
    assert Message(Role.USER, "Hi").preceded_by("Be brief.").content == "Be brief.\n\nHi"


def test_images_of_a_conversation_come_in_the_order_they_were_said() -> None:
    conversation = [
        Message.of_parts(Role.USER, [CAT]),
        Message(Role.ASSISTANT, "A cat."),
        Message.of_parts(Role.USER, [TextPart("and"), DOG]),
    ]

    assert images_of(conversation) == [CAT, DOG]


def test_images_are_named_by_their_content_and_hidden_from_logs() -> None:
    assert CAT.digest != DOG.digest
    assert CAT.digest == ImagePart(CAT.data, "image/webp").digest
    assert "cat" not in repr(CAT)
