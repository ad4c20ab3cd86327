"""Fields of OpenAI's API that this server knows and does not act on."""

from collections.abc import Mapping
from typing import Any

# Fields of vLLM's server that would change the answer, and what each may hold without doing so.
NEUTRAL_IN_VLLM: dict[str, tuple[Any, ...]] = {
    "use_beam_search": (False,),
    "length_penalty": (1,),
    "bad_words": ([],),
    "allowed_token_ids": ([],),
    "include_stop_str_in_output": (False,),
    "prompt_logprobs": (),
    "truncate_prompt_tokens": (),
    "return_tokens_as_token_ids": (False,),
    "return_token_ids": (False,),
    "guided_whitespace_pattern": (),
}

# What each field may hold without changing the answer; any other value is refused by name.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "audio": (),
    "web_search_options": (),
    "reasoning_effort": ("none",),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "chat_template": (),
    "add_generation_prompt": (True,),
    "continue_final_message": (False,),
    "documents": ([],),
    **NEUTRAL_IN_VLLM,
}

# Likewise for the raw prompts of `/v1/completions`.
NEUTRAL_IN_COMPLETIONS: dict[str, tuple[Any, ...]] = {
    "suffix": ("",),
    "prompt_embeds": (),
    **NEUTRAL_IN_VLLM,
}

# Accepted and without effect: they concern OpenAI's own house, or help where they can.
IGNORED = frozenset(
    {
        "user",
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "verbosity",
        "prediction",
    }
)


def first_unsupported(
    data: Any, neutral_values: Mapping[str, tuple[Any, ...]] = NEUTRAL_VALUES
) -> str | None:
    """Return the name of a field that asks for something this server cannot do, if there is one."""
    if not isinstance(data, Mapping):
        return None
    for name, neutral in neutral_values.items():
        value = data.get(name)
        if value is not None and value not in neutral:
            return name
    return None
