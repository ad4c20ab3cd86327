"""A throw-away PostgreSQL server from Debian's binaries."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port, wait_until


def postgres_binaries() -> Path | None:
    """Return the folder that holds initdb and postgres, newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    if found:
        return found[0].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server and yield the URL of its empty database; its data goes with it.

    PostgreSQL refuses to run as root, so a root test run hands the folder to the user postgres.
    The folder is not below pytest's, which every further pytest process closes to other users.
    """
    binaries = postgres_binaries()
    assert binaries is not None
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="fastchat-postgres-"))
    data = folder / "data"
    data.mkdir()
    if user:
        owner = pwd.getpwnam(user)
        for path in (folder, data):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "fastchat", "-A", "trust", "-E", "UTF8", "-N"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        cwd="/",
    )
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(binaries / "postgres", "-D", data, "-p", str(port), "-k", str(data)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
            ],
            stdout=log,
            stderr=log,
            user=user,
            cwd="/",
        )
    try:
        ready = [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-q"]
        wait_until(lambda: subprocess.run(ready).returncode == 0, what="PostgreSQL starts")
        yield f"postgres://fastchat@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(folder)
