"""Adapters of vision-language models: what is said of images is theirs too."""

import copy

import pytest
from torch import nn

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.lora.low_rank import Adapter, LowRank
from inference.exceptions import ModelLoadError
from tests.support.engine_runs import GREEDY, drain, said, tokens_of
from tests.support.lora_adapters import adapter_of, peft_model
from tests.support.tiny_vision_models import picture, shown
from tests.support.vision_family import CONFIG

MIXED = (
    shown("What is it?", picture(1)),
    said("Hello there"),
    shown("Compare them.", picture(2, width=120, height=40), picture(3)),
)


def test_an_adapter_and_the_bare_model_see_side_by_side(family):
    peft = peft_model(family.model, modules=("o_proj",), std=0.5)
    adapters = {"poet": adapter_of(peft)}
    adapted = copy.copy(family)
    adapted.model, adapted._truths = peft.merge_and_unload(), {}
    engine = LLMEngine(
        copy.deepcopy(family.model),
        family.processor.tokenizer,
        EngineConfig(name=family.kind, **CONFIG),
        processor=family.processor,
        adapters=adapters,
    )

    for number, messages in enumerate(MIXED):
        for name in ("", "poet"):
            engine.submit(f"{name}{number}", messages=messages, params=GREEDY, adapter=name)
    outputs = drain(engine)

    for number, messages in enumerate(MIXED):
        assert tokens_of(outputs[f"{number}"]) == family.truth(messages)
        assert tokens_of(outputs[f"poet{number}"]) == adapted.truth(messages)
    assert family.truth(MIXED[0]) != adapted.truth(MIXED[0])


def test_an_adapter_of_the_tower_is_refused(llava):
    name, module = next(
        (name, module)
        for name, module in llava.model.named_modules()
        if "vision" in name and isinstance(module, nn.Linear)
    )
    part = LowRank(module.weight.new_zeros(2, module.in_features), module.weight[:, :2] * 0)

    with pytest.raises(ModelLoadError, match="which no text passes through"):
        LLMEngine(
            copy.deepcopy(llava.model),
            llava.processor.tokenizer,
            EngineConfig(name="llava", **CONFIG),
            processor=llava.processor,
            adapters={"poet": Adapter({name: part})},
        )
