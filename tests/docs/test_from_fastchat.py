"""FastChat's command lines have the counterparts the guide names, and these do what it says."""

import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands, load_command_class

from inference.management.commands import worker
from inference.worker.hosts import all_hosts
from tests.support.encoder_decoders import save_encoder_decoder
from tests.support.tiny_models import save_tiny_model

GUIDE = Path(__file__).resolve().parent.parent.parent / "docs/guides/from_fastchat.md"
CODE = re.compile(r"`([^`]+)`")
STATES = {"run", "device", "later", "–"}


@dataclass(frozen=True)
class Line:
    """A command line of the guide: variables, the command and its words, and how it is checked."""

    variables: tuple[tuple[str, str], ...]
    command: str
    words: tuple[str, ...]
    state: str

    @property
    def models(self) -> list[str]:
        """The models it names."""
        return [
            word
            for option, word in zip(self.words, self.words[1:], strict=False)
            if option == "--model-path"
        ]

    def __str__(self) -> str:
        return shlex.join(self.words)


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the guide's rows of three columns."""
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("|") and len(cells) == 3 and cells[2] not in {"checked", "---"}:
            yield cells[0], cells[1], cells[2]


def lines() -> list[Line]:
    """Return every call of `manage.py` in the guide's tables."""
    found = []
    for _, ours, state in rows():
        for code in CODE.findall(ours):
            before, is_ours, after = code.partition("manage.py ")
            if is_ours:
                variables = [pair.split("=") for pair in before.split()]
                name, *words = shlex.split(after)
                found.append(
                    Line(tuple((key, value) for key, value in variables), name, tuple(words), state)
                )
    return found


def runnable(*commands: str) -> list[Line]:
    """The lines to run here; adapters are served by tests of their own."""
    return [
        line
        for line in lines()
        if line.command in commands and line.state == "run" and "ADAPTER" not in line.models
    ]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A small model for every one the guide names, in a folder of its name."""
    hub = tmp_path_factory.mktemp("hub")
    named = {model for line in runnable("chat", "hf_generate", "worker") for model in line.models}
    return {model: str(save_model(hub, model.rsplit("/", 1)[-1])) for model in sorted(named)}


def save_model(hub: Path, name: str) -> Path:
    if "t5" in name:
        return save_encoder_decoder(hub / name)
    return save_tiny_model(hub / name, chat_template=None)


def with_folders(line: Line, folders: dict[str, str]) -> list[str]:
    return [folders.get(word, word) for word in line.words]


def test_the_guide_has_its_rows():
    states = [state for _, _, state in rows()]

    assert len(states) > 40
    assert set(states) == STATES


@pytest.mark.parametrize("line", lines(), ids=str)
def test_every_counterpart_exists_and_takes_its_options(line: Line):
    application = get_commands()[line.command]
    command = (
        load_command_class(application, line.command)
        if isinstance(application, str)
        else application
    )

    command.create_parser("manage.py", line.command).parse_args(list(line.words))


@pytest.mark.parametrize("line", runnable("chat", "hf_generate"), ids=str)
def test_a_chat_answers(
    line: Line,
    folders: dict[str, str],
    settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    # The environment is read when the process starts, so its value goes where that puts it.
    isa = dict(line.variables).get("CPU_ISA", "")
    settings.INFERENCE = {**settings.INFERENCE, "cpu_isa": isa}
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n\n"))

    call_command(line.command, *with_folders(line, folders), "--max-new-tokens", "3")

    printed = capsys.readouterr()
    assert "error" not in printed.out
    if line.command == "chat":
        assert "exit..." in printed.out


@pytest.mark.services
@pytest.mark.django_db
@pytest.mark.parametrize("line", runnable("worker"), ids=str)
def test_a_worker_holds_its_models(
    line: Line,
    folders: dict[str, str],
    redis_url: str,
    settings,
    monkeypatch: pytest.MonkeyPatch,
):
    settings.INFERENCE = {**settings.INFERENCE, "redis_url": redis_url}
    held: list[str] = []

    def load_alone(load, **_: object) -> int:  # the queue's own process is another test's
        load()
        held.extend(name for host in all_hosts() for name in host.names)
        return 0

    monkeypatch.setattr(worker, "run_worker_process", load_alone)

    call_command("worker", *with_folders(line, folders), "--device", "cpu")

    assert len(held) == len(line.models)
