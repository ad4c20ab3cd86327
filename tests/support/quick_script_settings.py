"""The settings of a fresh checkout, with a script that loses no time."""

from fastchat_site.settings.dev import *  # noqa: F403  (settings are made of settings)
from fastchat_site.settings.dev import INFERENCE as DEV_INFERENCE

INFERENCE = {**DEV_INFERENCE, "scripted_token_delay_s": 0.0}
