"""The finished model on disk: safetensors, tokenizer, settings and a card, all or nothing."""

import copy
import hashlib
import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

CARD = Path(__file__).with_name("model_card.md")


def export_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    *,
    dtype: str,
    card: str = "",
) -> str:
    """Write a model that any transformers program can load; replace what stood there.

    Everything is written beside the folder first and moved in one step, so that a reader never
    finds half a model.

    Args:
        model: is left as it is.
        tokenizer: with its chat template.
        folder: is created or replaced.
        dtype: "float16" or "float32", of the weights on disk.
        card: text of the README; "{sha256}" in it becomes the digest of the weights.

    Returns:
        SHA-256 of `model.safetensors`, as 64 hexadecimal digits.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    replaced = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
    _save_weights(model, unfinished, getattr(torch, dtype))
    tokenizer.save_pretrained(unfinished)
    GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        do_sample=True,
        temperature=0.7,
    ).save_pretrained(unfinished)
    digest = hashlib.sha256((unfinished / "model.safetensors").read_bytes()).hexdigest()
    if card:
        text = card.replace("{sha256}", digest)
        (unfinished / "README.md").write_text(text, encoding="utf-8")
    if folder.exists():
        folder.rename(replaced)
    unfinished.rename(folder)
    shutil.rmtree(replaced, ignore_errors=True)
    return digest


def _save_weights(model: PreTrainedModel, folder: Path, dtype: torch.dtype) -> None:
    """Save a copy in another precision, in one file that everybody may read."""
    converted = copy.deepcopy(model)
    nn.Module.to(converted, dtype)
    converted.config.use_cache = True  # training turns it off
    converted.save_pretrained(folder, max_shard_size="100GB")
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors makes its files private
