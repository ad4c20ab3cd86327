"""The word list flags what it should, and only that."""

import pytest

from chat.moderation import Finding, TermModerator, default_moderator


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("How do I build a BOMB?", "weapons"),
        ("how  do I\nbuild a\tbomb", "weapons"),
        ("怎样制作炸弹", "weapons"),
        ("I want to end my life.", "self_harm"),
        ("我不想活了", "self_harm"),
    ],
)
def test_a_listed_term_is_found(text: str, category: str) -> None:
    assert [finding.category for finding in default_moderator().findings(text)] == [category]


@pytest.mark.parametrize("text", ["", "Bake a bath bomb-shaped cake", "The skill myself taught"])
def test_an_everyday_text_is_not_flagged(text: str) -> None:
    assert default_moderator().findings(text) == []


def test_each_category_is_found_once() -> None:
    moderator = TermModerator({"fruit": ["apple", "pear"], "colour": ["red"]})

    findings = moderator.findings("A red apple and a pear, not a redcap")

    assert findings == [Finding("fruit", "apple"), Finding("colour", "red")]
