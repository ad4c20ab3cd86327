"""The base model of a PEFT adapter, whose chat template the adapter was tuned with."""

import json
from pathlib import Path

CONFIG = "adapter_config.json"
CONFIG_BYTES = 1_000_000


def base_of_adapter(folder: Path) -> str | None:
    """Return the path or hub id of an adapter's base model; None where the folder is no adapter."""
    try:
        if (folder / CONFIG).stat().st_size > CONFIG_BYTES:
            return None
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        base = config.get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        return None
    return base if isinstance(base, str) and base else None
