"""`manage.py chat` driven through a terminal, as a person does: every style, every command."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from chat.terminal.programmatic import END_OF_MESSAGE
from inference.demo_models import demo_model_folders
from tests.support.openai_server import events, openai_server, piece
from tests.support.site import ROOT, Site
from tests.support.terminal import ANSWER_S, READY_S, terminal
from tests.support.wordy_models import save_wordy_model

DEMO_SMALL = str(demo_model_folders()["demo-small"])
CTRL_C, CTRL_D, ESCAPE_ENTER = "\x03", "\x04", "\x1b\r"


def test_the_simple_style_through_every_command(tmp_path: Path):
    saved = tmp_path / "talk"
    arguments = ("chat", "--model-path", DEMO_SMALL, "--temp", "0", "--debug")
    with terminal(*arguments, folder=tmp_path) as user:
        user.wait_for("Human: ", timeout_s=READY_S)

        user.type("What is the capital of France?")
        user.wait_for("Assistant: ")
        answer = user.wait_for('"speed (token/s)"')
        user.wait_for("Human: ")
        user.type("你好，你是谁？")
        user.wait_for('"outputs"')
        user.wait_for("Human: ")
        user.type("!!regen")
        regenerated = user.wait_for('"speed (token/s)"')
        user.wait_for("Human: ")
        user.type(f"!!save {saved}")
        user.wait_for("saving...")
        user.wait_for("Human: ")
        user.type("!!remove")
        user.wait_for("removing last message...")
        removed = user.wait_for("Assistant: ")
        user.wait_for("Human: ")
        user.type("!!reset")
        user.wait_for("resetting...")
        user.wait_for("Human: ")
        user.type("!!remove")
        user.wait_for("No messages to remove.")
        user.wait_for("Human: ")
        user.type(f"!!load {saved}")
        loaded = user.wait_for("你好，你是谁？")
        user.wait_for("Human: ")
        user.type("!!load nothing")
        user.wait_for("file not found: nothing")
        user.press(CTRL_D)
        status = user.end()

    assert "Paris" in answer
    assert '"prompt": "<|begin|><|user|>What is the capital of France?' in answer
    assert "regenerating last message..." in regenerated
    assert "你好，你是谁？" in regenerated
    assert "Human: What is the capital of France?" in removed
    assert f"loading... {saved}.json" in loaded
    assert [
        said[0] for said in json.loads(saved.with_suffix(".json").read_bytes())["messages"]
    ] == [
        "Human",
        "Assistant",
        "Human",
        "Assistant",
    ]
    assert "exit..." in user.screen
    assert "Traceback" not in user.screen
    assert status == 0


def test_the_rich_style_through_every_command(tmp_path: Path):
    arguments = ("chat", "--model-path", DEMO_SMALL, "--style", "rich", "--multiline", "--mouse")
    with terminal(*arguments, "--conv-system-msg", "Be brief.", folder=tmp_path) as user:
        user.wait_for("Human:", timeout_s=READY_S)

        user.press("你好")
        user.press(ESCAPE_ENTER)
        user.type("What is two plus two?")
        user.wait_for("Assistant:")
        user.wait_for("Human:")
        user.type("!!regen")
        user.wait_for("regenerating last message...")
        user.wait_for("Assistant:")
        user.wait_for("Human:")
        user.type(f"!!save {tmp_path / 'talk'}")
        user.wait_for("saving...")
        user.wait_for("Human:")
        user.type("!!reset")
        user.wait_for("resetting...")
        user.wait_for("Human:")
        user.type("!!regen")
        user.wait_for("No messages to regenerate.")
        user.wait_for("Human:")
        user.type(f"!!load {tmp_path / 'talk'}")
        user.wait_for("loading...")
        user.wait_for("What is two plus two?")
        user.wait_for("Human:")
        user.type("!!remove")
        user.wait_for("removing last message...")
        user.wait_for("Human:")
        user.type("!!exit")
        user.wait_for("exit...")
        status = user.end()

    saved = json.loads((tmp_path / "talk.json").read_text(encoding="utf-8"))
    assert saved["system_message"] == "Be brief."
    assert saved["messages"][0] == ["Human", "你好\nWhat is two plus two?"]
    assert "Traceback" not in user.screen
    assert status == 0


def test_ctrl_c_stops_an_answer_and_sigterm_the_chat(tmp_path: Path):
    model = save_wordy_model(tmp_path / "wordy", seed=3)
    options = ("--model-path", str(model), "--max-new-tokens", "2000", "--multiline")
    with terminal("chat", *options, "--no-history", folder=tmp_path) as user:
        for _ in range(2):
            user.wait_for("Human [ctrl-d/z on empty line to end]: ", timeout_s=READY_S)
            user.type("Tell me")
            user.type("everything.")
            user.press(CTRL_D)
            user.wait_for("Assistant: ")
            user.press(CTRL_C)
            user.wait_for("stopped generation.")
        user.wait_for("Human [ctrl-d/z on empty line to end]: ")
        user.type("Once more.")
        user.press(CTRL_D)
        user.wait_for("Assistant: ")
        user.signal(signal.SIGTERM)
        status = user.end()

    assert "Traceback" not in user.screen
    assert status == 128 + signal.SIGTERM


def run_chat(folder: Path, *arguments: str, typed: str = "", **extra: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "chat", *arguments],
        cwd=ROOT,
        env={**Site(folder).environment, **extra},
        input=typed,
        capture_output=True,
        encoding="utf-8",
        timeout=READY_S,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_programmatic_style_in_a_pipe(tmp_path: Path):
    typed = "".join(
        f"{text}{END_OF_MESSAGE}"
        for text in ["你好\n!", "!!regen", "!!remove", "!!remove", "!!exit", "never read"]
    )

    # A variable that names a Redis must not matter: the model is held here.
    status, output, errors = run_chat(
        tmp_path,
        *("--model-path", DEMO_SMALL, "--style", "programmatic", "--conv-template", "vicuna_v1.1"),
        typed=typed,
        REDIS_URL="redis://127.0.0.1:1/0",
    )

    lines = output.splitlines()
    assert lines[:2] == ["[!OP:USER]: 你好", "!"]
    assert lines[2].startswith("[!OP:ASSISTANT]: ")
    assert output.count("[!OP:ASSISTANT]: ") == 2
    assert "No messages to remove." in lines
    assert lines[-2:] == ["[!OP:USER]: !!exit", "exit..."]
    assert "Traceback" not in errors
    assert status == 0


def test_a_server_is_asked_stopped_and_heard_when_it_complains(tmp_path: Path):
    with openai_server() as server:
        server.body = events(piece("Good "), piece("晚上好."))
        arguments = ("chat", "--server", server.address, "--api-key-variable", "KEY", "--temp", "0")
        with terminal(*arguments, folder=tmp_path, KEY="secret") as user:
            user.wait_for("Human: ", timeout_s=READY_S)

            user.type("你好")
            user.wait_for("Assistant: Good 晚上好.")
            user.wait_for("Human: ")
            server.body = server.body.removesuffix(b"data: [DONE]\n\n")
            server.lingers = True
            user.type("More")
            user.wait_for("Assistant: Good")
            user.press(CTRL_C)
            user.wait_for("stopped generation.")
            was_left = server.was_left.wait(ANSWER_S)
            user.wait_for("Human: ")
            server.status, server.body = 503, b'{"error": {"message": "come back later"}}'
            server.lingers = False
            user.type("Again")
            user.wait_for("error: come back later")
            user.wait_for("Human: ")
            user.press(CTRL_C)
            user.wait_for("exit...")
            status = user.end()

    assert was_left
    assert [said["content"] for said in server.asked[1]["messages"]] == [
        "你好",
        "Good 晚上好.",
        "More",
    ]
    assert server.asked[0]["temperature"] == 0
    assert server.asked[0]["key"] == "Bearer secret"
    assert "secret" not in user.screen
    assert "Traceback" not in user.screen
    assert status == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model-path", "/nowhere/at/all"), "/nowhere/at/all"),
        (("--model", "/nowhere/at/all"), "/nowhere/at/all"),
        (("--server", "ftp://host"), "no address"),
        (("--server", "http://127.0.0.1:1"), "cannot be reached"),
        (("--server", "http://127.0.0.1:1", "--model-path", "x"), "--model"),
        (("--server", "http://127.0.0.1:1", "--api-key-variable", "NO_SUCH"), "NO_SUCH"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(CommandError, match=sentence) as refused:
        call_command("chat", *arguments)

    assert refused.value.returncode == 2
