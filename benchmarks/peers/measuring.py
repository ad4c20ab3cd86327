"""A peer's process: it loads a model once and is then asked for one repetition after the other."""

import json
import os
import select
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.peers.catalog import Peer
from benchmarks.peers.environments import PeerUnavailableError, python_of
from benchmarks.peers.job import Job, Measurement

ROOT = Path(__file__).resolve().parents[2]
LONGEST_WAIT_S = 3600  # for a model to be loaded and compiled, or a repetition to end


class PeerProcess:
    """One peer with its model loaded; between repetitions it does nothing.

    What it prints goes to a log file.

    Args:
        peer: which.
        job: the model, and the sizes of its repetitions.
        home: folder of environments and logs.

    Raises:
        PeerUnavailableError: the peer does not run on the device, cannot be installed, or failed.
    """

    def __init__(self, peer: Peer, job: Job, home: Path) -> None:
        self.peer = peer
        if job.device not in peer.devices:
            raise PeerUnavailableError(peer.name, f"does not run on {job.device}")
        python = python_of(peer, home)
        self._log = home / "logs" / f"{peer.name}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(python), "-m", peer.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=_variables(peer, job, python),
            )
        self._ask(asdict(job))

    def measure(self, streams: int, repetition: int) -> Measurement:
        """Run one repetition; number 0 is short and warms up.

        Raises:
            PeerUnavailableError: the process ended, or says nothing for an hour.
        """
        return Measurement(**self._ask({"streams": streams, "repetition": repetition}))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def __enter__(self) -> "PeerProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send one line and return the answer's."""
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] is not None
        assert pipes[1] is not None
        try:
            print(json.dumps(question), file=pipes[0], flush=True)
            is_heard, _, _ = select.select([pipes[1]], [], [], LONGEST_WAIT_S)
            line = pipes[1].readline() if is_heard else ""
        except BrokenPipeError:
            line = ""
        if not line:
            self.close()
            raise PeerUnavailableError(self.peer.name, _last_line(self._log))
        answer: dict[str, Any] = json.loads(line)
        return answer


def _variables(peer: Peer, job: Job, python: Path) -> dict[str, str]:
    """The environment of a peer's process: its thread count, its tools first, no network."""
    preloaded = [str(python.parents[1] / "lib" / name) for name in peer.preloaded]
    return {
        **os.environ,
        **({"LD_PRELOAD": ":".join(preloaded)} if preloaded else {}),
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "OMP_NUM_THREADS": str(job.threads),
        "MKL_NUM_THREADS": str(job.threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        **peer.variables,
    }


def _last_line(log: Path) -> str:
    """What a process that failed said last."""
    lines: Iterable[str] = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:300] if said else "ended without a word"
