"""Write a checkpoint in half precision, and pickled weights as safetensors."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from inference.management.bad_input import refusals
from inference.management.conversions import add_conversion_arguments, any_folder, progress
from inference.management.loading_arguments import DTYPES

WARNING = (
    "Reading pickled weights with an unpickler that only makes tensors; take such files from"
    " people you trust all the same."
)


class Command(BaseCommand):
    """Writes a model's weights in another number format."""

    help = (
        "Convert a checkpoint to float16 (or --dtype), as safetensors, shard by shard. Reads a"
        " folder (or hub id) and writes another. With --from-pickle it reads pytorch_model*.bin,"
        " which nothing else here loads."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options, FastChat's own."""
        parser.epilog = (
            "Example: manage.py convert_fp16 --in-checkpoint /models/old --out-checkpoint"
            " /models/new --from-pickle"
        )
        parser.add_argument(
            "--in-checkpoint", required=True, metavar="PATH_OR_ID", help="the model to read"
        )
        parser.add_argument(
            "--out-checkpoint", required=True, type=Path, metavar="FOLDER", help="written"
        )
        parser.add_argument(
            "--dtype", choices=DTYPES, default="float16", help="number format (float16)"
        )
        parser.add_argument(
            "--from-pickle",
            action="store_true",
            help="read pickled weights of a folder; a file that holds more than tensors is refused",
        )
        add_conversion_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Convert."""
        from inference.loading.conversion import convert_checkpoint

        if options["from_pickle"]:
            self.stderr.write(WARNING)
        target = options["out_checkpoint"]
        with refusals(), progress("Converting", options) as common:
            convert_checkpoint(
                any_folder(options["in_checkpoint"]),
                target,
                dtype=options["dtype"],
                from_pickle=options["from_pickle"],
                **common,
            )
        self.stdout.write(f"The converted model is in {target}")
