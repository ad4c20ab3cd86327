"""Every bound on what a program may send, in one table for serializers, documents and tests."""

from typing import NamedTuple


class Range(NamedTuple):
    """The lowest and the highest value a number may have, both included."""

    lowest: float
    highest: float


RANGES: dict[str, Range] = {
    "temperature": Range(0.0, 2.0),
    "top_p": Range(1e-6, 1.0),
    "top_k": Range(-1, 1_000_000),
    "min_p": Range(0.0, 1.0),
    "max_tokens": Range(1, 1_000_000),
    "max_completion_tokens": Range(1, 1_000_000),
    "repetition_penalty": Range(0.01, 2.0),
    "presence_penalty": Range(-2.0, 2.0),
    "frequency_penalty": Range(-2.0, 2.0),
    "seed": Range(-(2**63), 2**63 - 1),
    "n": Range(1, 8),
    "stop_token_id": Range(0, 2**31 - 1),
}

# Room for a few photographs, which base64 makes a third longer.
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_JSON_DEPTH = 64
MAX_MODEL_NAME_CHARS = 128
MAX_MESSAGES = 1024
MAX_CONTENT_PARTS = 256
# Four characters a token fill a window of 128 k tokens; a longer prompt fits no model here.
MAX_PROMPT_CHARS = 524_288
MAX_STOP_TEXTS = 16
MAX_STOP_CHARS = 256
MAX_STOP_TOKEN_IDS = 16
MAX_USER_CHARS = 512
