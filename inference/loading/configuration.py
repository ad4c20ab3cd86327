"""Read a model's configuration, and write old ways of scaling positions as they are written now."""

import json
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from inference.loading.auto_classes import naming_the_flag
from inference.loading.condensed import uncondense
from inference.loading.refusals import telling


def read_config(
    folder: Path, *, name: str = "", trust_remote_code: bool = False
) -> PreTrainedConfig:
    """Return the configuration in a model's folder.

    Args:
        folder: the model's.
        name: what it is called, where its folder is called otherwise; LongChat is known by it.
        trust_remote_code: run the code a configuration brings along.

    Raises:
        ModelLoadError: it is broken, or of a kind transformers does not know.
    """
    with (
        naming_the_flag(folder.name),
        telling(f"config.json of {folder.name!r} cannot be read"),
    ):
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = _with_longrope(values)
        if config is None:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    uncondense(config, name or folder.name)
    return config


def _with_longrope(values: dict[str, Any]) -> PreTrainedConfig | None:
    """Return a configuration that calls longrope su, as the first Phi-3 models do, else None.

    Transformers knows the name but misses the original window, which stands beside it.
    """
    rope = values.get("rope_scaling") or {}
    if rope.get("type") != "su" or values.get("model_type") not in CONFIG_MAPPING:
        return None
    config_class: Any = CONFIG_MAPPING[values["model_type"]]
    config: PreTrainedConfig = config_class.from_dict(
        {**values, "rope_scaling": {**rope, "type": "longrope"}}
    )
    return config
