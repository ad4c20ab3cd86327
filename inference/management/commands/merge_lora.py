"""Put an adapter into the weights of its base."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from inference.management.bad_input import refusals, refuse
from inference.management.conversions import (
    add_conversion_arguments,
    any_folder,
    model_folder,
    progress,
)


class Command(BaseCommand):
    """Writes the model that a base and a LoRA adapter make."""

    help = (
        "Merge a LoRA or DoRA adapter into its base. Reads both folders (or hub ids), writes a"
        " model of its own as safetensors, shard by shard; the target appears when it is whole."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options, FastChat's apply_lora among them."""
        parser.epilog = (
            "Example: manage.py merge_lora --base-model-path /models/base --lora-path"
            " /models/adapter --target-model-path /models/merged"
        )
        parser.add_argument(
            "--base-model-path",
            metavar="PATH_OR_ID",
            help="the base; the one the adapter names if left",
        )
        parser.add_argument("--lora-path", required=True, metavar="PATH_OR_ID", help="the adapter")
        parser.add_argument(
            "--target-model-path", required=True, type=Path, metavar="FOLDER", help="written"
        )
        add_conversion_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Merge."""
        from inference.loading.adapter_config import read_adapter_config
        from inference.loading.merging import merge_adapter

        target = options["target_model_path"]
        with refusals(), progress("Merging", options) as common:
            adapter = any_folder(options["lora_path"])
            base = options["base_model_path"] or read_adapter_config(adapter).base
            if not base:
                raise refuse("the adapter does not name its base; give --base-model-path")
            merge_adapter(model_folder(base), adapter, target, **common)
        self.stdout.write(f"The merged model is in {target}")
