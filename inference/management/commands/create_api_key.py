"""`manage.py create_api_key NAME`: make a key for a program."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.utils import timezone

from inference import services
from inference.keys import SCOPES, KeyTerms
from inference.management.bad_input import refusals, refuse
from inference.models import BudgetPeriod

MOST_DAYS = 36_500


class Command(BaseCommand):
    """Makes an API key and prints it once."""

    help = (
        "Make an API key and print it on standard output, alone on its line. It is stored as a"
        " hash and cannot be shown again. Without options it opens the whole API."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the name, the owner, the expiry and the terms."""
        parser.epilog = (
            "Example: manage.py create_api_key laptop --days 90 --scopes chat,models"
            " --budget 1000000 --budget-period month"
        )
        parser.add_argument("name", help="what the key is for")
        parser.add_argument("--user", metavar="USERNAME", help="account the key belongs to")
        parser.add_argument("--quiet", action="store_true", help="print nothing but the key")
        ends = parser.add_mutually_exclusive_group()
        ends.add_argument("--days", type=int, help="days until it expires (default: never)")
        ends.add_argument(
            "--expires",
            type=moment,
            metavar="DATE",
            help="when it expires, such as 2027-01-31 or 2027-01-31T12:00, in UTC",
        )
        parser.add_argument(
            "--scopes", type=names, default=(), help=f"parts of the API: {','.join(SCOPES)}"
        )
        parser.add_argument("--models", type=names, default=(), help="models it may use: a,b")
        parser.add_argument("--requests-per-minute", type=int, metavar="N", help="0: no limit")
        parser.add_argument("--tokens-per-minute", type=int, metavar="N", help="0: no limit")
        parser.add_argument("--budget", type=int, metavar="TOKENS", help="tokens it may use")
        parser.add_argument(
            "--budget-period",
            choices=BudgetPeriod.values,
            default=BudgetPeriod.TOTAL.value,
            help="what the budget is for (default: total)",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  (Django's signature)
        """Make the key.

        Raises:
            CommandError: the name, the user, the expiry or a term cannot be used.
        """
        days, expires_at = options["days"], options["expires"]
        if days is not None:
            if not 1 <= days <= MOST_DAYS:
                raise refuse(f"--days must be between 1 and {MOST_DAYS}, not {days}")
            expires_at = timezone.now() + timedelta(days=days)
        terms = KeyTerms(
            scopes=options["scopes"],
            models=options["models"],
            requests_per_minute=options["requests_per_minute"],
            tokens_per_minute=options["tokens_per_minute"],
            token_budget=options["budget"],
            budget_period=options["budget_period"],
        )
        with refusals():
            key, text = services.create_api_key(
                name=options["name"],
                user=_user_named(options["user"]),
                expires_at=expires_at,
                terms=terms,
            )
        if not options["quiet"]:
            self.stderr.write(f"{key.name}: copy the key now, it is not shown again")
        self.stdout.write(text)


def names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def moment(text: str) -> datetime:
    """Return a date or a time of ISO 8601, in UTC where it names no zone.

    Raises:
        ArgumentTypeError: it is neither.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a date such as 2027-01-31") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _user_named(username: str | None) -> Any:
    if username is None:
        return None
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise refuse(f"there is no user {username!r}")
    return user
