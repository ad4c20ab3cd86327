"""Ways to run an engine to its end in a test, and the slow truth to compare it with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.rendering import render_prompt
from inference.engine.answer import StepOutput
from inference.engine.llm_engine import LLMEngine
from inference.engine.model_runner import PackedRunner
from inference.generation import SamplingParams
from inference.messages import Message, Role

GREEDY = SamplingParams(temperature=0.0, max_tokens=24, ignore_eos=True)


def said(text: str) -> list[Message]:
    """A conversation of one user message."""
    return [Message(Role.USER, text)]


def drain(engine: LLMEngine, *, max_steps: int = 5_000) -> dict[str, list[StepOutput]]:
    """Step until nothing is left; return each request's outputs in order."""
    outputs: dict[str, list[StepOutput]] = {}
    for _ in range(max_steps):
        if not engine.has_work():
            return outputs
        for output in engine.step():
            outputs.setdefault(output.request_id, []).append(output)
    raise AssertionError("the engine does not come to an end")


def answer_together(
    engine: LLMEngine, prompts: Sequence[str], params: SamplingParams = GREEDY
) -> list[list[int | None]]:
    """Answer all prompts at once and return the tokens of each."""
    for number, prompt in enumerate(prompts):
        engine.submit(str(number), messages=said(prompt), params=params)
    outputs = drain(engine)
    return [tokens_of(outputs[str(number)]) for number in range(len(prompts))]


def tokens_of(outputs: Sequence[StepOutput]) -> list[int | None]:
    """The tokens of one answer."""
    return [output.token for output in outputs]


def text_of(outputs: Sequence[StepOutput]) -> str:
    """The text of one answer."""
    return "".join(output.piece for output in outputs)


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """The tokens of a conversation of one user message."""
    text = render_prompt(tokenizer, said(prompt)).text
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def before_forward(engine: LLMEngine, look: Callable[[Tensor], None]) -> None:
    """Show `look` the tokens of every forward pass, long [N]; what it raises, the model raises."""
    runner = engine._runner
    assert isinstance(runner, PackedRunner)
    forward = runner._forward

    def watched(tokens: Tensor, *rest: Any) -> Tensor:
        look(tokens)
        return forward(tokens, *rest)

    runner._forward = watched


def naive_greedy(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, count: int = 24
) -> list[int]:
    """The answer of transformers' own `generate`, one prompt alone."""
    ids = torch.tensor([prompt_ids(tokenizer, prompt)])
    options: Mapping[str, object] = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    with torch.inference_mode():
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, **options
        )
    return output[0, ids.shape[1] :].tolist()
