"""A two-layer random Llama with a byte-level tokenizer: a real model that loads in milliseconds."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<|pad|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_tokenizer(*, chat_template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """A tokenizer with one token a byte: 4 special tokens, then 256 bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    symbols = [*SPECIAL_TOKENS, *alphabet]
    tokenizer = Tokenizer(BPE(vocab={symbol: i for i, symbol in enumerate(symbols)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    fast.chat_template = chat_template
    return fast


def tiny_llama(
    *,
    layers: int = 2,
    hidden_size: int = 64,
    heads: int = 4,
    key_heads: int = 2,
    context_length: int = 512,
    seed: int = 0,
) -> LlamaForCausalLM:
    """A random Llama over the byte tokenizer's vocabulary, the same for the same seed."""
    config = LlamaConfig(
        vocab_size=len(SPECIAL_TOKENS) + 256,
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=context_length,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        # The usual initialisation of 0.02 makes all answers alike; wider weights make them differ.
        for parameter in model.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.15)
    return model.eval()


def save_tiny_model(
    folder: Path,
    *,
    seed: int = 0,
    context_length: int = 512,
    chat_template: str | None = CHAT_TEMPLATE,
) -> Path:
    """Write model and tokenizer to a folder as safetensors and return the folder."""
    tiny_llama(seed=seed, context_length=context_length).save_pretrained(folder)
    byte_tokenizer(chat_template=chat_template).save_pretrained(folder)
    return folder
