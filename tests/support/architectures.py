"""Small configurations of every decoder the engine is tried with, and the way it then takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf
from transformers import PreTrainedConfig, PreTrainedModel

SHAPE: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
WINDOWED = {**SHAPE, "head_dim": 8, "sliding_window": 20, "num_hidden_layers": 3}
EXPERTS = {**SHAPE, "num_experts_per_tok": 2}
FINE_EXPERTS = {**EXPERTS, "moe_intermediate_size": 32}
WITHOUT_KEY_HEADS = {name: SHAPE[name] for name in SHAPE if name != "num_key_value_heads"}
LATENT: dict[str, Any] = {
    **SHAPE,
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
}
"""Keys and values are kept as one small vector a token."""
LATENT_EXPERTS = {
    **LATENT,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "moe_intermediate_size": 32,
}
OLDER: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
GPT: dict[str, Any] = {
    "vocab_size": 260,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 256,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
STATES: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
MAMBA2: dict[str, Any] = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of decoder.

    Attributes:
        way: how the engine runs it on CPU.
        known_as: models that people know.
        make_config: makes a small configuration.
        std: width of random weights, wide enough for answers that differ.
    """

    way: str
    known_as: str
    make_config: Callable[[], PreTrainedConfig]
    std: float = 0.2


def random_model(config: PreTrainedConfig, *, std: float = 0.2) -> Any:
    """A model whose random weights are wide enough to say different things."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = hf.AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=std)
    return model.eval()


def model_of(name: str) -> Any:
    """A random model of one of `ARCHITECTURES`."""
    architecture = ARCHITECTURES[name]
    return random_model(architecture.make_config(), std=architecture.std)


FUSED = {
    "llama": Architecture("fused", "Llama 1 to 3, Vicuna, Yi", lambda: hf.LlamaConfig(**SHAPE)),
    "mistral": Architecture(
        "fused", "Mistral, Zephyr", lambda: hf.MistralConfig(**SHAPE, sliding_window=20)
    ),
    "qwen2": Architecture("fused", "Qwen 2 and 2.5", lambda: hf.Qwen2Config(**SHAPE)),
    "qwen3": Architecture("fused", "Qwen 3", lambda: hf.Qwen3Config(**SHAPE, head_dim=16)),
    "phi3": Architecture("fused", "Phi 3 and 4", lambda: hf.Phi3Config(**SHAPE)),
}
PACKED = {
    "gpt2": Architecture("packed", "GPT-2", lambda: hf.GPT2Config(**GPT)),
    "gpt_neox": Architecture(
        "packed",
        "Pythia, Dolly 2, Open Assistant, StableLM alpha",
        lambda: hf.GPTNeoXConfig(**OLDER, intermediate_size=64, max_position_embeddings=256),
    ),
    "gpt_bigcode": Architecture("packed", "StarCoder", lambda: hf.GPTBigCodeConfig(**GPT)),
    "opt": Architecture(
        "packed",
        "OPT, Galactica",
        lambda: hf.OPTConfig(
            **OLDER, ffn_dim=64, max_position_embeddings=256, word_embed_proj_dim=32, pad_token_id=0
        ),
    ),
    "phi": Architecture("packed", "Phi 1 and 2", lambda: hf.PhiConfig(**WITHOUT_KEY_HEADS)),
    "phimoe": Architecture(
        "packed", "Phi 3.5 MoE", lambda: hf.PhimoeConfig(**EXPERTS, num_local_experts=4)
    ),
    "glm": Architecture("packed", "GLM 4", lambda: hf.GlmConfig(**SHAPE, head_dim=8)),
    "glm4": Architecture("packed", "GLM 4 (0414)", lambda: hf.Glm4Config(**SHAPE, head_dim=8)),
    "glm4_moe": Architecture(
        "packed",
        "GLM 4.5 to 4.7",
        lambda: hf.Glm4MoeConfig(
            **FINE_EXPERTS, head_dim=8, n_routed_experts=4, first_k_dense_replace=1
        ),
    ),
    "mixtral": Architecture(
        "packed", "Mixtral", lambda: hf.MixtralConfig(**EXPERTS, num_local_experts=4)
    ),
    "qwen2_moe": Architecture(
        "packed",
        "Qwen 1.5 MoE, Qwen 2 MoE",
        lambda: hf.Qwen2MoeConfig(
            **FINE_EXPERTS, num_experts=4, shared_expert_intermediate_size=32
        ),
    ),
    "qwen3_moe": Architecture(
        "packed", "Qwen 3 MoE", lambda: hf.Qwen3MoeConfig(**FINE_EXPERTS, num_experts=4, head_dim=8)
    ),
    "olmoe": Architecture("packed", "OLMoE", lambda: hf.OlmoeConfig(**EXPERTS, num_experts=4)),
    "olmo2": Architecture("packed", "OLMo 2, Tülu 3", lambda: hf.Olmo2Config(**SHAPE)),
    "gemma": Architecture("packed", "Gemma", lambda: hf.GemmaConfig(**SHAPE, head_dim=8)),
    "gemma2": Architecture(
        "packed", "Gemma 2", lambda: hf.Gemma2Config(**WINDOWED, query_pre_attn_scalar=8)
    ),
    "gemma3_text": Architecture(
        "packed", "Gemma 3", lambda: hf.Gemma3TextConfig(**WINDOWED, query_pre_attn_scalar=8)
    ),
    "cohere": Architecture("packed", "Command R", lambda: hf.CohereConfig(**SHAPE)),
    "cohere2": Architecture(
        "packed",
        "Command R7B, Command A",
        lambda: hf.Cohere2Config(**{**SHAPE, "num_hidden_layers": 4}, sliding_window=20),
    ),
    "starcoder2": Architecture("packed", "StarCoder 2", lambda: hf.Starcoder2Config(**SHAPE)),
    "deepseek_v2": Architecture(
        "packed", "DeepSeek V2", lambda: hf.DeepseekV2Config(**LATENT_EXPERTS)
    ),
    "deepseek_v3": Architecture(
        "packed",
        "DeepSeek V3 and R1, Kimi K2",
        lambda: hf.DeepseekV3Config(**LATENT_EXPERTS, n_group=1, topk_group=1),
    ),
    "minicpm3": Architecture(
        "packed",
        "MiniCPM 3",
        lambda: hf.MiniCPM3Config(**LATENT, scale_emb=1, dim_model_base=32),
    ),
    "internlm3": Architecture("packed", "InternLM 3", lambda: hf.InternLM3Config(**SHAPE)),
    "granite": Architecture("packed", "Granite 3", lambda: hf.GraniteConfig(**SHAPE)),
    "smollm3": Architecture("packed", "SmolLM 3", lambda: hf.SmolLM3Config(**SHAPE)),
    "ernie4_5": Architecture("packed", "ERNIE 4.5", lambda: hf.Ernie4_5Config(**SHAPE)),
    "gpt_oss": Architecture(
        "packed",
        "gpt-oss",
        lambda: hf.GptOssConfig(
            **WINDOWED, num_local_experts=4, num_experts_per_tok=2, rope_parameters=PLAIN_ROPE
        ),
    ),
    "jetmoe": Architecture(
        "packed",
        "JetMoE",
        lambda: hf.JetMoeConfig(
            **{**WITHOUT_KEY_HEADS, "num_attention_heads": 4},
            num_key_value_heads=2,
            kv_channels=8,
            num_local_experts=4,
            tie_word_embeddings=False,
        ),
        std=0.4,
    ),
    "persimmon": Architecture(
        "packed", "Persimmon", lambda: hf.PersimmonConfig(**WITHOUT_KEY_HEADS)
    ),
}
PLAIN = {
    "falcon": Architecture(
        "plain", "Falcon 7B", lambda: hf.FalconConfig(**OLDER, max_position_embeddings=256)
    ),
    "falcon (many key heads)": Architecture(
        "plain",
        "Falcon 40B and 180B",
        lambda: hf.FalconConfig(**OLDER, new_decoder_architecture=True, num_kv_heads=2),
    ),
    "falcon (alibi)": Architecture(
        "plain", "Falcon RW", lambda: hf.FalconConfig(**OLDER, alibi=True)
    ),
    "mpt": Architecture(
        "plain",
        "MPT",
        lambda: hf.MptConfig(
            d_model=32, n_heads=4, n_layers=2, vocab_size=260, max_seq_len=256, expansion_ratio=2
        ),
    ),
    "bloom": Architecture(
        "plain",
        "BLOOM, BLOOMZ, Phoenix",
        lambda: hf.BloomConfig(
            vocab_size=260, hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=1
        ),
    ),
    "gpt_neo": Architecture(
        "plain",
        "GPT-Neo",
        lambda: hf.GPTNeoConfig(
            vocab_size=260,
            hidden_size=32,
            num_layers=2,
            num_heads=4,
            attention_types=[[["global", "local"], 1]],
            window_size=20,
            max_position_embeddings=256,
            bos_token_id=1,
            eos_token_id=1,
        ),
    ),
    "gptj": Architecture("plain", "GPT-J, GPT4All-J", lambda: hf.GPTJConfig(**GPT, rotary_dim=4)),
    "codegen": Architecture(
        "plain", "CodeGen", lambda: hf.CodeGenConfig(**GPT, n_ctx=256, rotary_dim=4)
    ),
    "stablelm": Architecture(
        "plain", "StableLM 2, StableLM Zephyr", lambda: hf.StableLmConfig(**SHAPE)
    ),
    "nemotron": Architecture("plain", "Nemotron 4", lambda: hf.NemotronConfig(**SHAPE)),
    "llama4_text": Architecture(
        "plain",
        "Llama 4",
        lambda: hf.Llama4TextConfig(
            **{**SHAPE, "num_hidden_layers": 4},
            head_dim=8,
            num_local_experts=4,
            num_experts_per_tok=1,
            intermediate_size_mlp=64,
            attention_chunk_size=32,
        ),
    ),
    "mamba": Architecture(
        "plain (whole prompts)", "Mamba", lambda: hf.MambaConfig(**STATES, state_size=8), std=0.4
    ),
    "falcon_mamba": Architecture(
        "plain (whole prompts)",
        "Falcon Mamba",
        lambda: hf.FalconMambaConfig(**STATES, state_size=8),
    ),
    "mamba2": Architecture(
        "plain",
        "Mamba 2, Codestral Mamba",
        lambda: hf.Mamba2Config(
            **STATES, state_size=8, num_heads=8, head_dim=8, n_groups=2, chunk_size=16
        ),
        std=0.5,
    ),
    "rwkv": Architecture(
        "plain (one at a time)",
        "RWKV 4",
        lambda: hf.RwkvConfig(
            vocab_size=260,
            hidden_size=32,
            num_hidden_layers=2,
            context_length=256,
            bos_token_id=1,
            eos_token_id=1,
        ),
    ),
    "jamba": Architecture(
        "plain (whole prompts)",
        "Jamba",
        lambda: hf.JambaConfig(
            **EXPERTS,
            num_experts=2,
            attn_layer_period=2,
            attn_layer_offset=1,
            expert_layer_period=2,
            expert_layer_offset=1,
            mamba_d_state=8,
            mamba_dt_rank=4,
            use_mamba_kernels=False,
        ),
    ),
    "zamba2": Architecture(
        "plain",
        "Zamba 2",
        lambda: hf.Zamba2Config(
            **{**SHAPE, "num_hidden_layers": 4, "num_key_value_heads": 4},
            layers_block_type=["mamba", "hybrid", "mamba", "hybrid"],
            mamba_d_state=8,
            n_mamba_heads=8,
            mamba_ngroups=1,
            chunk_size=16,
            use_mamba_kernels=False,
            num_mem_blocks=1,
            adapter_rank=4,
        ),
    ),
    "bamba": Architecture(
        "plain",
        "Bamba",
        lambda: hf.BambaConfig(
            **SHAPE, **MAMBA2, attn_layer_indices=[1], mamba_chunk_size=16, mamba_n_groups=1
        ),
    ),
    "falcon_h1": Architecture(
        "plain",
        "Falcon H1",
        lambda: hf.FalconH1Config(
            **SHAPE, **MAMBA2, mamba_d_ssm=64, mamba_n_groups=1, mamba_chunk_size=16
        ),
    ),
    "qwen3_next": Architecture(
        "plain",
        "Qwen 3 Next",
        lambda: hf.Qwen3NextConfig(
            **FINE_EXPERTS,
            head_dim=8,
            num_experts=4,
            linear_num_value_heads=4,
            linear_num_key_heads=2,
            linear_key_head_dim=8,
            linear_value_head_dim=8,
            shared_expert_intermediate_size=32,
            layer_types=["linear_attention", "full_attention"],
        ),
    ),
    "lfm2": Architecture(
        "plain", "LFM 2", lambda: hf.Lfm2Config(**SHAPE, layer_types=["conv", "full_attention"])
    ),
    "recurrent_gemma": Architecture(
        "plain (one at a time, without a memory)",
        "RecurrentGemma",
        lambda: hf.RecurrentGemmaConfig(
            **{**SHAPE, "num_hidden_layers": 3, "intermediate_size": 96, "num_key_value_heads": 1},
            head_dim=8,
            lru_width=32,
            attention_window_size=20,
        ),
    ),
}
ARCHITECTURES = {**FUSED, **PACKED, **PLAIN}
REUSING = [
    *("llama", "mistral", "qwen2", "qwen3", "phi3"),
    *("gpt2", "gpt_neox", "mixtral", "gemma2", "gemma3_text", "deepseek_v3", "gpt_oss"),
]
"""Those that show well that keys may be shared between sequences, cut back and taken away."""
