"""Virtual environments of peers, made when they are first needed."""

import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.peers.catalog import Peer

MARK = "installed.txt"  # what is in the environment, written once all of it is


class PeerUnavailableError(Exception):
    """A peer cannot be measured here; the message says why."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"{peer}: {reason}")
        self.peer = peer
        self.reason = reason


def python_of(peer: Peer, home: Path) -> Path:
    """Return the interpreter that runs a peer; installs its packages the first time.

    Packages come from where pip is configured to look (PIP_EXTRA_INDEX_URL and its like).

    Args:
        peer: whose.
        home: folder of all environments.

    Raises:
        PeerUnavailableError: its packages cannot be installed.
    """
    if not peer.requirements:
        return Path(sys.executable)
    folder = (home / "environments" / peer.name).resolve()
    python = folder / "bin" / "python"
    mark = folder / MARK
    wanted = "\n".join(peer.requirements) + "\n"
    if mark.exists() and mark.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {peer.name} into {folder}", file=sys.stderr)
    venv.create(folder, clear=True)  # this environment's pip serves it
    options = [f"--no-binary={package}" for package in peer.from_source]
    _pip(peer, python, "install", *options, *peer.requirements)
    if peer.unwanted:
        _pip(peer, python, "uninstall", "--yes", *peer.unwanted)
    mark.write_text(wanted, encoding="utf-8")
    return python


def _pip(peer: Peer, python: Path, *arguments: str) -> None:
    """Run pip in an environment; raises with its last error."""
    command = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PeerUnavailableError(peer.name, errors[-1] if errors else "pip failed")
