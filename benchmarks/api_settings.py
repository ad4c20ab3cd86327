"""The development settings with the benchmark's script, and nothing that turns load away."""

from dataclasses import asdict

from benchmarks.api_script import MODEL, SCRIPTS, VARIABLE
from fastchat_site.settings import env
from fastchat_site.settings.dev import *  # noqa: F403  (a settings layer is its base and more)
from fastchat_site.settings.dev import INFERENCE as DEV_INFERENCE

SCRIPT = asdict(SCRIPTS[env.text(VARIABLE, "paced")])
INFERENCE = {
    **DEV_INFERENCE,
    **{f"scripted_{name}": value for name, value in SCRIPT.items()},
    "scripted_models": [MODEL],
    "scripted_slots": 10_000,
    "api_requests_per_minute_per_address": 0,
    "api_ping_interval_s": 5.0,  # so that a few seconds of silence hold a comment a stream
}
