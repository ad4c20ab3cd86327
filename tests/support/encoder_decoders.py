"""Random encoder-decoders over the byte tokenizer, and the slow truth to compare them with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from transformers import PreTrainedModel

from tests.support.architectures import Architecture
from tests.support.tiny_models import byte_tokenizer

T5: dict[str, Any] = {
    "vocab_size": 260,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}
BART: dict[str, Any] = {
    "vocab_size": 260,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
}
LED: dict[str, Any] = {name: BART[name] for name in BART if name != "max_position_embeddings"}
GEMMA: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 1,
}


def t5gemma() -> hf.T5GemmaConfig:
    """A configuration of two Gemmas, one reading and one writing."""
    return hf.T5GemmaConfig(
        encoder=hf.T5GemmaModuleConfig(**GEMMA),
        decoder=hf.T5GemmaModuleConfig(**GEMMA, is_decoder=True, use_cache=True),
        vocab_size=260,
        decoder_start_token_id=2,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=1,
    )


ENCODER_DECODERS = {
    "t5": Architecture("encoder-decoder", "T5, FastChat-T5", lambda: hf.T5Config(**T5)),
    "t5 (gated)": Architecture(
        "encoder-decoder",
        "FLAN-T5, T5 1.1, T0",
        lambda: hf.T5Config(**T5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
    ),
    "mt5": Architecture("encoder-decoder", "mT5, mT0, Aya 101", lambda: hf.MT5Config(**T5)),
    "umt5": Architecture("encoder-decoder", "umT5", lambda: hf.UMT5Config(**T5)),
    "longt5": Architecture("encoder-decoder", "LongT5", lambda: hf.LongT5Config(**T5)),
    "t5gemma": Architecture("encoder-decoder", "T5Gemma", t5gemma),
    "bart": Architecture("encoder-decoder", "BART", lambda: hf.BartConfig(**BART)),
    "mbart": Architecture("encoder-decoder", "mBART", lambda: hf.MBartConfig(**BART)),
    "m2m_100": Architecture("encoder-decoder", "M2M-100, NLLB", lambda: hf.M2M100Config(**BART)),
    "marian": Architecture("encoder-decoder", "OPUS-MT", lambda: hf.MarianConfig(**BART)),
    "pegasus": Architecture("encoder-decoder", "Pegasus", lambda: hf.PegasusConfig(**BART)),
    "blenderbot": Architecture(
        "encoder-decoder", "BlenderBot", lambda: hf.BlenderbotConfig(**BART)
    ),
    "plbart": Architecture("encoder-decoder", "PLBART", lambda: hf.PLBartConfig(**BART)),
    "led": Architecture(
        "encoder-decoder (one at a time)",
        "LED",
        lambda: hf.LEDConfig(
            **LED,
            max_encoder_position_embeddings=128,
            max_decoder_position_embeddings=128,
            attention_window=8,
        ),
    ),
}


def random_encoder_decoder(name: str = "t5", *, seed: int = 0) -> PreTrainedModel:
    """A model of `ENCODER_DECODERS`, its random weights wide enough to say different things."""
    config = ENCODER_DECODERS[name].make_config()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = hf.AutoModelForSeq2SeqLM.from_config(config)
        for parameter in model.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def save_encoder_decoder(folder: Path, *, name: str = "t5") -> Path:
    """Write model and tokenizer to a folder as safetensors and return the folder."""
    random_encoder_decoder(name).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@torch.inference_mode()
def own_answer(model: PreTrainedModel, tokens: Sequence[int], count: int = 16) -> list[int]:
    """The answer of transformers' own `generate` to one prompt alone, without what opens it."""
    ids = torch.tensor([list(tokens)])
    options: dict[str, Any] = {"do_sample": False, "num_beams": 1, "eos_token_id": None}
    output = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, pad_token_id=0, **options
    )
    return output[0, 1:].tolist()
