"""The table of dialects: name → where its class is; a file is imported when it is first needed."""

from functools import cache
from importlib import import_module

from inference.exceptions import InvalidRequestError
from inference.providers.dialect import Dialect

DIALECTS: dict[str, str] = {
    "anthropic": "inference.providers.anthropic.Anthropic",
    "anthropic_vertex": "inference.providers.vertex.VertexAnthropic",
    "azure": "inference.providers.azure.Azure",
    "bedrock": "inference.providers.bedrock.Bedrock",
    "cohere": "inference.providers.cohere.Cohere",
    "column": "inference.providers.column.Column",
    "gemini": "inference.providers.gemini.Gemini",
    "huggingface": "inference.providers.openai_compatible.HuggingFace",
    "llama_cpp": "inference.providers.openai_compatible.LlamaCpp",
    "mistral": "inference.providers.mistral.Mistral",
    "nvidia": "inference.providers.openai_compatible.NVIDIA",
    "openai": "inference.providers.openai.OpenAI",
    "openai_compatible": "inference.providers.openai_compatible.Compatible",
    "p2l": "inference.providers.p2l.P2L",
    "reka": "inference.providers.reka.Reka",
    "sglang": "inference.providers.openai_compatible.SGLang",
    "tgi": "inference.providers.tgi.TGI",
    "tgi_messages": "inference.providers.openai_compatible.TGIMessages",
    "vertex": "inference.providers.vertex.VertexGemini",
    "vllm": "inference.providers.openai_compatible.VLLM",
    "yandex": "inference.providers.yandex.Yandex",
}


@cache
def dialect_named(name: str) -> Dialect:
    """Return a dialect.

    Raises:
        InvalidRequestError: there is none of this name.
    """
    if name not in DIALECTS:
        known = ", ".join(sorted(DIALECTS))
        raise InvalidRequestError(f"no dialect {name!r}; there are {known}", param="dialect")
    module_name, class_name = DIALECTS[name].rsplit(".", maxsplit=1)
    dialect = getattr(import_module(module_name), class_name)()
    assert isinstance(dialect, Dialect)
    return dialect
