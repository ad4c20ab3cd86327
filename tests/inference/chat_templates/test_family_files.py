"""Files of families: what is wrong in one is said in a sentence."""

from pathlib import Path
from typing import Any

import pytest

from inference.chat_templates.families import FOLDER
from inference.chat_templates.family_files import FILE_BYTES, read_family_file
from inference.exceptions import InvalidFamilyError

FAMILY = '[acme]\nlayout = "chatml"\nroles = ["u", "a"]\n'


def read(path: Path, text: str | bytes) -> dict[str, dict[str, Any]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_family_file(path, layouts=FOLDER / "layouts")


def test_lists_become_tuples(tmp_path: Path) -> None:
    text = FAMILY + 'stop = ["x"]\nfew_shot = [["a", "b"]]'

    found = read(tmp_path / "f.toml", text)

    assert found["acme"]["stop"] == ("x",)
    assert found["acme"]["few_shot"] == (("a", "b"),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[acme", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        ("acme = 1", "acme is not a table"),
        ('["a b"]', "'a b' is not a name of letters"),
        ("[acme]", "needs the key 'layout'"),
        ('[acme]\nlayout = "chatml"', "needs the key 'roles'"),
        (FAMILY + "speed = 1", "unknown key 'speed'"),
        (FAMILY + "stop = 1", "stop of [acme] must be a list of texts"),
        (FAMILY + 'stop = [""]', "stop of [acme] must be a list of texts, none empty"),
        (FAMILY + "stop_token_ids = [-1]", "must be a list of token ids"),
        (FAMILY + "stop_token_ids = [true]", "must be a list of token ids"),
        (FAMILY + 'few_shot = [["a"]]', "must be a list of pairs of texts"),
        (FAMILY + 'patterns = ["Acme"]', "must be a list of patterns in lower case"),
        (FAMILY + "variables = { sep = 1 }", "must be a table without the names"),
        ('[acme]\nlayout = "chatml"\nroles = ["u"]', "roles of [acme] must be a list of two texts"),
        ('[acme]\nlayout = "nonesuch"\nroles = ["u", "a"]', "asks for the layout 'nonesuch'"),
        ('[acme]\nlayout = "../x"\nroles = ["u", "a"]', "asks for the layout '../x'"),
        ('[acme]\nlayout = "gone.jinja"\nroles = ["u", "a"]', "layout 'gone.jinja' of [acme]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(InvalidFamilyError) as caught:
        read(tmp_path / "f.toml", text)

    assert str(caught.value).startswith(f"{tmp_path / 'f.toml'} ")
    assert reason in str(caught.value)


def test_a_layout_that_is_no_jinja_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.jinja").write_text("{% if %}", encoding="utf-8")

    with pytest.raises(InvalidFamilyError, match=r"'broken\.jinja' of \[acme\] cannot be used"):
        read(tmp_path / "f.toml", FAMILY.replace("chatml", "broken.jinja"))


def test_a_file_that_is_not_there_and_one_that_is_huge_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFamilyError, match="cannot be read"):
        read_family_file(tmp_path / "gone.toml", layouts=FOLDER / "layouts")
    with pytest.raises(InvalidFamilyError, match="larger than"):
        read(tmp_path / "f.toml", "#" * (FILE_BYTES + 1))
