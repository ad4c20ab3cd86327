"""Which adapters a model is served with, and how they are read; torch comes in only then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.exceptions import InvalidRequestError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from inference.engine.lora.low_rank import Adapter

LARGEST_COUNT = 256
"""Adapters of one engine; each costs a probe when it starts, and memory as long as it runs."""


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """One adapter to serve on the base it shares with others.

    Attributes:
        path: local folder, or id on the hub.
        names: names it is served under; the first one is the main one.
    """

    path: str
    names: tuple[str, ...]


def parse_adapter(text: str) -> AdapterSpec:
    """Read `NAME=PATH_OR_ID`.

    Raises:
        InvalidRequestError: a part is missing.
    """
    name, _, path = (part.strip() for part in text.partition("="))
    if not name or not path:
        raise InvalidRequestError(f"{text!r} is not of the form NAME=PATH_OR_ID")
    return AdapterSpec(path, (name,))


def main_names(adapters: Iterable[AdapterSpec]) -> Mapping[str, str]:
    """Return the main name of the adapter that answers to each name."""
    return {name: adapter.names[0] for adapter in adapters for name in adapter.names}


def load_adapters(
    adapters: Iterable[AdapterSpec],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    with_templates: bool,
    use_modelscope: bool = False,
) -> "dict[str, Adapter]":
    """Read adapters, by their main names.

    Args:
        adapters: which.
        tokenizer: of their base.
        with_templates: whether chat templates of their own are used.
        use_modelscope: whether their ids are ModelScope's.

    Raises:
        ModelLoadError: one cannot be served; the message says what to do.
    """
    from inference.engine.lora.low_rank import Adapter, LowRank
    from inference.loading.adapter_config import read_adapter_config
    from inference.loading.adapter_tokenizer import own_tokenizer
    from inference.loading.adapter_weights import read_served_adapter
    from inference.loading.sources import locate

    loaded = {}
    for adapter in adapters:
        folder = locate(adapter.path, use_modelscope=use_modelscope)
        factors = read_served_adapter(folder, read_adapter_config(folder))
        weights = {module: LowRank(down, up) for module, (down, up) in factors.items()}
        own = own_tokenizer(folder, tokenizer) if with_templates else None
        loaded[adapter.names[0]] = Adapter(weights, own)
    return loaded
