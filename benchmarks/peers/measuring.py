"""Runs a peer's process on a job and collects what it measured."""

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.peers.catalog import Peer
from benchmarks.peers.environments import PeerUnavailableError, python_of
from benchmarks.peers.job import Job, Measurement

ROOT = Path(__file__).resolve().parents[2]
LONGEST_RUN_S = 3 * 3600


def measurements_of(peer: Peer, job: Job, home: Path) -> list[Measurement]:
    """Run a job to its end; one that answers serially gets one stream.

    What the peer prints goes to a log file in `home`.

    Raises:
        PeerUnavailableError: the peer does not run on the device, cannot be installed, or failed.
    """
    if job.device not in peer.devices:
        raise PeerUnavailableError(peer.name, f"does not run on {job.device}")
    if peer.is_serial:
        job = replace(job, streams=(1,))
    python = python_of(peer, home)
    log = home / "logs" / f"{peer.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            [str(python), "-m", peer.module],
            input=json.dumps(asdict(job)),
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            check=False,
            cwd=ROOT,
            env=_variables(peer, job, python),
            timeout=LONGEST_RUN_S,
        )
    if done.returncode:
        raise PeerUnavailableError(peer.name, _last_line(log, done.returncode))
    return [Measurement(**json.loads(line)) for line in done.stdout.splitlines()]


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


def _last_line(log: Path, code: int) -> str:
    """What a process that failed said last."""
    lines: Iterable[str] = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:300] if said else f"ended with status {code}"
