"""The application under uvicorn with the options of the deployment guide, and scripted models."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import wait_until
from tests.support.site import ROOT, Site


@contextmanager
def running_under_uvicorn(
    folder: Path, *names: str, extra: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Run the site in a process of its own; a script answers for these names."""
    models = {"FASTCHAT_SCRIPTED_MODELS": ",".join(names)}
    site = Site(folder, extra=models | dict(extra or {}))
    site.manage("migrate", "--verbosity", "0")
    for name in names:  # `serve` would do this; uvicorn knows nothing of models
        register = f"from inference.services import register_model; register_model(name={name!r})"
        site.manage("shell", "--command", register)
    with (folder / "uvicorn.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "fastchat_site.asgi:application"),
                *("--port", str(site.port), "--loop", "uvloop", "--http", "httptools"),
                *("--ws", "websockets-sansio", "--timeout-graceful-shutdown", "20"),
                *("--ws-max-size", "65536", "--ws-per-message-deflate", "false"),
            ],
            cwd=ROOT,
            env=site.environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: answers(site), what="uvicorn answers")
        yield site
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(site: Site) -> bool:
    """Whether the site answers at all."""
    try:
        urllib.request.urlopen(f"{site.address}/health/live", timeout=5).close()
    except OSError:
        return False
    return True
