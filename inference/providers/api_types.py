"""FastChat's api types in our words: all 20, mapped to a dialect or refused by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from inference.exceptions import InvalidRequestError
from inference.providers.dialects import DIALECTS


@dataclass(frozen=True, slots=True)
class ApiType:
    """What an api type means here.

    Attributes:
        dialect: key of the table of dialects.
        key_variable: variable that holds the key where the entry names none; empty for no key.
        options: options of the dialect.
        from_environment: option → variable that FastChat read it from.
        fixed_temperature: what it always sent.
    """

    dialect: str
    key_variable: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    from_environment: Mapping[str, str] = field(default_factory=dict)
    fixed_temperature: float | None = None


WHOLE = MappingProxyType({"stream": False})
GOOGLE = MappingProxyType({"project": "GCP_PROJECT_ID", "location": "GCP_LOCATION"})

API_TYPES: dict[str, ApiType] = {
    "openai": ApiType("openai", "OPENAI_API_KEY"),
    "openai_no_stream": ApiType("openai", "OPENAI_API_KEY", WHOLE),
    "openai_o1": ApiType("openai", "OPENAI_API_KEY", WHOLE, fixed_temperature=1.0),
    "anthropic": ApiType("anthropic", "ANTHROPIC_API_KEY"),
    "anthropic_message": ApiType("anthropic", "ANTHROPIC_API_KEY"),
    "anthropic_message_vertex": ApiType("anthropic_vertex", from_environment=GOOGLE),
    "gemini": ApiType("gemini", "GEMINI_API_KEY"),
    "gemini_no_stream": ApiType("gemini", "GEMINI_API_KEY", WHOLE),
    "bard": ApiType("gemini", "GEMINI_API_KEY", WHOLE),
    "mistral": ApiType("mistral", "MISTRAL_API_KEY"),
    "nvidia": ApiType("nvidia", "NVIDIA_API_KEY"),
    "vertex": ApiType("vertex", from_environment=GOOGLE),
    "yandexgpt": ApiType("yandex", "YANDEXGPT_API_KEY"),
    "cohere": ApiType("cohere", "COHERE_API_KEY"),
    "reka": ApiType("reka", "REKA_API_KEY"),
    "column": ApiType("column"),
    "p2l": ApiType("p2l"),
}

REFUSED: dict[str, str] = {
    "openai_assistant": "OpenAI has retired the Assistants API; register the model behind the"
    ' assistant as "openai" with its instructions as custom_system_prompt',
    "ai2": "the InferD service is gone; AI2's models are served by others, such as"
    ' "huggingface" or "openai_compatible"',
    "metagen": "it is internal to Meta; Llama models are served by others, such as"
    ' "huggingface" or "openai_compatible"',
}


def api_type_named(name: str) -> ApiType:
    """Return what an api type, or one of our own dialects, means.

    Raises:
        InvalidRequestError: it is refused, with the way out, or unknown.
    """
    if name in REFUSED:
        raise InvalidRequestError(f'"{name}" cannot be used: {REFUSED[name]}', param="api_type")
    if name in API_TYPES:
        return API_TYPES[name]
    if name in DIALECTS:
        return ApiType(name)
    known = ", ".join(sorted({*API_TYPES, *DIALECTS}))
    raise InvalidRequestError(f'"{name}" is unknown; there are {known}', param="api_type")


def fitted(api_type: ApiType, *, base: str, model_name: str) -> ApiType:
    """Return what "openai" means for an address: OpenAI, Azure, or a server that speaks alike.

    FastChat told Azure by the model's name, and everything else was asked as OpenAI was then.
    """
    if api_type.dialect != "openai":
        return api_type
    host = urlsplit(base).hostname or "api.openai.com"
    if "azure" in model_name or host.endswith(".openai.azure.com"):
        return ApiType("azure", api_type.key_variable, api_type.options)
    if host == "api.openai.com":
        return api_type
    return ApiType(
        "openai_compatible",
        options=api_type.options,
        fixed_temperature=api_type.fixed_temperature,
    )
