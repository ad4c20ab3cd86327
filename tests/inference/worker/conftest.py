"""Worker processes of their own, a Redis that may break, and this test as the web process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery, current_app
from django.conf import settings
from django.test import override_settings

from inference.client import close_client
from inference.providers.transport import site_bus
from tests.conftest import skip_without
from tests.support.ports import wait_until
from tests.support.redis_server import RedisServer
from tests.support.site import INHERITED, ROOT


class Workers:
    """Starts worker processes and ends what is left of them."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self.environment |= {
            "DJANGO_SETTINGS_MODULE": "fastchat_site.settings.test",
            "FASTCHAT_STATE_DIR": str(folder / "var"),
            "REDIS_URL": redis_url,
            "PYTHONUNBUFFERED": "1",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one around a fake engine; it is live some time later."""
        return self.launch("-m", "tests.support.fake_worker", *arguments)

    def serve(self, model: Path, *options: str) -> subprocess.Popen[bytes]:
        """Start a real one for a model; its folder's name is its name."""
        return self.launch("manage.py", "worker", "--model-path", str(model), *options)

    def share(self, model: Path, *options: str, ranks: int = 2) -> subprocess.Popen[bytes]:
        """Start several processes that share a model."""
        return self.launch(
            *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)),
            *("manage.py", "worker", "--tensor-parallel", "--model-path", str(model), *options),
        )

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Python in the background, its output kept in a file."""
        with self.log(len(self.processes)).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def log(self, number: int) -> Path:
        """Where the output of one of the processes is."""
        return self.folder / f"worker-{number}.log"

    def wait_until_live(self, count: int, *, timeout_s: float = 60.0) -> None:
        """Return when so many workers beat."""
        bus = site_bus()
        wait_until(
            lambda: len(bus.workers()) >= count,
            what=f"{count} workers are live",
            timeout_s=timeout_s,
        )

    def run_script(self, script: str) -> str:
        """Run a piece of Python in a web process of its own; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def kill_all(self) -> None:
        """End every process, and those that a launcher has started."""
        for process in self.processes:
            for child in children_of(process):
                os.kill(child, signal.SIGKILL)
            process.kill()
            process.wait(timeout=30)


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that one has started and that still live."""
    try:
        listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    except OSError:  # it has ended
        return []
    return [int(child) for child in listed.split()]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may kill, freeze and start again."""
    try:
        server = RedisServer(tmp_path / "redis")
        server.start()
    except FileNotFoundError:
        skip_without("redis-server")
    yield server
    server.thaw()
    server.kill()


@contextmanager
def redis_as_broker(url: str) -> Iterator[None]:
    """Let this process publish its tasks on Redis."""
    site_app = current_app._get_current_object()
    app = Celery("web", broker=url, set_as_current=False)
    app.conf.update(
        broker_connection_timeout=2,
        broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2},
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.05, "interval_max": 0.1},
    )
    app.set_default()
    try:
        yield
    finally:
        site_app.set_default()
        app.close()


@pytest.fixture
def workers(tmp_path: Path, redis_server: RedisServer) -> Iterator[Workers]:
    """This process becomes a web process on a fresh Redis."""
    started = Workers(tmp_path, redis_server.url)
    changes = {**settings.INFERENCE, "redis_url": redis_server.url}
    with override_settings(INFERENCE=changes), redis_as_broker(redis_server.url):
        yield started
        started.kill_all()
        close_client()
