"""What can go wrong when models are judged.

    JudgeError
    └── QuestionNotFoundError   the bench has no such question

The message goes to people.
"""


class JudgeError(Exception):
    """Anything that keeps a judge from its verdict."""


class QuestionNotFoundError(JudgeError):
    """A bench has no question with this number."""

    def __init__(self, *, bench: str, number: int) -> None:
        super().__init__(f"the bench {bench!r} has no question {number}")
        self.bench = bench
        self.number = number
