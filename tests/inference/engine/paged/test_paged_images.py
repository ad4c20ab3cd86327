"""Images over pages: kernels are told of them, and the steps after a prompt are graphs."""

import pytest

from tests.support.engine_runs import GREEDY, drain, said, tokens_of
from tests.support.tiny_vision_models import picture, shown
from tests.support.vision_family import Family

CONVERSATIONS = (
    shown("What is it?", picture(1)),
    said("Hello there"),
    shown("Compare them.", picture(2, width=120, height=40), picture(3)),
)


@pytest.mark.usefixtures("in_pages")
@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "qwen3_vl"])
def test_images_over_pages_give_what_generate_gives(kind, recorder):
    family = Family(kind)
    engine = family.engine()

    for number, messages in enumerate(CONVERSATIONS):
        engine.submit(str(number), messages=messages, params=GREEDY)
    outputs = drain(engine)

    assert engine.takes_images
    assert "gathered" in engine.describe()
    for number, messages in enumerate(CONVERSATIONS):
        assert tokens_of(outputs[str(number)]) == family.truth(messages)


@pytest.mark.usefixtures("in_pages")
@pytest.mark.parametrize("kind", ["llava", "qwen2_vl"])
def test_graphs_decode_after_images(kind, recorder):
    engine = Family(kind).engine()
    before = recorder.replays

    engine.submit("one", messages=CONVERSATIONS[0], params=GREEDY)
    drain(engine)

    assert recorder.replays > before
