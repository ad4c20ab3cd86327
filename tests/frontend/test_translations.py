"""The Chinese translation is complete, well formed and compiled."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("fastchat_site", "leaderboard", "arena", "judge", "training", "chat", "inference")
CATALOGUE = ROOT / "fastchat_site" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
TRANSLATE_TAG = re.compile(r"\{%-? translate \"((?:[^\"\\]|\\.)*)\"")
PLACEHOLDER = re.compile(r"\{\w+\}|%\(\w+\)[sd]|%d")
GETTEXT_NAMES = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}


def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def sentences_of_templates() -> Iterator[str]:
    for app in APPS:
        for path in (ROOT / app).glob("templates/**/*.html"):
            for text in TRANSLATE_TAG.findall(path.read_text(encoding="utf-8")):
                # Template tags double percent signs in message ids.
                yield text.replace("%", "%%")


def sentences_of_code() -> Iterator[str]:
    for app in APPS:
        for path in (ROOT / app).glob("**/*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                if node.func.id in GETTEXT_NAMES and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value)


def test_every_sentence_is_in_the_catalogue() -> None:
    known = {entry.msgid for entry in catalogue()}

    missing = {*sentences_of_templates(), *sentences_of_code()} - known

    assert missing == set()


def test_no_translation_is_empty_fuzzy_or_left_over() -> None:
    entries = catalogue()

    assert [entry.msgid for entry in entries.untranslated_entries()] == []
    assert [entry.msgid for entry in entries.fuzzy_entries()] == []
    assert [entry.msgid for entry in entries.obsolete_entries()] == []


def test_translations_keep_the_placeholders() -> None:
    changed = [
        entry.msgid
        for entry in catalogue()
        for text in entry.msgstr_plural.values() or [entry.msgstr]
        if sorted(PLACEHOLDER.findall(text))
        != sorted(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    ]

    assert changed == []


def test_the_compiled_catalogue_is_up_to_date() -> None:
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))

    def texts(entries: polib.POFile | polib.MOFile) -> dict[str, str | dict[int, str]]:
        return {entry.msgid: entry.msgstr_plural or entry.msgstr for entry in entries}

    assert texts(compiled) == texts(catalogue())


@pytest.mark.parametrize(
    ("wanted", "heading"),
    [("en", "How it works"), ("zh-CN,zh;q=0.9", "工作原理"), ("de", "How it works")],
)
def test_the_browser_chooses_the_language(client: Client, wanted: str, heading: str) -> None:
    response = client.get("/about/", headers={"accept-language": wanted})

    assert heading in response.content.decode()


def test_the_visitor_changes_the_language_and_stays_on_the_page(client: Client) -> None:
    response = client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/about/"})

    assert response["Location"] == "/about/"
    assert "工作原理" in client.get("/about/").content.decode()
