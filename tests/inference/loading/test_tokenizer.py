"""Tokenizers of every age, down to a sentencepiece model alone."""

import io
import json

import pytest
import sentencepiece

from inference.exceptions import ModelLoadError
from inference.loading.loader import load_model
from inference.loading.tokenizer import load_tokenizer
from tests.support.tiny_models import save_tiny_model

TEXT = [
    "the quick brown fox jumps over the lazy dog",
    "a model answers what it was asked",
    "USER: Hello! ASSISTANT: Hello, how can I help?",
    "one two three four five six seven eight nine ten",
]
SENTENCES = ["Hello, fox!", "two  spaces", "猫 and\nlines"]


@pytest.fixture(scope="module")
def sentencepiece_model():
    """A small model trained as the first Llama's was: pieces of bytes where letters are unknown."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 20),
        model_writer=model,
        vocab_size=350,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture
def old_vicuna(tmp_path, sentencepiece_model):
    """A folder as Vicuna's were: tokenizer.model and two small files."""
    folder = save_tiny_model(tmp_path / "vicuna-7b-v1.1", chat_template=None)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    (folder / "tokenizer.model").write_bytes(sentencepiece_model)
    specials = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(specials))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, **specials})
    )
    return folder


def test_a_sentencepiece_model_alone_reads_and_writes_as_sentencepiece_does(
    old_vicuna, sentencepiece_model
):
    reference = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)

    tokenizer = load_tokenizer(old_vicuna)

    for sentence in SENTENCES:
        tokens = tokenizer(sentence)["input_ids"]
        assert tokens == [reference.bos_id(), *reference.encode(sentence)]
        assert tokenizer.decode(tokens, skip_special_tokens=True) == sentence


def test_a_model_with_such_a_tokenizer_loads(old_vicuna):
    loaded = load_model(str(old_vicuna))

    assert loaded.tokenizer.eos_token == "</s>"
    assert loaded.tokenizer.chat_template is None


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_broken_file_is_told_in_one_sentence(tmp_path, name):
    folder = save_tiny_model(tmp_path / "tiny")
    (folder / name).write_text("{]")

    with pytest.raises(ModelLoadError, match="the tokenizer of 'tiny' cannot be read: ") as caught:
        load_tokenizer(folder)

    assert "\n" not in str(caught.value)
