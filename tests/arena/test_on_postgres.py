"""The records of chat and arena once more, on PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RECORDS = [
    "tests/arena/test_services.py",
    "tests/arena/test_selectors.py",
    "tests/chat/test_services.py",
    "tests/chat/test_selectors.py",
    "tests/chat/test_turns.py",
]


@pytest.mark.services
@pytest.mark.timeout(600)
def test_the_records_hold_on_postgres(postgres_url: str) -> None:
    # The server goes with the run, and so does a test database that a thread still holds.
    command = [sys.executable, "-m", "pytest", *RECORDS, "--create-db", "--reuse-db", "--no-cov"]

    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": postgres_url},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
