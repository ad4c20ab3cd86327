"""Count all votes again."""

from typing import Any

from django.core.management.base import BaseCommand

from leaderboard.services import rebuild_board_counts


class Command(BaseCommand):
    """Rebuilds the counters of all boards from the votes."""

    help = (
        "Count all votes again and store the counters of all boards. Counters follow every vote by"
        " themselves, so a healthy site has nothing to correct; the votes are never touched."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Rebuild and say what was wrong."""
        recount = rebuild_board_counts()
        self.stdout.write(f"{recount.votes} votes counted, {recount.corrected} counters corrected")
