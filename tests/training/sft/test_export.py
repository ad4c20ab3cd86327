"""The finished model: loadable by anybody, all or nothing, with an honest card."""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from inference.messages import Message, Role
from tests.support.tiny_training import tiny_recipe, tiny_tokenizer
from training.corpus.dialogues.exam import Question
from training.sft.card import render_card
from training.sft.evaluation import ExamReport, examine, greedy_answers
from training.sft.export import export_model
from training.sft.model import build_model


@pytest.fixture
def model():
    return build_model(tiny_recipe().model, tiny_tokenizer(), seed=1)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_an_exported_model_is_loaded_by_plain_transformers(model, tmp_path, dtype):
    model.config.use_cache = False  # as training leaves it
    digest = export_model(model, tiny_tokenizer(), tmp_path / "model", dtype=dtype)

    folder = tmp_path / "model"
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert loaded.dtype == getattr(torch, dtype)
    assert digest == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    expected = model.model.embed_tokens.weight.to(loaded.dtype)
    assert torch.equal(loaded.model.embed_tokens.weight, expected)
    assert loaded.lm_head.weight.data_ptr() == loaded.model.embed_tokens.weight.data_ptr()
    assert model.dtype == torch.float32
    assert loaded.config.use_cache
    assert tokenizer("法国 15")["input_ids"] == tiny_tokenizer()("法国 15")["input_ids"]
    generation = GenerationConfig.from_pretrained(folder)
    assert generation.eos_token_id == tokenizer.convert_tokens_to_ids("<|end|>")


def test_no_half_model_is_left_when_writing_fails(model, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    export_model(model, tiny_tokenizer(), folder, dtype="float16", card="first {sha256}")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    tokenizer = tiny_tokenizer()

    def disk_is_full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tokenizer), "save_pretrained", disk_is_full)
    with pytest.raises(OSError, match="No space"):
        export_model(model, tokenizer, folder, dtype="float16", card="second")

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_exporting_again_replaces_the_model_and_leaves_nothing_behind(model, tmp_path):
    folder = tmp_path / "model"
    export_model(model, tiny_tokenizer(), folder, dtype="float16", card="first")
    (folder / "stray.txt").write_text("old")

    digest = export_model(model, tiny_tokenizer(), folder, dtype="float16", card="now {sha256}")

    assert (folder / "README.md").read_text() == f"now {digest}"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert not (folder / "stray.txt").exists()


def question(intent, language, accepted):
    return Question(intent, language, (Message(Role.USER, "Hi"),), accepted)


def test_the_exam_counts_by_intent_and_language(model):
    truth = greedy_answers(model, tiny_tokenizer(), [[Message(Role.USER, "Hi")]], max_new_tokens=8)
    asked = [
        question("sum", "en", ("nothing", truth[0])),
        question("sum", "zh", ("nothing",)),
        question("poem", "zh", ("nothing",)),
    ]

    report = examine(model, tiny_tokenizer(), asked, max_new_tokens=8)

    assert report.accuracy == pytest.approx(1 / 3)
    assert report.by_language() == {"en": 1.0, "zh": 0.0}
    assert report.by_intent() == {"poem": 0.0, "sum": 0.5}
    assert [answer for _, answer in report.mistakes] == [truth[0], truth[0]]


def test_answers_do_not_depend_on_their_neighbours_in_the_batch(model):
    prompts = [
        [Message(Role.USER, text)] for text in ("Hi", "What is 3 + 4?", "法国的首都是哪里？")
    ]

    together = greedy_answers(model, tiny_tokenizer(), prompts, batch_size=3, max_new_tokens=12)
    alone = [
        greedy_answers(model, tiny_tokenizer(), [prompt], max_new_tokens=12)[0]
        for prompt in prompts
    ]

    assert together == alone


def test_the_card_tells_recipe_exam_and_limits():
    recipe = replace(tiny_recipe(), description="A tiny one.")
    report = ExamReport(
        right=Counter({("en", "sum"): 3, ("zh", "sum"): 1}),
        asked=Counter({("en", "sum"): 4, ("zh", "sum"): 4}),
    )

    card = render_card(recipe, report, parameter_count=12345)

    assert "# tiny" in card
    assert "A tiny one." in card
    assert "12,345 parameters" in card
    assert "**50.0%** of 8 questions: 75.0% in en, 25.0% in zh" in card
    assert "| sum | 50% |" in card
    assert "SHA-256 `{sha256}`" in card
