"""The notebooks are ones that Jupyter opens, and what they run exists."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))
CALL = re.compile(r"^!python manage\.py (.+)$", re.MULTILINE)
CALL_IN_PYTHON = re.compile(r'"manage\.py", ("[^\]]+)\]')
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def notebook_of(path: Path) -> dict[str, Any]:
    """Return what is in a notebook."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def code_of(path: Path) -> list[str]:
    """Return its cells of code."""
    cells = notebook_of(path)["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_a_notebook_has_the_form_of_one_and_no_outputs(path: Path):
    notebook = notebook_of(path)

    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(CELL_ID.fullmatch(name) for name in ids)
    for cell in notebook["cells"]:
        is_code = cell["cell_type"] == "code"
        run = {"execution_count", "outputs"} if is_code else set()
        assert cell.keys() == {"cell_type", "id", "metadata", "source"} | run
        assert is_code or cell["cell_type"] == "markdown"
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_its_python_compiles(path: Path):
    cells = code_of(path)
    assert cells

    for cell in cells:
        lines = [line for line in cell.splitlines() if not line.startswith(("!", "%"))]
        compile("\n".join(lines), path.name, "exec")


def test_its_commands_exist(path: Path):
    text = "\n".join(code_of(path))
    calls = [shlex.split(words) for words in CALL.findall(text)]
    calls += [json.loads(f"[{words}]") for words in CALL_IN_PYTHON.findall(text)]
    assert len(calls) == text.count("!python ") + text.count('"manage.py", ') > 0

    for name, *arguments in calls:
        application = get_commands()[name]
        command = load_command_class(application, name)
        command.create_parser("manage.py", name).parse_args(arguments)
