"""Add delta weights to their base."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from inference.management.bad_input import refusals
from inference.management.conversions import add_conversion_arguments, model_folder, progress


class Command(BaseCommand):
    """Writes the model that a base and a delta make."""

    help = (
        "Add delta weights, such as Vicuna's first ones, to their base. Reads both folders (or hub"
        " ids), writes the model as safetensors, shard by shard, in the delta's number format."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options, FastChat's own."""
        parser.epilog = (
            "Example: manage.py apply_delta --base-model-path /models/base --delta-path"
            " /models/delta --target-model-path /models/whole"
        )
        parser.add_argument(
            "--base-model-path", required=True, metavar="PATH_OR_ID", help="the base"
        )
        parser.add_argument(
            "--target-model-path", required=True, type=Path, metavar="FOLDER", help="written"
        )
        parser.add_argument("--delta-path", required=True, metavar="PATH_OR_ID", help="the delta")
        parser.add_argument(
            "--low-cpu-mem", action="store_true", help="accepted; memory is always kept low"
        )
        add_conversion_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Add."""
        from inference.loading.deltas import apply_delta

        target = options["target_model_path"]
        with refusals(), progress("Adding", options) as common:
            base = model_folder(options["base_model_path"])
            apply_delta(base, model_folder(options["delta_path"]), target, **common)
        self.stdout.write(f"The model is in {target}")
