"""`manage.py create_api_key NAME`: make a key for a program."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from inference import services
from inference.exceptions import InvalidRequestError

MOST_DAYS = 36_500


class Command(BaseCommand):
    """Makes an API key and prints it once."""

    help = (
        "Make an API key and print it on standard output, alone on its line. It is stored as a"
        " hash and cannot be shown again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the name, the owner and the expiry."""
        parser.epilog = "Example: manage.py create_api_key laptop --days 90"
        parser.add_argument("name", help="what the key is for")
        parser.add_argument("--user", metavar="USERNAME", help="account the key belongs to")
        parser.add_argument("--quiet", action="store_true", help="print nothing but the key")
        parser.add_argument("--days", type=int, help="days until it expires (default: never)")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's signature)
        """Make the key.

        Raises:
            CommandError: the name, the user or the number of days cannot be used.
        """
        days = options["days"]
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days must be between 1 and {MOST_DAYS}, not {days}")
        try:
            key, text = services.create_api_key(
                name=options["name"],
                user=_user_named(options["user"]),
                expires_at=timezone.now() + timedelta(days=days) if days else None,
            )
        except InvalidRequestError as error:
            raise CommandError(str(error)) from error
        if not options["quiet"]:
            self.stderr.write(f"{key.name}: copy the key now, it is not shown again")
        self.stdout.write(text)


def _user_named(username: str | None) -> Any:
    if username is None:
        return None
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"there is no user {username!r}")
    return user
