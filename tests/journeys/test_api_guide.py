"""Every example of the guides for programs runs against a real site."""

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.site import ROOT, Site

pytestmark = pytest.mark.services

GUIDE, PROGRAMS = ROOT / "docs/guides/api.md", ROOT / "docs/guides/api_programs.md"


def blocks(language: str, guide: Path = GUIDE) -> list[str]:
    """Return a guide's blocks of one language, in their order."""
    text = guide.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def printed_by(guide: Path) -> list[str]:
    """Run a guide's examples in Python, one after the other; return what each prints."""
    names: dict[str, object] = {"__name__": "guide"}
    printed = []
    for example in blocks("python", guide):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(example, guide.name, "exec"), names)
        printed.append(output.getvalue().strip())
    return printed


@pytest.fixture
def environment(site: Site) -> dict[str, str]:
    """What the guide's first block sets."""
    key = site.manage("create_api_key", "guide", "--quiet").strip()
    return {**site.environment, "SITE": site.address, "KEY": key}


def test_the_curl_examples_answer(environment: dict[str, str]):
    setting, *examples = blocks("sh")
    assert setting.startswith("export SITE=")

    for example in examples:
        done = subprocess.run(
            ["bash", "-ec", example], env=environment, capture_output=True, text=True, timeout=120
        )

        assert done.returncode == 0, done.stdout + done.stderr
        assert '"error"' not in done.stdout


def test_the_python_examples_print_what_they_say(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SITE", environment["SITE"])
    monkeypatch.setenv("KEY", environment["KEY"])

    france, size, call, choice, similarities, likelihood, responses = printed_by(GUIDE)

    assert "Paris" in france
    assert size in {"small", "large"}
    assert call.startswith("add {")
    assert choice in {"yes", "no"}
    assert similarities.startswith("[[")
    assert float(likelihood) < 0
    assert "Paris" in responses


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_langchain_reads_text_objects_and_vectors(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SITE", environment["SITE"])
    monkeypatch.setenv("KEY", environment["KEY"])

    said, place, vectors = printed_by(PROGRAMS)

    assert "Paris" in said
    assert place == "Place True"
    assert vectors == "2"
