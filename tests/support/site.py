"""The product as its users run it: real `manage.py` processes on a state folder of their own."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.support.ports import free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START")


class ManageProcess:
    """One `manage.py` command running in the background, its output kept in a file."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *arguments],
                cwd=ROOT,
                env=dict(environment),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def output(self) -> str:
        """Return what the process has printed so far."""
        return self.log.read_bytes()[self.log_start :].decode("utf-8", "replace")

    def wait_for_line(self, text: str, *, timeout_s: float = 90.0) -> None:
        """Return once the process has printed `text`; fail at once if it ends before."""

        def printed() -> bool:
            if text in self.output():
                return True
            assert self.process.poll() is None, f"ended early:\n{self.output()}"
            return False

        wait_until(printed, what=f"{text!r} is printed", timeout_s=timeout_s)

    def kill(self) -> None:
        """Kill without warning, as a crash does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """Ask politely, as Ctrl-C does, and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode


class Site:
    """A site on its own state folder: embedded, or web and worker apart with Redis and PostgreSQL.

    Args:
        folder: where state and logs go.
        redis_url: with it web and worker are processes of their own.
        database_url: PostgreSQL; without it SQLite in `folder`.
        models: model folders to serve; their names are the folders' names.
        added_models: what to give to `serve --model` beside the demo models.
        extra: more environment variables.
    """

    def __init__(
        self,
        folder: Path,
        *,
        redis_url: str = "",
        database_url: str = "",
        models: tuple[Path, ...] = (),
        added_models: tuple[str, ...] = (),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.models = models
        self.added_models = added_models
        self.is_embedded = not redis_url
        self.port = free_port()
        self.web: ManageProcess | None = None
        self.worker: ManageProcess | None = None
        self.environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.environment |= {
            "FASTCHAT_STATE_DIR": str(folder / "var"),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        self.environment |= {"REDIS_URL": redis_url} if redis_url else {}
        self.environment |= {"DATABASE_URL": database_url} if database_url else {}
        self.environment |= dict(extra or {})

    @property
    def address(self) -> str:
        """The site's address without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_address(self) -> str:
        """The address of its sockets without a slash at the end."""
        return f"ws://127.0.0.1:{self.port}"

    def manage(self, *arguments: str) -> str:
        """Run one command to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Migrate, start every process and return when all models answer."""
        self.manage("migrate", "--verbosity", "0")
        if not self.is_embedded:
            self.start_worker()
        self.start_web()
        wait_until(self.is_ready, what="all models are live", timeout_s=90)

    def start_web(self) -> None:
        """Start the web process (in embedded mode the model worker lives in it)."""
        self.launch_web()
        assert self.web is not None
        self.web.wait_for_line("is ready at")

    def launch_web(self) -> None:
        """Start the web process without waiting for it."""
        arguments = ["serve", "--host", "127.0.0.1", "--port", str(self.port)]
        if self.is_embedded and self.models:
            arguments += ["--no-demo-models"]
            for model in self.models:
                arguments += ["--model", f"{model},{model.name}"]
        for model in self.added_models:
            arguments += ["--model", model]
        self.web = ManageProcess(
            *arguments, environment=self.environment, log=self.folder / "web.log"
        )

    def start_worker(self) -> None:
        """Start the model worker process."""
        arguments = ["worker"]
        for model in self.models:
            arguments += ["--model-path", str(model), "--model-names", model.name]
        self.worker = ManageProcess(
            *arguments, environment=self.environment, log=self.folder / "worker.log"
        )

    def is_ready(self) -> bool:
        """Whether the readiness page says so and counts as many models as were asked for."""
        try:
            with urllib.request.urlopen(f"{self.address}/health/ready", timeout=5) as answer:
                return bool(json.load(answer)["live_models"] >= max(1, len(self.models)))
        except (urllib.error.URLError, OSError):
            return False

    def revive(self) -> None:
        """Start again what has died."""
        if self.worker is not None and not self.worker.is_running:
            self.start_worker()
        if self.web is None or not self.web.is_running:
            self.start_web()
        wait_until(self.is_ready, what="all models are live", timeout_s=90)

    def stop(self) -> None:
        """Stop every process."""
        for process in (self.web, self.worker):
            if process is not None:
                process.stop()
