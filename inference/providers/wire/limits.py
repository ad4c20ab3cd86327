"""How long and how much a server elsewhere may talk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Bounds of one exchange; times in seconds.

    Attributes:
        connect_s: for the connection to stand.
        first_byte_s: from the request to the status line; models that think first need minutes.
        idle_s: of silence between two chunks of an answer, comments that keep it open included.
        tries: most attempts at one answer, the first included.
        retry_budget_s: after which no further attempt begins.
        answer_bytes: largest answer, all chunks together.
        event_bytes: largest event or line in it.
    """

    connect_s: float = 10.0
    first_byte_s: float = 300.0
    idle_s: float = 60.0
    tries: int = 3
    retry_budget_s: float = 20.0
    answer_bytes: int = 16_000_000
    event_bytes: int = 1_000_000
