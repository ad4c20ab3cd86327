"""Real models that talk without end, for tests that break something in the middle of an answer."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests.support.tiny_models import SPECIAL_TOKENS, byte_tokenizer

# With hidden states of norm √384 this spreads the scores by about 10: a row of zeros never wins.
LOUD = 0.5


def save_wordy_model(folder: Path, *, seed: int, layers: int = 6) -> Path:
    """Write a random model that says printable ASCII until its token limit.

    The rows of all other tokens in the output layer are zero, the end of a turn among them.
    """
    tokenizer = byte_tokenizer()
    config = LlamaConfig(
        vocab_size=len(SPECIAL_TOKENS) + 256,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        tie_word_embeddings=False,
    )
    printable = tokenizer.convert_tokens_to_ids([chr(code) for code in range(33, 127)])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
        for parameter in model.model.parameters():
            if parameter.dim() == 2:  # wider than usual, or it would repeat one character
                torch.nn.init.normal_(parameter, std=0.1)
        model.lm_head.weight.zero_()
        model.lm_head.weight[printable] = LOUD * torch.randn(len(printable), config.hidden_size)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
