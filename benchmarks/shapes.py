"""Models with random weights in the shape of real ones, saved where any engine can load them."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders
from tokenizers.models import BPE
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

SEED = 7
END = 1  # the token that ends an answer
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"

# Printable ASCII, Chinese characters, and two planes of private use: enough for any vocabulary.
LETTERS = (
    range(0x20, 0x7F),
    range(0x4E00, 0xA000),
    range(0xF0000, 0xFFFFE),
    range(0x100000, 0x10FFFE),
)

LLAMA = "llama-60m"
QWEN = "qwen2.5-0.5b-shape"
TINY = "llama-tiny"


def _llama_60m() -> LlamaConfig:
    """60.0 million parameters: 38.5 in the layers, 21.5 in the two ends."""
    return LlamaConfig(
        vocab_size=20_992,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=12,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
    )


def _qwen_05b() -> Qwen2Config:
    """494 million parameters, as Qwen2.5-0.5B has them."""
    return Qwen2Config(
        vocab_size=151_936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        rms_norm_eps=1e-6,
    )


def _llama_tiny() -> LlamaConfig:
    """Half a million parameters, to see that everything runs."""
    return LlamaConfig(
        vocab_size=512,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=False,
    )


SHAPES: dict[str, Callable[[], Any]] = {LLAMA: _llama_60m, QWEN: _qwen_05b, TINY: _llama_tiny}


def saved_model(name: str, folder: Path) -> Path:
    """Save a model of `SHAPES` in bfloat16 with its tokenizer, once; return its own folder."""
    target = (folder / name).resolve()
    if (target / "tokenizer.json").exists():  # the last file to be written
        return target
    config = SHAPES[name]()
    config.bos_token_id, config.eos_token_id, config.pad_token_id = None, END, 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    # Its score is always 0, never the highest: no engine needs to be told to go on.
    model.get_output_embeddings().weight.data[END] = 0
    model.save_pretrained(target, max_shard_size="100GB")
    tokenizer_of(config.vocab_size).save_pretrained(target)
    return target


def tokenizer_of(vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose every token is one character, so that texts read back as written.

    A prompt of so many letters has so many tokens, and an answer that comes back in the next turn
    has the tokens it was made of.
    """
    letters = (chr(code) for letters in LETTERS for code in letters)
    symbols = ["<pad>", "<eos>", *itertools.islice(letters, vocabulary_size - 2)]
    tokenizer = Tokenizer(BPE({symbol: number for number, symbol in enumerate(symbols)}, []))
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    fast.chat_template = TEMPLATE
    return fast
