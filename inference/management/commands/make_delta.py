"""Write a model as its difference to a base."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from inference.management.bad_input import refusals
from inference.management.conversions import add_conversion_arguments, model_folder, progress


class Command(BaseCommand):
    """Subtracts a base from what was made of it, and tells how exactly it will come back."""

    help = (
        "Write delta weights: a model minus its base, for handing on without the base. Reads both"
        " folders (or hub ids), writes safetensors shard by shard; with --hub-repo-id it uploads"
        " the result by the hub token of this machine."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options, FastChat's own."""
        parser.epilog = (
            "Example: manage.py make_delta --base-model-path /models/base --target-model-path"
            " /models/whole --delta-path /models/delta"
        )
        parser.add_argument(
            "--base-model-path", required=True, metavar="PATH_OR_ID", help="the base"
        )
        parser.add_argument(
            "--target-model-path", required=True, metavar="PATH_OR_ID", help="made of the base"
        )
        parser.add_argument(
            "--delta-path", required=True, type=Path, metavar="FOLDER", help="written"
        )
        parser.add_argument("--hub-repo-id", metavar="OWNER/NAME", help="uploads the delta there")
        add_conversion_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Subtract."""
        from inference.loading.deltas import make_delta
        from inference.loading.uploading import upload_folder

        delta = options["delta_path"]
        with refusals():
            with progress("Subtracting", options) as common:
                base = model_folder(options["base_model_path"])
                model = model_folder(options["target_model_path"])
                report = make_delta(base, model, delta, **common)
            self.stdout.write(f"The delta is in {delta}")
            if report.inexact:
                self.stdout.write(
                    f"{report.inexact:,} of {report.numbers:,} numbers will come back rounded, by"
                    f" at most {report.largest_error:.1e}"
                )
            else:
                self.stdout.write(f"All {report.numbers:,} numbers will come back exactly")
            if options["hub_repo_id"]:
                address = upload_folder(delta, options["hub_repo_id"])
                self.stdout.write(f"It was uploaded to {address}")
