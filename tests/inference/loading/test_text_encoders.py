import pytest
import transformers as hf

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import InvalidRequestError, ModelLoadError
from inference.loading.loader import load_model
from inference.loading.text_encoders import EncoderFacts, has_head, read_encoder_facts
from tests.support.engine_runs import said
from tests.support.text_models import (
    MODULES,
    embed,
    enclosing_tokenizer,
    own_vector,
    random_encoder,
    save_encoder,
    write_json,
)

DENSE = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}


def test_an_encoder_is_loaded_without_a_head_and_pools_as_its_files_say(tmp_path):
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    folder = save_encoder(tmp_path / "bert", pooling=pooling, max_seq_length=64)

    loaded = load_model(str(folder))
    config = EngineConfig(context_length=loaded.context_length, threads=1)
    engine = LLMEngine(loaded.model, loaded.tokenizer, config, pooling=loaded.pooling)
    (found,) = embed(engine, ["Hello!"])

    tokens = enclosing_tokenizer()("Hello!")["input_ids"]
    expected = own_vector(random_encoder("bert"), tokens, pooling="cls")
    assert (loaded.context_length, loaded.pooling) == (64, "cls")
    assert float((found - expected).abs().max()) < 1e-5
    with pytest.raises(InvalidRequestError, match="vectors only"):
        engine.submit("a", messages=said("Hello!"))


def test_a_model_that_fills_gaps_is_loaded_without_its_head(tmp_path):
    loaded = load_model(str(save_encoder(tmp_path / "masked", fills_gaps=True)))

    assert type(loaded.model) is hf.BertModel
    assert (loaded.context_length, loaded.pooling) == (128, "mean")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["LlamaForCausalLM"], True),
        (["GPT2LMHeadModel"], True),
        (["Gemma3ForConditionalGeneration"], True),
        (None, True),
        (["MistralModel"], False),
        (["BertModel"], False),
        (["XLMRobertaModel"], False),
        (["ModernBertForMaskedLM"], False),
        (["BertForPreTraining"], False),
    ],
)
def test_the_architecture_tells_whether_there_is_a_head(names, expected):
    config = hf.BertConfig()
    config.architectures = names

    assert has_head(config) is expected


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_max_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": ["cls"]}, "cls"),
        ({}, "mean"),
    ],
)
def test_the_pooling_is_read_in_its_older_and_newer_form(tmp_path, config, pooling):
    write_json(tmp_path / "modules.json", MODULES)
    write_json(tmp_path / "1_Pooling" / "config.json", config)

    assert read_encoder_facts(tmp_path) == EncoderFacts(pooling)


def test_a_folder_without_such_files_pools_by_the_mean(tmp_path):
    assert read_encoder_facts(tmp_path) == EncoderFacts("mean", None)


@pytest.mark.parametrize("limit", [0, -5, None, "many"])
def test_a_limit_that_is_none_is_ignored(tmp_path, limit):
    write_json(tmp_path / "sentence_bert_config.json", {"max_seq_length": limit})

    assert read_encoder_facts(tmp_path).max_tokens is None


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"1_Pooling/config.json": {"pooling_mode_max_tokens": True}}, "pools by max; known"),
        (
            {
                "1_Pooling/config.json": {
                    "pooling_mode_cls_token": True,
                    "pooling_mode_mean_tokens": True,
                }
            },
            "mean and cls",
        ),
        ({"modules.json": [*MODULES[:2], DENSE]}, "a dense module"),
        ({"modules.json": {}}, "holds no list"),
        ({"sentence_bert_config.json": []}, "holds no dict"),
    ],
)
def test_vectors_made_in_an_unknown_way_are_refused(tmp_path, files, words):
    for name, content in {"modules.json": MODULES, **files}.items():
        write_json(tmp_path / name, content)

    with pytest.raises(ModelLoadError, match=words):
        read_encoder_facts(tmp_path)


def test_a_broken_file_is_refused(tmp_path):
    (tmp_path / "modules.json").write_text("[{")

    with pytest.raises(ModelLoadError, match="is no JSON"):
        read_encoder_facts(tmp_path)
