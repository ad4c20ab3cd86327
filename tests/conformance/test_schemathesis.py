"""Whatever is sent, the API answers as `/api/schema/` says: a few cases for each address.

Source: https://schemathesis.readthedocs.io.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.conftest import MODEL
from tests.support.schemathesis_hooks import MODEL as NAMED_MODEL
from tests.support.site import ROOT, Site

pytestmark = pytest.mark.slow

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
CASES_FOR_EACH = 6


def test_the_api_answers_as_its_description_says(api_site: Site, api_key: str, tmp_path: Path):
    assert NAMED_MODEL == MODEL
    hooks = {"SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    executable = Path(sys.executable).with_name("schemathesis")
    options = [
        *("--header", f"Authorization: Bearer {api_key}"),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "examples,fuzzing"),
        *("--max-examples", str(CASES_FOR_EACH)),
        *("--seed", "1", "--generation-database", "none", "--no-shrink", "--no-color"),
    ]

    done = subprocess.run(
        [executable, "run", f"{api_site.address}/api/schema/?format=json", *options],
        cwd=tmp_path,  # it keeps what it has found where it runs
        env={**os.environ, **hooks},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Fuzzing" in done.stdout
