"""What the commands that turn weights into other weights share: options and a progress bar."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference.management.argument_types import parse_size

SHARD_SIZE = "1GiB"


def add_conversion_arguments(parser: ArgumentParser) -> None:
    """Declare what every conversion takes."""
    parser.add_argument(
        "--force", action="store_true", help="replace a model that is in the target already"
    )
    parser.add_argument(
        "--shard-size",
        type=parse_size,
        default=parse_size(SHARD_SIZE),
        metavar="SIZE",
        help=f"largest file of weights ({SHARD_SIZE}); up to four times that is used of memory",
    )


def model_folder(path_or_id: str) -> Path:
    """Return a folder with a model's files, fetched from the hub where needed.

    Raises:
        ModelLoadError: there is none.
    """
    from inference.loading.sources import find_model

    return find_model(path_or_id)


def any_folder(path_or_id: str) -> Path:
    """Return a folder, an adapter's or any, fetched from the hub where needed.

    Raises:
        ModelLoadError: there is none.
    """
    from inference.loading.sources import locate

    return locate(path_or_id)


@contextmanager
def progress(title: str, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Show a bar on a terminal; give the options that a conversion takes.

    Args:
        title: what is being done.
        options: the command's.
    """
    common = {"force": options["force"], "shard_bytes": options["shard_size"]}
    if not sys.stderr.isatty():
        yield common
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)

        def watch(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield {**common, "watch": watch}
