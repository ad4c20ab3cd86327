"""A model whose images the engine cannot compute as the model does answers texts alone."""

import copy

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.vision.eyes import Eyes
from inference.exceptions import InvalidRequestError, ModelLoadError
from tests.support.engine_runs import GREEDY, drain, said, tokens_of
from tests.support.tiny_models import tiny_llama
from tests.support.tiny_vision_models import picture, shown


def engine_over(model, processor, **options):
    config = EngineConfig(name="odd", max_num_seqs=2, block_size=8, **options)
    return LLMEngine(model, processor.tokenizer, config, processor=processor)


@pytest.mark.parametrize("features", [torch.ones(1), [torch.ones(1)]])
def test_a_decoder_that_is_given_more_than_states_takes_no_images(
    llava, monkeypatch, caplog, features
):
    model = copy.deepcopy(llava.model)
    own_forward = model.base_model.forward

    def forward_with_more(*arguments, **keywords):
        return own_forward(*arguments, **keywords, deep_features=features)

    monkeypatch.setattr(model.base_model, "forward", forward_with_more)
    engine = engine_over(model, llava.processor)

    assert not engine.takes_images
    assert "the decoder is given deep_features" in caplog.text


def test_a_processor_that_does_not_fit_takes_no_images(llava, caplog):
    processor = copy.deepcopy(llava.processor)
    processor.patch_size = 7  # four times the tokens that the tower gives

    engine = engine_over(copy.deepcopy(llava.model), processor)

    assert not engine.takes_images
    assert "odd takes no images here" in caplog.text


def test_a_model_that_answers_otherwise_in_the_engine_takes_no_images(llava, monkeypatch, caplog):
    monkeypatch.setattr(Eyes, "features", lambda self, inputs: torch.zeros(1, 16, 64))

    engine = engine_over(copy.deepcopy(llava.model), llava.processor)

    assert not engine.takes_images
    assert "its scores after a picture would differ" in caplog.text
    with pytest.raises(InvalidRequestError, match="takes no images"):
        engine.submit("one", messages=shown("What is it?", picture(1)))


def test_such_a_model_goes_on_answering_texts(qwen, monkeypatch):
    monkeypatch.setattr(Eyes, "features", lambda self, inputs: torch.zeros(1, 4, 64))
    engine = engine_over(copy.deepcopy(qwen.model), qwen.processor)

    engine.submit("one", messages=said("Hello"), params=GREEDY)

    assert tokens_of(drain(engine)["one"]) == qwen.truth(said("Hello"))


def test_a_window_smaller_than_a_picture_takes_no_images(llava, caplog):
    engine = engine_over(copy.deepcopy(llava.model), llava.processor, kv_cache_tokens=16)

    assert not engine.takes_images
    assert "more than the cache has" in caplog.text


def test_the_blocks_of_the_picture_are_given_back(family):
    engine = family.engine()

    assert engine.stats().used_blocks == 0


def test_a_text_model_has_no_eyes():
    with pytest.raises(ModelLoadError, match="no image token"):
        Eyes(tiny_llama())
