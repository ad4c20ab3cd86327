import json
import shutil
import sys
import textwrap

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import ModelLoadError
from inference.loading.auto_classes import auto_class_for
from inference.loading.loader import load_model
from tests.support.encoder_decoders import ENCODER_DECODERS, save_encoder_decoder
from tests.support.engine_runs import answer_together
from tests.support.text_models import embed, own_vector
from tests.support.tiny_models import byte_tokenizer

CONFIGURATION = """
from transformers import LlamaConfig

class HomemadeConfig(LlamaConfig):
    model_type = "homemade"
"""
MODELING = """
from transformers import LlamaForCausalLM
from .configuration_homemade import HomemadeConfig

class HomemadeForCausalLM(LlamaForCausalLM):
    config_class = HomemadeConfig
"""
AUTO_MAP = {
    "AutoConfig": "configuration_homemade.HomemadeConfig",
    "AutoModelForCausalLM": "modeling_homemade.HomemadeForCausalLM",
}


def configured(config, architecture):
    config.architectures = [architecture]
    return config


@pytest.fixture
def homemade_folder(model_folder, tmp_path):
    """A model whose code lies beside its weights."""
    folder = shutil.copytree(model_folder, tmp_path / "homemade")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "homemade", "auto_map": AUTO_MAP}
    config["architectures"] = ["HomemadeForCausalLM"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "configuration_homemade.py").write_text(textwrap.dedent(CONFIGURATION))
    (folder / "modeling_homemade.py").write_text(textwrap.dedent(MODELING))
    return folder


@pytest.fixture
def place_for_code(tmp_path, monkeypatch):
    """Where code that comes with models is copied before it runs: here instead of at home."""
    place = tmp_path / "modules"
    monkeypatch.setattr(hf.dynamic_module_utils, "HF_MODULES_CACHE", str(place))
    monkeypatch.setattr(sys, "path", [*sys.path, str(place)])
    yield place
    for name in [name for name in sys.modules if name.startswith("transformers_modules")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("config", "architecture", "expected"),
    [
        (hf.LlamaConfig(), "LlamaForCausalLM", hf.AutoModelForCausalLM),
        (hf.BertConfig(), "BertModel", hf.AutoModel),
        (hf.T5Config(), "T5ForConditionalGeneration", hf.AutoModelForSeq2SeqLM),
        (hf.T5Config(), "T5EncoderModel", hf.T5EncoderModel),
        (hf.BartConfig(), "BartForConditionalGeneration", hf.AutoModelForSeq2SeqLM),
        (hf.MambaConfig(), "MambaForCausalLM", hf.AutoModelForCausalLM),
        (hf.LlavaConfig(), "LlavaForConditionalGeneration", hf.AutoModelForImageTextToText),
    ],
)
def test_a_configuration_tells_the_class(config, architecture, expected):
    assert auto_class_for(configured(config, architecture)) is expected


@pytest.mark.parametrize("name", ["t5", "t5 (gated)", "bart"])
def test_an_encoder_decoder_is_loaded_with_its_window(name, tmp_path):
    loaded = load_model(str(save_encoder_decoder(tmp_path / name, name=name)))

    assert loaded.model.can_generate()
    assert loaded.model.config.model_type == name.split()[0]
    assert loaded.context_length == (128 if name == "bart" else 2048)


@pytest.mark.parametrize("name", ["t5", "t5 (gated)"])
def test_a_t5_whose_files_have_its_embedding_once_is_whole(name, tmp_path):
    folder = save_encoder_decoder(tmp_path / "t5", name=name)
    weights = load_file(folder / "model.safetensors")
    once = {key: weight for key, weight in weights.items() if "embed_tokens" not in key}
    save_file(once, folder / "model.safetensors", metadata={"format": "pt"})
    assert "shared.weight" in once

    model = load_model(str(folder)).model

    assert torch.equal(model.encoder.embed_tokens.weight, once["shared.weight"])
    assert torch.equal(model.decoder.embed_tokens.weight, once["shared.weight"])
    assert torch.equal(model.lm_head.weight, once.get("lm_head.weight", once["shared.weight"]))


def test_an_encoder_that_stands_alone_turns_texts_into_vectors(tmp_path):
    config = ENCODER_DECODERS["t5"].make_config()
    hf.T5EncoderModel(config).save_pretrained(tmp_path / "encoder")
    byte_tokenizer().save_pretrained(tmp_path / "encoder")

    loaded = load_model(str(tmp_path / "encoder"))

    engine = LLMEngine(loaded.model, loaded.tokenizer, EngineConfig(context_length=128, threads=1))
    found = embed(engine, ["Hello!", "Tell me about the sea."])
    own = own_vector(loaded.model, loaded.tokenizer("Hello!")["input_ids"])
    assert isinstance(loaded.model, hf.T5EncoderModel)
    assert torch.allclose(found[0], own, atol=1e-5)
    assert not torch.allclose(found[1], own, atol=1e-2)


def test_a_model_that_needs_its_own_code_names_the_flag(homemade_folder, place_for_code):
    with pytest.raises(ModelLoadError, match="--trust-remote-code"):
        load_model(str(homemade_folder))

    assert not place_for_code.exists()


def test_trusted_code_runs_and_its_model_answers(homemade_folder, model_folder, place_for_code):
    loaded = load_model(str(homemade_folder), trust_remote_code=True)
    same = load_model(str(model_folder))
    settings = EngineConfig(context_length=128, threads=1)

    answer = answer_together(LLMEngine(loaded.model, loaded.tokenizer, settings), ["Hello!"])

    assert type(loaded.model).__name__ == "HomemadeForCausalLM"
    assert any(place_for_code.iterdir())
    assert answer == answer_together(LLMEngine(same.model, same.tokenizer, settings), ["Hello!"])


@pytest.mark.parametrize("options", [{"load_8bit": True}, {"load_4bit": True}])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["mamba", "t5"])
def test_other_kinds_answer_with_fewer_bits_too(kind, options, tmp_path):
    # Four bits come in blocks of 64 weights, so nothing may be narrower.
    config = hf.MambaConfig(vocab_size=260, hidden_size=64, num_hidden_layers=2, state_size=16)
    if kind == "t5":
        sizes = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 1, "num_heads": 4}
        config = hf.T5Config(vocab_size=260, decoder_start_token_id=0, **sizes)
    model = auto_class_for(configured(config, "ForGeneration")).from_config(config)
    model.save_pretrained(tmp_path / kind)
    byte_tokenizer().save_pretrained(tmp_path / kind)

    loaded = load_model(str(tmp_path / kind), **options)
    engine = LLMEngine(loaded.model, loaded.tokenizer, EngineConfig(context_length=64, threads=1))

    assert [len(answer) for answer in answer_together(engine, ["Hello!", "x"])] == [24, 24]
