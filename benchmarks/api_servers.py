"""The servers that the API's benchmark asks: ours under each web server, and FastChat's three."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api_script import MODEL, VARIABLE
from benchmarks.peers.catalog import FASTCHAT_API
from benchmarks.peers.environments import PeerUnavailableError, python_of
from benchmarks.peers.job import cpu_seconds_of

ROOT = Path(__file__).resolve().parents[1]
START_S = 120.0  # a server may take so long until it answers
OWN = ("uvicorn", "daphne", "uvicorn+redis")
FASTCHAT = "fastchat"
# What the deployment guide starts uvicorn with, without the options of WebSockets.
UVICORN = ("-m", "uvicorn", "fastchat_site.asgi:application", "--loop", "uvloop",
           "--http", "httptools", "--log-level", "warning")  # fmt: skip
PREPARE = (
    "from django.core.management import call_command; call_command('migrate', verbosity=0);"
    f" from inference.services import register_model; register_model(name={MODEL!r})"
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers.

    Attributes:
        port: where.
        web: the process that speaks HTTP with its callers.
        helpers: the other processes it needs.
    """

    port: int
    web: int
    helpers: tuple[int, ...] = ()

    def cpu_s(self) -> tuple[float, float]:
        """Return the CPU time of the web process, and of all processes together."""
        web_s = cpu_seconds_of(self.web)
        return web_s, web_s + sum(map(cpu_seconds_of, self.helpers))

    def resident_mb(self) -> float:
        """Return the memory of the web process that lies in RAM, in MB."""
        pages = Path(f"/proc/{self.web}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def running_server(name: str, script: str, folder: Path, peers_home: Path) -> Iterator[Server]:
    """Run a server that answers with a script; servers may share the folder of state and logs.

    Raises:
        PeerUnavailableError: it cannot be installed, or does not start.
    """
    with ExitStack() as stack:
        crew = Crew(name, folder, stack)
        if name == FASTCHAT:
            yield _fastchat(crew, script, python_of(FASTCHAT_API, peers_home))
        else:
            yield _own(crew, script)


class Crew:
    """The processes of one server; they end with the stack.

    Args:
        name: of the server.
        folder: where they run and log.
        stack: what ends them.
    """

    def __init__(self, name: str, folder: Path, stack: ExitStack) -> None:
        self.name = name
        self.folder = folder
        self._stack = stack

    def start(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        *,
        is_ready: Callable[[], bool],
        cwd: Path = ROOT,
    ) -> int:
        """Start a process and return its id once it is ready.

        Raises:
            PeerUnavailableError: it ends, or is not ready in time.
        """
        log = self.folder / f"{self.name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=cwd, env={**os.environ, **variables}, stdout=output, stderr=output
            )
        self._stack.callback(_end, process)
        deadline = time.monotonic() + START_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                raise PeerUnavailableError(self.name, said[-1] if said else "did not start")
            time.sleep(0.1)
        return process.pid


def _own(crew: Crew, script: str) -> Server:
    """Start this project's web process, and Redis where the name says so."""
    helpers = []
    variables = {
        "DJANGO_SETTINGS_MODULE": "benchmarks.api_settings",
        "FASTCHAT_STATE_DIR": str(crew.folder / "var"),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        VARIABLE: script,
    }
    if crew.name.endswith("+redis"):
        redis_port = free_port()
        command = ["redis-server", "--port", str(redis_port), "--save", "", "--dir"]
        helpers.append(
            crew.start([*command, str(crew.folder)], {}, is_ready=lambda: is_listening(redis_port))
        )
        variables["REDIS_URL"] = f"redis://127.0.0.1:{redis_port}/0"
    if not (crew.folder / "var").exists():  # the first server prepares the database
        subprocess.run(
            [sys.executable, "manage.py", "shell", "--command", PREPARE],
            cwd=ROOT, env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    port = free_port()
    arguments = ("manage.py", "serve", "--no-demo-models") if crew.name == "daphne" else UVICORN
    web = crew.start(
        [sys.executable, *arguments, "--port", str(port)],
        variables,
        is_ready=lambda: is_answering(f"http://127.0.0.1:{port}/health/live"),
    )
    return Server(port, web, tuple(helpers))


def _fastchat(crew: Crew, script: str, python: Path) -> Server:
    """Start FastChat's controller and API server with our scripted worker between them."""
    controller_port, worker_port, port = free_port(), free_port(), free_port()
    controller_url = f"http://127.0.0.1:{controller_port}"
    variables = {"LOGDIR": str(crew.folder), "FASTCHAT_CONTROLLER_URL": controller_url}

    def start(program: str, at: int, *more: str) -> int:
        command = [str(python), "-m", f"fastchat.serve.{program}"]
        return crew.start(
            [*command, "--host", "127.0.0.1", "--port", str(at), *more],
            variables,
            is_ready=lambda: is_listening(at),
            cwd=crew.folder,
        )

    controller = start("controller", controller_port)
    worker = crew.start(
        [
            sys.executable,
            "-m",
            "benchmarks.peers.fastchat_worker",
            str(worker_port),
            controller_url,
        ],
        {VARIABLE: script},
        is_ready=lambda: is_listening(worker_port),
    )
    web = start("openai_api_server", port, "--controller-address", controller_url)
    return Server(port, web, (controller, worker))


def free_port() -> int:
    """Return a TCP port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_answering(url: str) -> bool:
    """Whether a page answers."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
