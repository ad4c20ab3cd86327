"""The exam: greedy answers against the accepted ones, counted by intent and language."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from inference.messages import Message


class ExamQuestion(Protocol):
    """What an exam asks: a dialogue to continue, and the answers that count as right."""

    @property
    def intent(self) -> str:
        """What kind of question it is."""

    @property
    def language(self) -> str:
        """The language it is asked in."""

    @property
    def messages(self) -> Sequence[Message]:
        """The dialogue up to the prompt to be answered."""

    @property
    def accepted(self) -> Sequence[str]:
        """Every answer that counts as right."""


@dataclass(frozen=True, slots=True)
class ExamReport:
    """How an exam went: right and asked, by (language, intent), and every wrong answer."""

    right: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    mistakes: tuple[tuple[ExamQuestion, str], ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of questions answered exactly right, 0 to 1."""
        return self.right.total() / max(self.asked.total(), 1)

    def by_language(self) -> dict[str, float]:
        """Return the accuracy of each language."""
        return self._grouped(0)

    def by_intent(self) -> dict[str, float]:
        """Return the accuracy of each intent, both languages together."""
        return self._grouped(1)

    def _grouped(self, part: int) -> dict[str, float]:
        asked: Counter[str] = Counter()
        right: Counter[str] = Counter()
        for key, count in self.asked.items():
            asked[key[part]] += count
            right[key[part]] += self.right[key]
        return {name: right[name] / count for name, count in sorted(asked.items())}


def examine(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[ExamQuestion],
    *,
    batch_size: int = 32,
    max_new_tokens: int = 160,
) -> ExamReport:
    """Ask every question and compare the greedy answer, surrounding white space aside."""
    right: Counter[tuple[str, str]] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    mistakes: list[tuple[ExamQuestion, str]] = []
    dialogues = [question.messages for question in questions]
    answers = greedy_answers(
        model, tokenizer, dialogues, batch_size=batch_size, max_new_tokens=max_new_tokens
    )
    for question, answer in zip(questions, answers, strict=True):
        key = (question.language, question.intent)
        asked[key] += 1
        if answer.strip() in {accepted.strip() for accepted in question.accepted}:
            right[key] += 1
        else:
            mistakes.append((question, answer))
    return ExamReport(right, asked, tuple(mistakes))


def greedy_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    dialogues: Sequence[Sequence[Message]],
    *,
    batch_size: int = 32,
    max_new_tokens: int = 160,
) -> list[str]:
    """Continue each dialogue with its likeliest answer, by transformers' own `generate`."""
    prompts = [_prompt_ids(tokenizer, messages) for messages in dialogues]
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers = [""] * len(prompts)
    was_training = model.training
    model.eval()
    try:
        for chunk in _chunks(order, batch_size):
            texts = _generate(model, tokenizer, [prompts[i] for i in chunk], max_new_tokens)
            for index, text in zip(chunk, texts, strict=True):
                answers[index] = text
    finally:
        model.train(was_training)
    return answers


def _generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
) -> list[str]:
    length = max(map(len, prompts))
    padding = tokenizer.pad_token_id
    ids = torch.tensor([[padding] * (length - len(p)) + p for p in prompts])  # [B, T], left-padded
    mask = torch.tensor([[0] * (length - len(p)) + [1] * len(p) for p in prompts])
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=padding,
    )
    with torch.inference_mode():
        output = model.generate(  # type: ignore[operator]  # a mixin's method, seen as a module
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            generation_config=config,
        )
    texts: list[str] = tokenizer.batch_decode(output[:, length:], skip_special_tokens=True)
    return texts


def _prompt_ids(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> list[int]:
    text = tokenizer.apply_chat_template(
        [message.as_dict() for message in messages], tokenize=False, add_generation_prompt=True
    )
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
