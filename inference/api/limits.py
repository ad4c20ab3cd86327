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
    "min_tokens": Range(0, 1_000_000),
    "max_completion_tokens": Range(1, 1_000_000),
    "repetition_penalty": Range(0.01, 2.0),
    "presence_penalty": Range(-2.0, 2.0),
    "frequency_penalty": Range(-2.0, 2.0),
    "seed": Range(-(2**63), 2**63 - 1),
    "n": Range(1, 8),
    "best_of": Range(1, 8),
    "logprobs": Range(0, 5),
    "top_logprobs": Range(0, 20),
    "logit_bias": Range(-100.0, 100.0),
    # With `echo`, 0 asks for the prompt and its log-probabilities alone.
    "completion_max_tokens": Range(0, 1_000_000),
    "dimensions": Range(1, 65_536),
    "token_id": Range(0, 2**31 - 1),
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
MAX_LOGIT_BIASES = 1024
MAX_SCHEMA_NAME_CHARS = 64
MAX_PROMPTS = 32
# Prompts times answers to each.
MAX_CHOICES = 64
# A token is four characters, as above.
MAX_PROMPT_TOKENS = 131_072
# Answers of one request that are generated at the same time; the others wait for their turn.
CHOICES_AT_ONCE = 8
MAX_EMBEDDING_INPUTS = 2048
# All texts of one request; the bus carries 2,000,000 bytes, and a token is four of them.
MAX_EMBEDDING_CHARS = 1_000_000
MAX_EMBEDDING_TOKENS = 400_000
MAX_TOKEN_CHECKS = 64
MAX_MODERATION_INPUTS = 32
MAX_TOOL_DESCRIPTION_CHARS = 8192
# Names, descriptions and schemas of all functions, written as JSON.
MAX_TOOLS_CHARS = 262_144
MAX_CALL_ID_CHARS = 128
MAX_SPEAKER_CHARS = 64
MAX_METADATA = 16
MAX_METADATA_KEY_CHARS = 64
MAX_METADATA_CHARS = 512
MAX_RESPONSE_ID_CHARS = 64
