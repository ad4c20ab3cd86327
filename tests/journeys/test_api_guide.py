"""Every example of the guide for programs runs against a real site."""

import contextlib
import io
import re
import subprocess

import pytest

from tests.support.site import ROOT, Site

pytestmark = pytest.mark.services

GUIDE = (ROOT / "docs/guides/api.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the guide's blocks of one language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


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
    names: dict[str, object] = {}
    printed = []

    for example in blocks("python"):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(example, "docs/guides/api.md", "exec"), names)
        printed.append(output.getvalue().strip())

    france, size, call, choice, similarities, likelihood, responses = printed
    assert "Paris" in france
    assert size in {"small", "large"}
    assert call.startswith("add {")
    assert choice in {"yes", "no"}
    assert similarities.startswith("[[")
    assert float(likelihood) < 0
    assert "Paris" in responses
