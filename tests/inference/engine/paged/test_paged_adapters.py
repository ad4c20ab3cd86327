"""Adapters over pages: the same answers, and no graph, which knows the bare model alone."""

import copy

import pytest

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from tests.support.engine_runs import GREEDY, drain, naive_greedy, said, tokens_of
from tests.support.lora_adapters import adapter_of, peft_model

PROMPTS = ("Hello there!", "Name three rivers and the towns they run through.")


@pytest.mark.usefixtures("in_pages")
def test_steps_with_an_adapter_do_without_graphs(tiny_model, tokenizer, recorder):
    adapted = peft_model(tiny_model)
    config = EngineConfig(name="tiny", threads=1, max_num_seqs=4)
    adapters = {"poet": adapter_of(adapted)}
    engine = LLMEngine(copy.deepcopy(tiny_model), tokenizer, config, adapters=adapters)

    replays = {}
    answers = {}
    for name in ("poet", ""):
        for prompt in PROMPTS:
            engine.submit(prompt, messages=said(prompt), params=GREEDY, adapter=name)
        outputs = drain(engine)
        answers[name] = [tokens_of(outputs[prompt]) for prompt in PROMPTS]
        replays[name] = recorder.replays

    assert answers["poet"] == [naive_greedy(adapted, tokenizer, prompt) for prompt in PROMPTS]
    assert answers[""] == [naive_greedy(tiny_model, tokenizer, prompt) for prompt in PROMPTS]
    assert replays["poet"] == 0
    assert replays[""] > 0
