"""The page of models is made of the data, and not stale."""

from dataclasses import replace
from pathlib import Path

from inference.chat_templates.families import families, family_named
from inference.chat_templates.reference import agreement, reference_page

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/models.md"


def test_the_page_is_what_the_data_make_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), (
        "run `python -m inference.chat_templates.reference > docs/reference/models.md`"
    )


def test_the_page_has_a_row_for_every_family_and_layout() -> None:
    page = reference_page()

    for family in families().values():
        assert f"| **{family.name}**" in page
        assert f"| `{family.layout}` | <code>" in page or not family.layout


def test_a_family_that_writes_another_text_than_recorded_differs() -> None:
    family = family_named("alpaca")

    assert agreement(family, "alpaca") == "whole"
    assert agreement(replace(family, system_message="Hi."), "alpaca") == "layout"
    assert agreement(replace(family, separator="\n"), "alpaca") == "differs"
    assert agreement(replace(family, layout=""), "alpaca") == "differs"
    assert agreement(family, "acme") == "text"
