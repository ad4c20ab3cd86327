"""The settings of the judge, read from `settings.JUDGE`."""

from dataclasses import dataclass, fields

from django.conf import settings


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What an operator may change; every key has its line in docs/reference/settings.md.

    Attributes:
        answer_max_tokens: longest answer to one turn of a question.
        verdict_max_tokens: longest text of a judge.
    """

    answer_max_tokens: int = 1024
    verdict_max_tokens: int = 2048


def judge_settings() -> JudgeSettings:
    """Return the settings as they are now.

    Raises:
        ValueError: `JUDGE` has a key that means nothing.
    """
    unknown = set(settings.JUDGE) - {entry.name for entry in fields(JudgeSettings)}
    if unknown:
        raise ValueError(f"JUDGE has unknown keys: {', '.join(sorted(unknown))}")
    return JudgeSettings(**settings.JUDGE)
