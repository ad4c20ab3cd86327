"""Small training material: a recipe of twenty steps and a tokenizer for it."""

from functools import cache
from typing import Any

from transformers import PreTrainedTokenizerFast

from training.corpus.dialogues.sampler import DialogueSampler
from training.sft.chat_data import ChatDataset
from training.sft.config import Recipe, recipe_from
from training.sft.tokenizer import train_tokenizer


def tiny_recipe(**schedule: Any) -> Recipe:
    """Return a recipe that a CPU finishes in a second or two."""
    return recipe_from(
        {
            "name": "tiny",
            "seed": 3,
            "model": {
                "hidden_size": 32,
                "layers": 2,
                "heads": 2,
                "intermediate_size": 64,
                "context_length": 512,
            },
            "tokenizer": {"vocab_size": 600, "dialogues": 200},
            "schedule": {
                "steps": 20,
                "batch_size": 2,
                "max_length": 256,
                "warmup_steps": 2,
                "learning_rate": 5e-3,
                "logging_steps": 1,
                "save_steps": 8,
                **schedule,
            },
        }
    )


@cache
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer trained on the first dialogues; 600 tokens."""
    sampler = DialogueSampler(seed=3)
    texts = [message.content for index in range(200) for message in sampler.dialogue(index)]
    return train_tokenizer(texts, vocab_size=600, max_length=512)


def tiny_dataset(recipe: Recipe) -> ChatDataset:
    """Return the dialogues of a recipe, encoded for the tiny tokenizer."""
    return ChatDataset(
        DialogueSampler(seed=recipe.seed).dialogue,
        count=recipe.schedule.steps * recipe.schedule.batch_size,
        tokenizer=tiny_tokenizer(),
        max_length=recipe.schedule.max_length,
    )
