"""The site's own families reach the templates, and a broken file is told by the system check."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks

from inference.chat_templates.families import families, use_family_file


@pytest.fixture
def start(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """The file of families of a site that starts."""
    path = tmp_path / "families.toml"
    settings.INFERENCE = {**settings.INFERENCE, "families": str(path)}
    yield path
    use_family_file(None)


def test_the_families_of_the_settings_are_known_when_the_site_has_started(start: Path) -> None:
    start.write_text('[acme]\nlayout = "robin"\nroles = ["Q", "A"]\n', encoding="utf-8")

    apps.get_app_config("inference").ready()

    assert next(iter(families())) == "acme"
    assert [found.id for found in run_checks()] == []


def test_a_broken_file_of_families_is_told_by_the_system_check(start: Path) -> None:
    start.write_text("[acme", encoding="utf-8")

    apps.get_app_config("inference").ready()

    found = [message for message in run_checks() if message.id == "inference.E001"]
    assert len(found) == 1
    assert str(start) in found[0].msg
