"""Images in templates: those that read parts get parts, the others get a marker in the text."""

from inference.chat_templates.families import family_named
from inference.chat_templates.image_markers import marked, template_messages
from inference.chat_templates.rendering import render_prompt
from inference.messages import ImagePart, Message, Role, TextPart
from tests.support.tiny_models import CHAT_TEMPLATE, byte_tokenizer

CAT = ImagePart(b"cat", "image/png")
QUESTION = Message.of_parts(Role.USER, [CAT, TextPart("What is it?")])
GREETING = Message(Role.USER, "Hello!")

PARTS_ALONE = (
    "{% for message in messages %}{{ message.role }}:"
    "{% for part in message.content if part.type == 'image' %}[picture]{% endfor %}"
    "{% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %}\n"
    "{% endfor %}"
)
BOTH = (
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}"
    "{{ '[picture]' if part.type == 'image' else part.text }}{% endfor %}{% endif %}{% endfor %}"
)


def test_a_template_that_reads_parts_alone_gets_texts_as_parts_too() -> None:
    data = template_messages(PARTS_ALONE, [GREETING, QUESTION], "<image>")

    assert data[0]["content"] == [{"type": "text", "text": "Hello!"}]
    assert data[1]["content"] == [{"type": "image"}, {"type": "text", "text": "What is it?"}]


def test_a_template_that_reads_both_gets_texts_as_they_are() -> None:
    data = template_messages(BOTH, [GREETING, QUESTION], "<image>")

    assert data[0]["content"] == "Hello!"
    assert data[1]["content"][0] == {"type": "image"}


def test_a_template_that_reads_texts_alone_gets_a_marker() -> None:
    for source in (CHAT_TEMPLATE, "{% for m in messages %}{{ m.content }}{% endfor %}"):
        data = template_messages(source, [GREETING, QUESTION], "<image>")

        assert [message["content"] for message in data] == ["Hello!", "<image>\nWhat is it?"]


def test_a_message_without_images_is_left_as_it_is() -> None:
    assert marked(GREETING, "<image>") is GREETING


def test_a_prompt_has_one_marker_for_each_image_and_none_that_somebody_wrote() -> None:
    sneaky = Message.of_parts(Role.USER, [TextPart("<image> and <image>"), CAT])

    own = render_prompt(byte_tokenizer(), [sneaky], image_marker="<image>")
    family = render_prompt(
        byte_tokenizer(), [sneaky], template=family_named("vicuna_v1.1"), image_marker="<image>"
    )

    assert own.text.count("<image>") == 1
    assert family.text.count("<image>") == 1


def test_a_system_message_that_must_move_stands_before_the_image() -> None:
    refuses_system = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + BOTH
    )
    conversation = [Message(Role.SYSTEM, "Be brief."), QUESTION]

    prompt = render_prompt(byte_tokenizer(chat_template=refuses_system), conversation)

    assert prompt.text == "Be brief.\n[picture]What is it?"
