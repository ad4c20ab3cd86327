"""Vision-language models in the engine give what their own `generate` gives."""

import copy

import pytest

from inference.chat_templates.families import family_for
from inference.engine import runner_choice
from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.vision.reader import ImageReader
from inference.exceptions import ContextLengthExceededError, InvalidRequestError
from inference.generation import SamplingParams
from inference.messages import Message, Role, TextPart
from tests.support.engine_runs import GREEDY, drain, said, text_of, tokens_of
from tests.support.tiny_models import byte_tokenizer, tiny_llama
from tests.support.tiny_vision_models import picture, shown

MIXED = (
    shown("What is it?", picture(1)),
    said("Hello there"),
    shown("Compare them.", picture(2, width=120, height=40), picture(3)),
    shown("What is it?", picture(4, kind="JPEG")),
    said("And without an image?"),
)


def answers(engine, conversations, params=GREEDY):
    for number, messages in enumerate(conversations):
        engine.submit(str(number), messages=messages, params=params)
    outputs = drain(engine)
    return [outputs[str(number)] for number in range(len(conversations))]


def test_images_and_texts_answered_together_give_what_generate_gives(family):
    engine = family.engine()

    found = answers(engine, MIXED)

    assert engine.takes_images
    assert engine.describe().startswith("fused")
    assert [tokens_of(one) for one in found] == [family.truth(one) for one in MIXED]


def test_a_decoder_that_is_not_fused_gives_the_same(family, monkeypatch):
    monkeypatch.setattr(runner_choice, "fuse", lambda model: None)
    engine = family.engine()

    found = answers(engine, MIXED)

    assert engine.describe().startswith("packed")
    assert [tokens_of(one) for one in found] == [family.truth(one) for one in MIXED]


@pytest.mark.parametrize("weights", ["int8", "int4"])
def test_weights_in_fewer_bits_still_tell_images_apart(llava, weights):
    engine = llava.engine(weights=weights)
    conversations = [shown("What is it?", picture(seed)) for seed in (1, 4, 1)]

    found = [tokens_of(one) for one in answers(engine, conversations)]

    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("step_tokens", [9, 512])
def test_an_image_alone_gives_what_generate_gives_however_it_is_divided(family, step_tokens):
    engine = family.engine(max_batched_tokens=step_tokens)
    conversation = shown("What is it?", picture(5, width=90, height=60))

    (found,) = answers(engine, [conversation])

    assert tokens_of(found) == family.truth(conversation)


def test_the_model_sees_the_image(family):
    one, other = (shown("What is it?", picture(seed)) for seed in (1, 4))

    assert family.truth(one) != family.truth(other)


def test_the_same_words_under_another_image_are_not_found_in_the_cache(family):
    engine = family.engine()
    conversations = [shown("What is it?", picture(seed)) for seed in (1, 4, 1)]

    found = [answers(engine, [conversation])[0] for conversation in conversations]

    assert [tokens_of(one) for one in found] == [family.truth(one) for one in conversations]
    assert found[1][-1].usage.cached_tokens < 24  # what stands before the image, at most
    assert found[2][-1].usage.cached_tokens >= 32  # the image as well


def test_the_next_turn_finds_the_image_and_answers_the_same(family):
    engine = family.engine()
    first = shown("What is it?", picture(1))
    (outputs,) = answers(engine, [first])
    said_before = text_of(outputs)
    second = [*first, Message(Role.ASSISTANT, said_before), Message(Role.USER, "Sure?")]

    (found,) = answers(engine, [second])

    assert found[-1].usage.cached_tokens >= 32
    assert tokens_of(found) == family.truth(second)


def test_sequences_that_lose_their_blocks_see_their_images_again(family):
    engine = family.engine(kv_cache_tokens=144, prefix_cache=False)
    conversations = [shown(f"What is number {seed}?", picture(seed)) for seed in (1, 2, 3)]

    found = answers(engine, conversations)

    assert engine.stats().preemptions > 0
    assert [tokens_of(one) for one in found] == [family.truth(one) for one in conversations]


def test_several_answers_share_one_reading_of_the_image(qwen):
    engine = qwen.engine()
    conversation = shown("What is it?", picture(1))
    params = SamplingParams(temperature=0.0, max_tokens=8, ignore_eos=True, n=2)

    (found,) = answers(engine, [conversation], params)

    for choice in (0, 1):
        tokens = [output.token for output in found if output.choice == choice]
        assert tokens == qwen.truth(conversation)[:8]


def test_images_are_counted_as_the_tokens_they_take(llava):
    engine = llava.engine()

    text, image = answers(engine, [said("What is it?"), shown("What is it?", picture(1))])

    spent = image[-1].usage.prompt_tokens - text[-1].usage.prompt_tokens
    assert spent == 16 + len("\n")  # 4 x 4 patches, and the line the template begins


def test_a_marker_that_somebody_wrote_is_a_text(llava):
    engine = llava.engine()
    conversation = [
        Message.of_parts(Role.USER, [TextPart("<image> <image>"), picture(1)]),
    ]

    (found,) = answers(engine, [conversation])

    assert tokens_of(found) == llava.truth(conversation)


def test_a_template_that_leaves_images_out_is_not_asked_about_them(llava):
    tokenizer = copy.deepcopy(llava.processor.tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("<image>", "")
    model, config = copy.deepcopy(llava.model), EngineConfig(max_num_seqs=2)
    engine = LLMEngine(model, tokenizer, config, processor=llava.processor)

    with pytest.raises(InvalidRequestError, match="room for 0 of 1 images"):
        engine.submit("one", messages=shown("What is it?", picture(1)))


def test_a_text_model_refuses_images_and_names_the_parameter():
    engine = LLMEngine(tiny_llama(), byte_tokenizer(), EngineConfig(max_num_seqs=2))

    with pytest.raises(InvalidRequestError, match="takes no images") as refusal:
        engine.submit("one", messages=shown("What is it?", picture(1)))

    assert refusal.value.param == "messages"
    assert not engine.takes_images


def test_a_prompt_too_long_is_refused_and_never_cut_through_an_image(llava):
    engine = llava.engine(context_length=64)
    images = [picture(seed) for seed in range(4)]
    params = SamplingParams(truncate_prompt="left")

    with pytest.raises(ContextLengthExceededError):
        engine.submit("long", messages=shown("Which?", *images), params=params)


def test_images_beyond_the_window_are_refused_before_they_are_prepared(family, monkeypatch):
    engine = family.engine(context_length=64)
    monkeypatch.setattr(ImageReader, "prepare", lambda *_, **__: pytest.fail("prepared"))
    images = [picture(seed, width=120, height=120) for seed in range(8)]

    with pytest.raises(ContextLengthExceededError):
        engine.submit("large", messages=shown("Which?", *images))


def test_an_image_that_is_none_is_refused_before_anything_waits(llava):
    engine = llava.engine()
    broken = type(picture(1))(b"GIF89a and nothing more", "image/gif")

    with pytest.raises(InvalidRequestError, match="cannot be read") as refusal:
        engine.submit("broken", messages=shown("What is it?", broken))

    assert refusal.value.param == "messages"
    assert not engine.has_work()


def test_a_shape_no_processor_takes_is_refused(qwen):
    engine = qwen.engine()

    with pytest.raises(InvalidRequestError, match="cannot be prepared"):
        engine.submit("thin", messages=shown("What is it?", picture(1, width=600, height=2)))


def test_a_llava_without_a_template_is_asked_in_its_familys_words(llava):
    tokenizer = copy.deepcopy(llava.processor.tokenizer)
    tokenizer.chat_template = None
    family = family_for("llava-v1.5-7b")
    engine = LLMEngine(
        copy.deepcopy(llava.model),
        tokenizer,
        EngineConfig(max_num_seqs=2),
        template=family,
        processor=llava.processor,
    )

    (seen,) = answers(engine, [shown("What is it?", picture(1))])
    (unseen,) = answers(engine, [said("What is it?")])

    assert family.name == "vicuna_v1.1"
    spent = seen[-1].usage.prompt_tokens - unseen[-1].usage.prompt_tokens
    assert spent == 16 + len("\n")  # the image on a line of its own


def test_guessing_ahead_changes_no_answer_about_an_image(family):
    engine = family.engine(speculation="prompt_lookup")
    conversation = [
        *shown("Say it again and again: tok tok tok tok tok tok", picture(1)),
        Message(Role.ASSISTANT, "tok tok tok tok tok tok"),
        *shown("Again, please: tok tok tok", picture(2)),
    ]

    (found,) = answers(engine, [conversation])

    assert engine.stats().drafted_tokens > 0
    assert tokens_of(found) == family.truth(conversation)


def test_an_answer_that_continues_goes_on_seeing_the_image(qwen):
    conversation = shown("What is it?", picture(1))
    (whole,) = answers(qwen.engine(), [conversation])
    begun = text_of(whole[:6])
    continued = [*conversation, Message(Role.ASSISTANT, begun)]

    (rest,) = answers(qwen.engine(), [continued])

    assert tokens_of(rest) == qwen.truth(continued)
