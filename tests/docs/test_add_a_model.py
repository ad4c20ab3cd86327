"""What the guide on adding a model says is done here, with the guide's own text."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.bus.base import BusConfig
from inference.bus.local import LocalBus
from inference.chat_templates.families import FOLDER, use_family_file
from inference.chat_templates.family_files import KINDS
from inference.conf import InferenceSettings
from inference.messages import Message, Role
from inference.worker.model_specs import host_model, parse_spec
from tests.support.tiny_models import save_tiny_model

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/guides/add_a_model.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The guide's blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def family_file(tmp_path: Path) -> Iterator[Path]:
    """The guide's file of families."""
    path = tmp_path / "families.toml"
    path.write_text(blocks("toml")[0], encoding="utf-8")
    yield path
    use_family_file(None)


def test_the_guides_family_writes_the_guides_prompt(family_file: Path, tmp_path: Path) -> None:
    _, echo, render = next(block for block in blocks("bash") if "echo" in block).splitlines()
    messages = shlex.split(echo)[1]
    words = shlex.split(render)
    words = [sys.executable, str(ROOT / "manage.py"), *words[words.index("manage.py") + 1 :]]
    (tmp_path / "messages.json").write_text(messages, encoding="utf-8")

    done = subprocess.run(
        words,
        cwd=tmp_path,
        env={**os.environ, "FASTCHAT_FAMILIES": str(family_file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == blocks("text")[1].removesuffix("\n")


def test_a_model_of_that_name_is_asked_in_that_family(family_file: Path, tmp_path: Path) -> None:
    use_family_file(family_file)
    folder = save_tiny_model(tmp_path / "acme-7b", chat_template=None)
    spec = parse_spec(str(folder), device="cpu")
    bus = LocalBus(BusConfig())

    host = host_model(spec, bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
    try:
        text = host.prompt_text([Message(Role.USER, "How many legs has a cat?")])
    finally:
        host.close()
        bus.close()

    assert host.facts.template == "acme"
    assert text == blocks("text")[1].removesuffix("\n")


def test_the_guide_shows_the_example_as_the_family_was_taught_it() -> None:
    family = tomllib.loads(blocks("toml")[0])["acme"]
    taught = blocks("text")[0]

    assert taught.startswith(family["system_template"].format(**family))
    assert taught.endswith(f"{family['roles'][1]}Four.{family['separator_2']}")


def test_the_guide_names_every_key() -> None:
    rows = re.findall(r"^\| (`.*?) \|", GUIDE, re.MULTILINE)
    listed = set(re.findall(r"`(\w+)`", "".join(rows)))

    assert listed == set(KINDS)


def test_the_guide_shows_the_layout_as_it_is() -> None:
    layout = (FOLDER / "layouts/no_colon_two.jinja").read_text(encoding="utf-8")

    assert blocks("jinja") == [layout]
