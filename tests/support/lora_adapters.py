"""LoRA adapters with random weights, made and used by peft, to compare ours with."""

import copy
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from inference.engine.lora.low_rank import Adapter, LowRank

ATTENTION = ("q_proj", "v_proj")
EVERY_PROJECTION = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def peft_model(
    model: PreTrainedModel,
    *,
    modules: tuple[str, ...] = ATTENTION,
    seed: int = 1,
    std: float = 0.2,
    copied: bool = True,
    **options: Any,
) -> PeftModel:
    """A model (or a copy of one) with a random adapter, as peft computes it."""
    config = LoraConfig(target_modules=list(modules), **{"r": 4, "lora_alpha": 8, **options})
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # peft asks transformers for a property that goes by another name now.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing")
        torch.manual_seed(seed)
        adapted = get_peft_model(copy.deepcopy(model) if copied else model, config)
        for name, parameter in adapted.named_parameters():
            if "lora_" in name and "magnitude" not in name:
                torch.nn.init.normal_(parameter, std=std)
    return adapted.eval()


def save_adapter(
    folder: Path, model: PreTrainedModel, *, base: str | Path = "", **options: Any
) -> PeftModel:
    """Write a random adapter of a model to a folder, as peft does; return what peft computes."""
    adapted = peft_model(model, **options)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    # By itself peft would ask the hub about the base's vocabulary.
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return adapted


def adapter_of(adapted: PeftModel) -> Adapter:
    """What peft's adapter adds, as our engine takes it."""
    found = {}
    for name, module in adapted.base_model.model.named_modules():
        if hasattr(module, "lora_A") and "default" in module.lora_A:
            down = module.lora_A["default"].weight.detach()
            up = module.lora_B["default"].weight.detach() * module.scaling["default"]
            found[name] = LowRank(down.clone(), up.clone())
    return Adapter(found)
