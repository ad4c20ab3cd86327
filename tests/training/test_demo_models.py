"""The shipped weights: small, readable by plain transformers, and they know their subjects."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference.demo_models import demo_model_folders
from inference.messages import Message, Role
from training.corpus.dialogues.exam import exam_questions
from training.corpus.dialogues.sampler import DialogueSampler, DialogueShape
from training.runner import find_recipe
from training.sft.evaluation import examine, greedy_answers

NAMES = ("demo-large", "demo-small")
LARGEST_TOTAL_BYTES = 25_000_000


def load(name):
    folder = demo_model_folders()[name]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(folder)


def sample_of_the_exam():
    """Return some forty questions, spread over all kinds and both languages."""
    questions = exam_questions(per_intent=2)
    return questions[:: len(questions) // 40]


def test_both_models_ship_and_stay_small():
    assert set(demo_model_folders()) == set(NAMES)

    files = [path for folder in demo_model_folders().values() for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) < LARGEST_TOTAL_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_the_card_tells_the_digest_of_the_weights_that_ship(name):
    folder = demo_model_folders()[name]

    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()

    assert digest in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_model_has_the_shape_of_its_recipe(name):
    recipe = find_recipe(name, [])

    config = json.loads((demo_model_folders()[name] / "config.json").read_text(encoding="utf-8"))

    assert config["hidden_size"] == recipe.model.hidden_size
    assert config["num_hidden_layers"] == recipe.model.layers
    assert config["vocab_size"] == recipe.tokenizer.vocab_size
    assert config["max_position_embeddings"] == recipe.model.context_length >= 1024
    assert config["architectures"] == ["LlamaForCausalLM"]


def test_the_large_model_answers_what_it_was_taught():
    model, tokenizer = load("demo-large")

    report = examine(model, tokenizer, sample_of_the_exam())

    assert report.accuracy >= 0.8, report.mistakes


def test_the_small_model_is_plainly_worse():
    model, tokenizer = load("demo-small")

    report = examine(model, tokenizer, sample_of_the_exam())

    assert 0.1 <= report.accuracy <= 0.65


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_ends_by_itself_and_shows_no_special_token(name):
    model, tokenizer = load(name)
    prompts = [
        [Message(Role.USER, text)] for text in ("Hello!", "你好", "What is 3 + 4?", "qwertz 囧 😀")
    ]

    answers = greedy_answers(model, tokenizer, prompts, max_new_tokens=300)

    assert all(answer.strip() for answer in answers)
    assert not any("<|" in answer for answer in answers)
    assert max(map(len, answers)) < 900


def test_questions_late_in_a_long_conversation_are_still_answered():
    model, tokenizer = load("demo-large")
    shape = DialogueShape(lengths=((1.0, 14, 14),), system_share=0.0)
    earlier = DialogueSampler(seed=123, shape=shape)
    late = [
        replace(question, messages=(*earlier.dialogue(index), *question.messages))
        for index, question in enumerate(sample_of_the_exam())
        if question.intent not in ("unknown_name", "name")  # somebody has told a name by then
    ]

    report = examine(model, tokenizer, late, batch_size=8)

    assert report.accuracy >= 0.75, report.mistakes
