"""`manage.py serve` as a user meets it: it starts, says where, answers, ends; or says why not."""

import json
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.support.site import ManageProcess, Site
from tests.support.tiny_models import save_tiny_model

LISTENING = "is ready at"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with a database, not started; a script answers for two names."""
    site = Site(tmp_path, extra={"FASTCHAT_SCRIPTED_MODELS": "parrot,echo"})
    site.manage("migrate", "--verbosity", "0")
    return site


def serve(site: Site, *arguments: str, **extra: str) -> ManageProcess:
    environment = {**site.environment, **extra}
    return ManageProcess(
        "serve", *arguments, environment=environment, log=site.folder / "serve.log"
    )


def ended(process: ManageProcess) -> int:
    return process.process.wait(timeout=60)


def ask(address: str, model: str) -> dict[str, object]:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
    request = urllib.request.Request(
        f"{address}v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


def address_in(process: ManageProcess) -> str:
    line = next(line for line in process.output().splitlines() if LISTENING in line)
    return line.rsplit(" ", 1)[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_ends_cleanly(site: Site, tmp_path: Path, number: signal.Signals) -> None:
    model = save_tiny_model(tmp_path / "tiny")
    process = serve(site, "--port", "0", "--no-demo-models", "--model", f"{model},a,b")
    process.wait_for_line(LISTENING)

    real, scripted = ask(address_in(process), "b"), ask(address_in(process), "parrot")
    cards = site.manage(
        "shell",
        "--verbosity",
        "0",
        "-c",
        "from inference.selectors import listed_models; print(*(m.name for m in listed_models()))",
    )
    process.process.send_signal(number)
    status = ended(process)

    assert cards.split() == ["a", "b", "echo", "parrot"]
    assert real["usage"]["completion_tokens"] == 4
    assert scripted["choices"][0]["message"]["content"].startswith("You said")
    assert status == 0
    assert "Traceback" not in process.output()
    assert "Loading a from" in process.output()


def test_ctrl_c_while_loading_is_a_clean_end(site: Site, tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "tiny")
    process = serve(site, "--port", "0", "--no-demo-models", "--model", str(model))
    process.wait_for_line("Loading")

    process.process.send_signal(signal.SIGINT)
    status = ended(process)

    assert status == 0
    assert "Traceback" not in process.output()


def test_a_taken_port_is_said_plainly(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        process = serve(site, "--port", str(other.getsockname()[1]))
        status = ended(process)

    assert status == 1
    assert "cannot listen on 127.0.0.1" in process.output()
    assert "Traceback" not in process.output()


def test_a_database_without_tables_is_said_plainly(tmp_path: Path) -> None:
    process = serve(Site(tmp_path), "--port", "0")

    assert ended(process) == 1
    assert "run `manage.py migrate` first" in process.output()


def test_a_model_that_is_not_there_is_said_plainly(site: Site, tmp_path: Path) -> None:
    process = serve(
        site, "--port", "0", "--no-demo-models", "--model", str(tmp_path / "nothing-here")
    )

    assert ended(process) == 2
    assert "nothing-here" in process.output()
    assert "Traceback" not in process.output()


def test_models_are_refused_where_workers_hold_them(site: Site) -> None:
    process = serve(site, "--port", "0", "--model", "x", REDIS_URL="redis://127.0.0.1:1/0")

    assert ended(process) == 2
    assert "manage.py worker" in process.output()


def test_a_worker_without_redis_is_refused(site: Site) -> None:
    process = ManageProcess(
        "worker", "--model-path", "x", environment=site.environment, log=site.folder / "w.log"
    )

    assert ended(process) == 2
    assert "REDIS_URL" in process.output()


@pytest.mark.services
def test_a_worker_says_plainly_what_it_cannot_load(tmp_path: Path, redis_url: str) -> None:
    site = Site(tmp_path, redis_url=redis_url)
    process = ManageProcess(
        "worker", "--model-path", str(tmp_path / "nothing-here"), "--device", "cpu",
        environment=site.environment, log=site.folder / "w.log",
    )  # fmt: skip

    assert ended(process) == 2
    assert "there is no folder" in process.output()
    assert "Traceback" not in process.output()


@pytest.mark.services
def test_web_and_worker_apart_answer_together(tmp_path: Path, redis_url: str) -> None:
    model = save_tiny_model(tmp_path / "tiny")
    site = Site(tmp_path, redis_url=redis_url, models=(model,))
    try:
        site.start()
        pinged = site.manage("ping_model", "tiny", "--max-tokens", "3")
        reply = ask(f"{site.address}/", "tiny")
    finally:
        site.stop()

    assert "3 tokens, first after" in pinged
    assert reply["usage"]["completion_tokens"] == 4
    assert site.worker.process.returncode == 0
