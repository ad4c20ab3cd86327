"""The web process stays light."""

import os
import subprocess
import sys

PROGRAM = """
import sys

import fastchat_site.asgi
import inference.client
import inference.management.commands.serve
from django.urls import get_resolver

get_resolver().url_patterns  # loads every view
print(sorted({"torch", "transformers", "bitsandbytes"} & set(sys.modules)))
"""


def test_the_web_process_loads_no_torch(tmp_path):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "fastchat_site.settings.dev",
        "FASTCHAT_STATE_DIR": str(tmp_path),
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.stdout.strip() == "[]", done.stderr
