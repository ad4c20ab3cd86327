"""`manage.py register_endpoints FILE.json`: offer models that servers elsewhere answer for."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from inference.exceptions import InvalidRequestError
from inference.management.bad_input import refusals
from inference.providers.endpoint_entries import Entry
from inference.providers.endpoint_files import read_endpoint_file
from inference.providers.file_keys import write_keys
from inference.providers.registration import register_endpoints, where
from inference.providers.server import is_key_there

MOST_FILE_BYTES = 2_000_000


class Command(BaseCommand):
    """Reads FastChat's api_endpoints.json, with all its API types."""

    help = (
        "Read a file of endpoints in the format of FastChat's api_endpoints.json and store them,"
        " with a card for each model: all or none. Keys stay out of the database: a file names"
        " environment variables, or --keys-to moves the keys it holds into a file for them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the file and what to do with what is there."""
        parser.epilog = "Example: manage.py register_endpoints api_endpoints.json --dry-run"
        parser.add_argument("file", type=Path, metavar="FILE.json")
        parser.add_argument(
            "--dry-run", action="store_true", help="check and show, but store nothing"
        )
        parser.add_argument(
            "--replace", action="store_true", help="renew the endpoints of models that have some"
        )
        parser.add_argument(
            "--keys-to",
            type=Path,
            metavar="FILE.env",
            help="write keys that the file holds as VARIABLE='key' lines, for the environment of"
            " the site; only its owner can read it",
        )

    def handle(self, **options: Any) -> None:
        """Read, check, store.

        Raises:
            CommandError: the file, or what stands in it, cannot be used.
        """
        with refusals():
            entries = read_endpoint_file(read_text(options["file"]), os.environ)
            held = [entry for entry in entries if entry.key and entry.key.text]
            if held and options["keys_to"] is None:
                raise InvalidRequestError(
                    f'entry "{held[0].name}": api_key holds a key; name an environment variable'
                    " in key_variable instead, or move the keys with --keys-to FILE.env"
                )
            if not options["dry_run"]:
                self.store(entries, held, options)
        for entry in entries:
            self.report(entry)
        done = "nothing stored" if options["dry_run"] else "stored"
        self.stdout.write(f"{len(entries)} endpoints, {done}")

    def store(self, entries: list[Entry], held: list[Entry], options: dict[str, Any]) -> None:
        """Store the endpoints, and then the keys; the file of keys is there or the call fails."""
        if held:
            count = write_keys(options["keys_to"], [entry.key for entry in held if entry.key])
            self.stdout.write(f"{options['keys_to']}: {count} keys for the site's environment")
        try:
            register_endpoints(entries, is_replacing=options["replace"])
        except Exception:
            if held:
                options["keys_to"].unlink()
            raise

    def report(self, entry: Entry) -> None:
        """Show what became of an entry."""
        endpoint = entry.endpoint
        places = [
            place
            for place, is_there in (("listed", entry.is_listed), ("arena", entry.is_in_arena))
            if is_there
        ]
        self.stdout.write(
            f"{entry.name}: {endpoint.dialect} at {where(endpoint)}"
            f" as {endpoint.remote_name} ({', '.join(places) or 'hidden'})"
        )
        if not is_key_there(endpoint.key_variable):
            self.stderr.write(f"{entry.name}: {endpoint.key_variable} is not set here")


def read_text(path: Path) -> str:
    """Return the content of a file of reasonable size.

    Raises:
        InvalidRequestError: it cannot be read.
    """
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise InvalidRequestError(f"{path} is larger than {MOST_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidRequestError(f"{path} is not UTF-8 text") from None
