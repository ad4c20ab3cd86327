"""The settings of the ground floor, read from the dict `INFERENCE`."""

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from django.conf import settings

SettingsT = TypeVar("SettingsT")


def read_settings(settings_class: type[SettingsT], name: str, **values: Any) -> SettingsT:
    """Return an app's settings: the dict `name` of the Django settings as a frozen dataclass.

    Lists become tuples, so that the result cannot change.

    Args:
        settings_class: the dataclass; its fields are the keys that exist.
        name: of the dict, e.g. `CHAT`.
        values: defaults that depend on other settings.

    Raises:
        ValueError: the dict has a key that means nothing.
    """
    values |= getattr(settings, name)
    unknown = set(values) - {entry.name for entry in fields(settings_class)}  # type: ignore[arg-type]
    if unknown:
        raise ValueError(f"{name} has unknown keys: {', '.join(sorted(unknown))}")
    return settings_class(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    )


@dataclass(frozen=True, slots=True)
class InferenceSettings:
    """How models are served; every key has its line in docs/reference/settings.md.

    Attributes:
        redis_url: where the bus lives; empty means inside this process.
        heartbeat_interval_s: how often a worker says that it lives.
        heartbeat_ttl_s: silence after which a worker counts as dead; five times as long where it
            shares its readers' process.
        bus_timeout_s: longest wait for one answer of Redis.
        bus_pause_s: rest after a failed attempt, so that a dead Redis costs nothing.
        log_ttl_s: how long an unfinished answer can be followed.
        finished_log_ttl_s: how long a finished answer can be followed.
        log_chunk_tokens: tokens that share one entry of the answer's log.
        silence_s: time without a delta after which the log and the worker are looked at.
        queue_patience_s: wait in the queue after which a task may be published again.
        no_worker_after_s: a queued request fails when its model had no worker for so long.
        stream_lost_after_s: a hole in a stream that stays open for so long ends it.
        attempts: workers that may try one request, the first included.
        admission_factor: requests let in for each slot of the live workers of a model.
        retry_after_s: what a refused caller is told to wait.
        request_timeout_s: most time one answer may take in a worker.
        publish_timeout_s: most time handing a task to the broker may take.
        engine_stall_s: a worker whose engine stands still for so long gives up; four times as
            long on a CPU.
        drain_s: time that running answers get when a worker is asked to leave.
        prompt_bytes: most text, all messages together, that is let in.
        images_per_request: most images, all messages together.
        image_bytes: largest file of one image.
        web_threads: threads, and so database connections, that all open streams share.
        families: path of a TOML file with template families of the site's own; they come before
            ours. Empty for none.
        scripted_models: names answered by the scripted provider.
        scripted_token_delay_s: its time for one token.
        scripted_latency_s: its time before the first token.
        scripted_chunk_tokens: tokens it tells together.
        scripted_fail_after_tokens: its answers break after so many tokens; 0 means never.
        scripted_fault: how they break: engine_error, malformed or hang.
        scripted_refusal: 429 or 500 refuses every request that way; empty refuses none.
        scripted_slots: answers one process scripts at the same time.
        api_requires_key: whether the OpenAI API refuses callers without a key.
        api_requests_per_minute_per_key: most API requests with one key; 0 sets no limit.
        api_requests_per_minute_per_address: most from one address without a key; 0: no limit.
        api_tokens_per_minute_per_key: most tokens with one key, prompts and answers; 0: no limit.
        api_ping_interval_s: silence in a stream of events after which a comment keeps it open.
        api_response_ttl_s: how long a response of `/v1/responses` can be continued and read again.
        trusted_proxy_count: how many entries of X-Forwarded-For, counted from the right, are
            written by proxies of this site; 0 ignores the header.
        uses_endpoints: whether servers elsewhere answer for models; off, no prompt leaves the site.
        endpoints_reread_s: how old the list of endpoints may be, so how long a change takes.
        endpoint_failures_allowed: failures in a row after which an endpoint rests.
        endpoint_rest_s: its first rest; each further failure doubles it, up to ten minutes.
        endpoint_connect_s: for a connection to an endpoint to stand.
        endpoint_first_byte_s: from a request to the first byte of its answer.
        endpoint_idle_s: of silence in the middle of an answer.
        endpoint_tries: most attempts at one answer of an endpoint, all before its first word.
        endpoint_retry_budget_s: after which no further attempt begins.
        endpoint_answer_bytes: largest answer an endpoint may send.
        metrics_addresses: addresses that may read `/metrics` without the token.
        metrics_token: what others show as `Authorization: Bearer` there; empty lets none in.
        use_modelscope: ids of models are looked up on ModelScope instead of Hugging Face.
        cpu_isa: what the CPU is known to multiply bfloat16 with, avx512_bf16 or amx; empty
            leaves it to be found out.
    """

    redis_url: str = ""
    heartbeat_interval_s: float = 0.75
    heartbeat_ttl_s: float = 3.0
    bus_timeout_s: float = 1.0
    bus_pause_s: float = 0.25
    log_ttl_s: int = 900
    finished_log_ttl_s: int = 120
    log_chunk_tokens: int = 8
    silence_s: float = 1.0
    queue_patience_s: float = 5.0
    no_worker_after_s: float = 2.0
    stream_lost_after_s: float = 10.0
    attempts: int = 3
    admission_factor: float = 1.5
    retry_after_s: int = 2
    request_timeout_s: float = 840.0
    publish_timeout_s: float = 5.0
    engine_stall_s: float = 30.0
    drain_s: float = 20.0
    prompt_bytes: int = 2_000_000
    images_per_request: int = 8
    image_bytes: int = 5_000_000
    web_threads: int = 8
    families: str = ""
    scripted_models: tuple[str, ...] = ()
    scripted_token_delay_s: float = 0.01
    scripted_latency_s: float = 0.0
    scripted_chunk_tokens: int = 1
    scripted_fail_after_tokens: int = 0
    scripted_fault: Literal["engine_error", "malformed", "hang"] = "engine_error"
    scripted_refusal: Literal["", "429", "500"] = ""
    scripted_slots: int = 64
    api_requires_key: bool = False
    api_requests_per_minute_per_key: int = 600
    api_requests_per_minute_per_address: int = 120
    api_tokens_per_minute_per_key: int = 0
    api_ping_interval_s: float = 15.0
    api_response_ttl_s: int = 3600
    trusted_proxy_count: int = 0
    uses_endpoints: bool = True
    endpoints_reread_s: float = 2.0
    endpoint_failures_allowed: int = 5
    endpoint_rest_s: float = 15.0
    endpoint_connect_s: float = 10.0
    endpoint_first_byte_s: float = 300.0
    endpoint_idle_s: float = 60.0
    endpoint_tries: int = 3
    endpoint_retry_budget_s: float = 20.0
    endpoint_answer_bytes: int = 16_000_000
    metrics_addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    metrics_token: str = ""
    use_modelscope: bool = False
    cpu_isa: str = ""


def inference_settings() -> InferenceSettings:
    """Return the settings as they are now.

    Raises:
        ValueError: `INFERENCE` has a key that means nothing.
    """
    return read_settings(InferenceSettings, "INFERENCE")
