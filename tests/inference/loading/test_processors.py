"""Processors: found in a model's folder, without torchvision, and never in the way of texts."""

import json

import pytest
from transformers import AutoConfig

from inference.loading.loader import load_model
from inference.loading.processors import load_processor, reads_images
from tests.support.tiny_models import save_tiny_model
from tests.support.tiny_vision_models import VISION_MODELS, save_vision_model


@pytest.fixture(scope="module", params=sorted(VISION_MODELS))
def folder(request, tmp_path_factory):
    return save_vision_model(tmp_path_factory.mktemp("vision") / request.param, request.param)


@pytest.fixture
def llava_folder(tmp_path):
    return save_vision_model(tmp_path / "llava")


def test_a_vision_language_model_is_loaded_with_its_processor(folder):
    loaded = load_model(str(folder))

    assert loaded.processor is not None
    assert loaded.processor.image_token in loaded.tokenizer.get_vocab()
    assert loaded.tokenizer.chat_template == loaded.processor.chat_template
    assert loaded.context_length == 512
    assert hasattr(loaded.model.base_model, "get_image_features")


def test_a_text_model_has_none(tmp_path):
    loaded = load_model(str(save_tiny_model(tmp_path / "text")))

    assert loaded.processor is None
    assert not reads_images(loaded.model.config)


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_without_a_readable_processor_the_model_answers_texts(llava_folder, damage, caplog):
    file = llava_folder / "processor_config.json"
    file.unlink() if damage == "missing" else file.write_text("{")

    loaded = load_model(str(llava_folder))

    assert loaded.processor is None
    assert "llava takes no images" in caplog.text


def test_an_older_llava_is_told_how_many_tokens_an_image_takes(llava_folder):
    file = llava_folder / "processor_config.json"
    facts = json.loads(file.read_text())
    for name in ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"):
        facts.pop(name)
    file.write_text(json.dumps(facts))

    processor = load_processor(llava_folder, AutoConfig.from_pretrained(llava_folder))

    assert processor.patch_size == 14
    assert processor.vision_feature_select_strategy == "default"
    assert processor.num_additional_image_tokens == 1
