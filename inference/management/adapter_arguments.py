"""The option of commands that serve adapters beside a model."""

from argparse import ArgumentParser, ArgumentTypeError

from inference.exceptions import InvalidRequestError
from inference.worker.adapters import AdapterSpec, parse_adapter


def add_adapter_argument(parser: ArgumentParser) -> None:
    """Declare `--adapter`."""
    parser.add_argument(
        "--adapter",
        action="append",
        type=named_adapter,
        default=[],
        metavar="NAME=PATH_OR_ID",
        help="serve this LoRA adapter of the model too, on the same copy of its weights; may be"
        " repeated. An adapter's folder is also taken as a model, and brings its base along",
    )


def named_adapter(text: str) -> AdapterSpec:
    """Return an adapter with its name.

    Raises:
        ArgumentTypeError: a part is missing.
    """
    try:
        return parse_adapter(text)
    except InvalidRequestError as error:
        raise ArgumentTypeError(str(error)) from error
