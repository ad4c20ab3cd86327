"""The documents tell the truth: commands exist, links lead somewhere, settings are listed."""

import dataclasses
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)")
SETTINGS_CLASSES = {
    "inference.conf": "InferenceSettings",
    "chat.conf": "ChatSettings",
    "arena.conf": "ArenaSettings",
    "leaderboard.conf": "LeaderboardSettings",
    "training.conf": "TrainingSettings",
}


def commands_in(document: Path) -> Iterator[list[str]]:
    """Yield every command of the document's bash blocks as words, without its comment."""
    for block in FENCE.findall(document.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def manage_commands() -> list[tuple[str, list[str]]]:
    """Return the `manage.py` calls of all documents as (document, words after manage.py)."""
    return [
        (document.name, words[words.index("manage.py") + 1 :])
        for document in DOCUMENTS
        for words in commands_in(document)
        if "manage.py" in words
    ]


def make_verbs() -> list[tuple[str, str]]:
    """Return the `make` calls of all documents as (document, verb)."""
    return [
        (document.name, words[1])
        for document in DOCUMENTS
        for words in commands_in(document)
        if words[0] == "make"
    ]


@pytest.mark.parametrize(("document", "words"), manage_commands())
def test_every_command_in_the_documents_parses(document: str, words: list[str]):
    name, *arguments = words
    application = get_commands()[name]
    command = load_command_class(application, name) if isinstance(application, str) else application

    parser = command.create_parser("manage.py", name)

    parser.parse_args(arguments)  # exits with an error where a flag is unknown


@pytest.mark.parametrize(("document", "verb"), make_verbs())
def test_every_verb_in_the_documents_exists(document: str, verb: str):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{re.escape(verb)}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path):
    text = document.read_text(encoding="utf-8")

    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize(("module", "name"), SETTINGS_CLASSES.items())
def test_every_setting_is_documented(module: str, name: str):
    reference = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    settings_class = getattr(importlib.import_module(module), name)

    keys = [field.name for field in dataclasses.fields(settings_class)]

    assert [key for key in keys if f"`{key}`" not in reference] == []


def test_every_environment_variable_is_documented():
    reference = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    sources = (ROOT / "fastchat_site/settings").glob("*.py")
    call = re.compile(r'env\.(?:text|flag|number|names|folder|required)\(\s*"(\w+)"')

    variables = {name for path in sources for name in call.findall(path.read_text("utf-8"))}

    assert sorted(name for name in variables if f"`{name}`" not in reference) == []


def test_every_command_of_ours_is_in_the_reference():
    reference = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    ours = {path.stem for path in ROOT.glob("*/management/commands/[!_]*.py")}

    assert sorted(name for name in ours if f"| `{name}` |" not in reference) == []


def test_both_readmes_show_the_same_commands():
    english, chinese = (
        [words for words in commands_in(ROOT / name) if words[0] in {"make", "export"}]
        for name in ("README.md", "README.zh-CN.md")
    )

    assert english == chinese
