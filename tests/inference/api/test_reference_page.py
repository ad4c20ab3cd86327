from pathlib import Path

import pytest

from inference.api import limits
from inference.api.errors import FAILURE_STATUS
from inference.api.serializers import ChatCompletionSerializer
from inference.api.unsupported import IGNORED, NEUTRAL_VALUES

UNNAMED = {"seed", "token_id", "logprobs", "completion_max_tokens"}
"""Ranges whose rows write them differently, or of names with two ranges."""
PAGE = (Path(__file__).parents[3] / "docs/reference/api.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    sorted({*ChatCompletionSerializer().fields, *IGNORED, *NEUTRAL_VALUES} - {"stream_options"}),
)
def test_every_field_is_on_the_page(name):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", sorted(limits.RANGES.keys() - UNNAMED))
def test_every_range_is_on_the_page(name):
    row = next(line for line in PAGE.splitlines() if line.startswith("|") and f"`{name}`" in line)

    for end in limits.RANGES[name]:
        assert f"{end:,.6f}".rstrip("0").rstrip(".") in row


def test_the_other_limits_are_on_the_page():
    for limit in (
        limits.MAX_MODEL_NAME_CHARS,
        limits.MAX_MESSAGES,
        limits.MAX_PROMPT_CHARS,
        limits.MAX_CONTENT_PARTS,
        limits.MAX_STOP_TEXTS,
        limits.MAX_STOP_CHARS,
        limits.MAX_JSON_DEPTH,
        limits.MAX_USER_CHARS,
        limits.MAX_LOGIT_BIASES,
        limits.MAX_SCHEMA_NAME_CHARS,
        limits.MAX_PROMPTS,
        limits.MAX_PROMPT_TOKENS,
        limits.MAX_EMBEDDING_INPUTS,
        limits.MAX_EMBEDDING_CHARS,
        limits.MAX_EMBEDDING_TOKENS,
        limits.MAX_TOKEN_CHECKS,
        limits.MAX_MODERATION_INPUTS,
    ):
        assert f"{limit:,}" in PAGE


@pytest.mark.parametrize("code", ["no_worker", "worker_lost", "context_length_exceeded"])
def test_the_codes_of_failures_are_on_the_page(code):
    assert code in FAILURE_STATUS
    assert f"`{code}`" in PAGE
