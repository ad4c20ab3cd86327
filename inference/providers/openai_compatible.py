"""Servers that speak OpenAI's chat completions and take more parameters, or fewer.

Source:
    vLLM: https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html
    SGLang: https://docs.sglang.ai/basic_usage/openai_api_completions.html
    llama.cpp: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
    Text Generation Inference: https://huggingface.co/docs/text-generation-inference/messages_api
    Hugging Face: https://huggingface.co/docs/inference-providers/tasks/chat-completion
    NVIDIA NIM: https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from inference.providers.openai import TAKEN_BY_ALL, OpenAIDialect

SAME_NAMES = MappingProxyType({name: name for name in ("top_k", "min_p", "repetition_penalty")})


class Compatible(OpenAIDialect):
    """Any server of the family, asked for what all of them know; a key only where one is named."""

    needs_key: ClassVar[bool] = False


class VLLM(OpenAIDialect):
    """vLLM, which takes nearly all that the engine here takes."""

    needs_key: ClassVar[bool] = False
    takes_template_options: ClassVar[bool] = True
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **TAKEN_BY_ALL,
            **SAME_NAMES,
            "stop_token_ids": "stop_token_ids",
            "ignore_eos": "ignore_eos",
            "min_tokens": "min_tokens",
            "logit_bias": "logit_bias",
            "skip_special_tokens": "skip_special_tokens",
            "spaces_between_special_tokens": "spaces_between_special_tokens",
        }
    )


class SGLang(OpenAIDialect):
    """SGLang."""

    needs_key: ClassVar[bool] = False
    takes_template_options: ClassVar[bool] = True
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **TAKEN_BY_ALL,
            **SAME_NAMES,
            "stop_token_ids": "stop_token_ids",
            "ignore_eos": "ignore_eos",
            "min_tokens": "min_tokens",
            "logit_bias": "logit_bias",
            "skip_special_tokens": "skip_special_tokens",
        }
    )


class LlamaCpp(OpenAIDialect):
    """The server of llama.cpp, which calls the repetition penalty by its own name."""

    needs_key: ClassVar[bool] = False
    takes_template_options: ClassVar[bool] = True
    takes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **TAKEN_BY_ALL,
            **SAME_NAMES,
            "repetition_penalty": "repeat_penalty",
            "ignore_eos": "ignore_eos",
            "logit_bias": "logit_bias",
        }
    )


class TGIMessages(OpenAIDialect):
    """Text Generation Inference by its Messages API; its native route is the dialect `tgi`."""

    needs_key: ClassVar[bool] = False


class HuggingFace(OpenAIDialect):
    """The router of Hugging Face, which hands requests to many providers."""

    default_url: ClassVar[str] = "https://router.huggingface.co/v1"


class NVIDIA(OpenAIDialect):
    """NVIDIA's hosted models and NIM containers; a container needs no key."""

    default_url: ClassVar[str] = "https://integrate.api.nvidia.com/v1"
    needs_key: ClassVar[bool] = False
