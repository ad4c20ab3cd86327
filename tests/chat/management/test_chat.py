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


def test_the_programmatic_style_through_every_command(tmp_path: Path):
    model = save_wordy_model(tmp_path / "wordy", seed=3)  # it talks until somebody stops it
    talk = {
        "template_name": "vicuna_v1.1",
        "system_message": "Be brief.",
        "roles": ["USER", "ASSISTANT"],
        "messages": [["USER", "你好"], ["ASSISTANT", "Hi."]],
        "offset": 0,
    }
    (tmp_path / "talk.json").write_text(json.dumps(talk), encoding="utf-8")
    arguments = ("--model-path", str(model), "--style", "programmatic", "--max-new-tokens", "2000")
    template = ("--conv-template", "vicuna_v1.1")
    # A variable that names a Redis must not matter: the model is held here.
    redis = {"REDIS_URL": "redis://127.0.0.1:1/0"}
    with terminal("chat", *arguments, *template, folder=tmp_path, **redis) as user:

        def send(text: str) -> None:
            user.type(f"{text}{END_OF_MESSAGE.rstrip()}")

        send("Tell me\neverything.")  # the terminal's own echo comes before the model is there
        user.wait_for("[!OP:USER]: Tell me\r\neverything.", timeout_s=READY_S)
        user.wait_for("[!OP:ASSISTANT]: ")
        user.press(CTRL_C)
        user.wait_for("stopped generation.")
        send(f"!!load {tmp_path / 'talk'}")
        user.wait_for("[!OP:ASSISTANT]: Hi.")
        send(f"!!save {tmp_path / 'copy'}")
        user.wait_for("saving...")
        send("!!regen")
        user.wait_for("[!OP:USER]: 你好")
        user.wait_for("[!OP:ASSISTANT]: ")
        user.press(CTRL_C)
        user.wait_for("stopped generation.")
        send(f"!!load {tmp_path / 'copy'}")
        user.wait_for("[!OP:ASSISTANT]: Hi.")
        send("!!remove")
        user.wait_for("removing last message...")
        send("!!remove")
        user.wait_for("No messages to remove.")
        send("!!reset")
        user.wait_for("resetting...")
        send("Once more.")
        user.wait_for("[!OP:ASSISTANT]: ")
        user.signal(signal.SIGTERM)
        status = user.end()

    assert json.loads((tmp_path / "copy.json").read_text(encoding="utf-8")) == talk
    assert "Traceback" not in user.screen
    assert status == 128 + signal.SIGTERM


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


def test_it_works_in_a_pipe_and_ends_when_nobody_reads(tmp_path: Path):
    with openai_server() as server:
        server.body = events(piece("Good evening."))
        piped = subprocess.run(
            [sys.executable, "manage.py", "chat", "--server", server.address],
            cwd=ROOT,
            env=Site(tmp_path).environment,
            input="Hello\n你好",
            capture_output=True,
            encoding="utf-8",
            timeout=READY_S,
        )
        unread = subprocess.run(
            f"yes | {sys.executable} manage.py chat --server {server.address} | head -1",
            cwd=ROOT,
            env=Site(tmp_path).environment,
            shell=True,
            capture_output=True,
            encoding="utf-8",
            timeout=READY_S,
        )

    assert piped.stdout == "Human: Assistant: Good evening.\n" * 2 + "Human: exit...\n"
    assert piped.returncode == 0
    assert unread.stdout == "Human: Assistant: Good evening.\n"
    assert "Traceback" not in piped.stderr + unread.stderr
    assert "Broken" not in unread.stderr


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
