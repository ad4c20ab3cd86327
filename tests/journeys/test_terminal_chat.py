"""An engineer chats with a running site from the terminal."""

from inference.demo_models import demo_model_folders
from tests.support.site import Site
from tests.support.terminal import READY_S, terminal


def test_the_terminal_chats_with_a_running_site(site: Site) -> None:
    arguments = ("chat", "--server", site.address, "--model", "demo-small", "--temp", "0")
    with terminal(*arguments, "--debug", folder=site.folder) as user:
        user.wait_for("Human: ", timeout_s=READY_S)

        user.type("What is the capital of France?")
        user.wait_for("Assistant: ")
        answer = user.wait_for('"speed (token/s)": ')
        user.wait_for("Human: ")
        user.type("你好")
        user.wait_for("Assistant: ")
        user.wait_for('"speed (token/s)": ')
        user.wait_for("Human: ")
        user.type("!!regen")
        user.wait_for("regenerating last message...")
        user.wait_for('"outputs": ')
        user.wait_for("Human: ")
        user.type("")
        user.wait_for("exit...")
        status = user.end()

    assert "Paris" in answer
    assert "Traceback" not in user.screen
    assert status == 0


def test_a_model_the_site_lacks_is_refused_with_those_it_has(site: Site) -> None:
    with terminal(
        "chat", "--server", site.address, "--model", "gpt-99", folder=site.folder
    ) as user:
        status = user.end()

    assert status == 2
    assert f"there are: {', '.join(sorted(demo_model_folders()))}" in user.screen
