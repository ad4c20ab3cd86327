"""The table of dialects: name → where its class is; a file is imported when it is first needed."""

from functools import cache
from importlib import import_module

from inference.exceptions import InvalidRequestError
from inference.providers.dialect import Dialect

DIALECTS: dict[str, str] = {
    "anthropic": "inference.providers.anthropic.Anthropic",
    "anthropic_vertex": "inference.providers.vertex.VertexAnthropic",
    "bedrock": "inference.providers.bedrock.Bedrock",
    "cohere": "inference.providers.cohere.Cohere",
    "gemini": "inference.providers.gemini.Gemini",
    "mistral": "inference.providers.mistral.Mistral",
    "openai": "inference.providers.openai.OpenAI",
    "reka": "inference.providers.reka.Reka",
    "vertex": "inference.providers.vertex.VertexGemini",
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
