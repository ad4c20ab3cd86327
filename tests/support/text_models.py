"""Random models without a head, and the slow truth to compare their vectors with."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from inference.engine.answer import StepOutput
from inference.engine.llm_engine import LLMEngine
from inference.generation import Pooling
from tests.support.engine_runs import drain
from tests.support.tiny_models import byte_tokenizer

OPENING, CLOSING = "<|im_start|>", "<|im_end|>"
SHAPE: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
BEHIND_PADDING: dict[str, Any] = {**SHAPE, "max_position_embeddings": 130, "pad_token_id": 1}
"""As RoBERTa has it: positions 0 and 1 are never a token's."""

ENCODERS: dict[str, hf.PreTrainedConfig] = {
    "bert": hf.BertConfig(**SHAPE),
    "roberta": hf.RobertaConfig(**BEHIND_PADDING),
    "xlm-roberta": hf.XLMRobertaConfig(**BEHIND_PADDING),
    "distilbert": hf.DistilBertConfig(
        vocab_size=260, dim=32, hidden_dim=64, n_layers=2, n_heads=4, max_position_embeddings=128
    ),
    "modernbert": hf.ModernBertConfig(
        **{**SHAPE, "num_hidden_layers": 4},
        local_attention=16,
        bos_token_id=1,
        eos_token_id=1,
        cls_token_id=2,
        sep_token_id=3,
    ),
    "llama": hf.LlamaConfig(**SHAPE, num_key_value_heads=2, bos_token_id=None, eos_token_id=1),
    "mpnet": hf.MPNetConfig(**BEHIND_PADDING),
}
"""All but the last can read many texts in one row; Llama is here without its head."""

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {
        "idx": 2,
        "name": "2",
        "path": "2_Normalize",
        "type": "sentence_transformers.models.Normalize",
    },
]
"""What sentence-transformers writes about most of its models."""


def random_encoder(name: str, *, seed: int = 0) -> PreTrainedModel:
    """A model of `ENCODERS` whose random weights are wide enough to tell texts apart."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: PreTrainedModel = hf.AutoModel.from_config(copy.deepcopy(ENCODERS[name]))
        for parameter in model.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def enclosing_tokenizer() -> PreTrainedTokenizerFast:
    """The byte tokenizer, putting one token before and one behind every text."""
    tokenizer = byte_tokenizer(chat_template=None)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{OPENING} $A {CLOSING}",
        special_tokens=[
            (token, tokenizer.convert_tokens_to_ids(token)) for token in (OPENING, CLOSING)
        ],
    )
    return tokenizer


def save_encoder(
    folder: Path,
    *,
    pooling: dict[str, Any] | None = None,
    max_seq_length: int | None = None,
    fills_gaps: bool = False,
) -> Path:
    """Write a random BERT, with the files sentence-transformers puts beside one.

    Args:
        folder: where to.
        pooling: the configuration of its pooling; None writes none.
        max_seq_length: limit of its texts; None writes none.
        fills_gaps: give it the head for masked tokens, as it had in training.
    """
    model: PreTrainedModel = random_encoder("bert")
    if fills_gaps:
        model = hf.BertForMaskedLM(copy.deepcopy(ENCODERS["bert"]))
    model.save_pretrained(folder)
    enclosing_tokenizer().save_pretrained(folder)
    if pooling is not None:
        write_json(folder / "modules.json", MODULES)
        write_json(folder / "1_Pooling" / "config.json", pooling)
    if max_seq_length is not None:
        write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_seq_length})
    return folder


def write_json(path: Path, content: object) -> None:
    """Write a file of JSON, in a folder of its own where needed."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def embed(engine: LLMEngine, texts: Sequence[str], **options: Any) -> list[Tensor]:
    """The vectors of texts that are given to an engine at once."""
    for number, text in enumerate(texts):
        engine.submit_embedding(str(number), text=text, **options)
    outputs = drain(engine)
    return [vector_of(outputs[str(number)]) for number in range(len(texts))]


def vector_of(outputs: Sequence[StepOutput]) -> Tensor:
    """The vector of one request's only output."""
    (output,) = outputs
    assert output.embedding is not None, output
    return torch.tensor(output.embedding)


@torch.inference_mode()
def own_vector(
    model: PreTrainedModel, tokens: Sequence[int], *, pooling: Pooling = "mean"
) -> Tensor:
    """What transformers alone makes of one text, by its formula: pooled and of length 1."""
    ids = torch.tensor([list(tokens)])
    base = getattr(model, model.base_model_prefix, model)
    states = base(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].float()
    vector = {"mean": states.mean(dim=0), "cls": states[0], "last": states[-1]}[pooling]
    return vector / vector.norm()
