"""The small chat models that ship with the project, each a folder of safetensors and tokenizer.

They are rebuilt by `manage.py train NAME`; docs/guides/demo_models.md tells how.
"""

from pathlib import Path

FOLDER = Path(__file__).parent


def demo_model_folders() -> dict[str, Path]:
    """Return the shipped models: name to folder, in alphabetical order."""
    return {config.parent.name: config.parent for config in sorted(FOLDER.glob("*/config.json"))}
