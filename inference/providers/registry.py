"""Which provider answers for which model."""

from inference.conf import inference_settings
from inference.providers.base import Provider
from inference.providers.endpoint import EndpointProvider
from inference.providers.endpoints import endpoints_by_model, live_names
from inference.providers.scripted import Script, ScriptedSource
from inference.providers.stage import EVERY_REQUEST, StageProvider
from inference.providers.worker import WorkerProvider


async def provider_for(model: str) -> Provider:
    """Return who answers for a model; a name nobody knows is the workers' to refuse.

    A model that has enabled endpoints is answered by them, even if a worker holds it too.
    """
    settings = inference_settings()
    if model in settings.scripted_models:
        script = Script(
            token_delay_s=settings.scripted_token_delay_s,
            latency_s=settings.scripted_latency_s,
            chunk_tokens=settings.scripted_chunk_tokens,
            fail_after_tokens=settings.scripted_fail_after_tokens,
            fault=settings.scripted_fault,
            refusal=settings.scripted_refusal,
        )
        return StageProvider(
            ScriptedSource(script), slots=settings.scripted_slots, takes=EVERY_REQUEST
        )
    if candidates := (await endpoints_by_model()).get(model):
        return EndpointProvider(model, candidates)
    return WorkerProvider()


async def local_models() -> frozenset[str]:
    """Return the names that this process answers itself, or by servers elsewhere."""
    scripted = frozenset(inference_settings().scripted_models)
    return scripted | live_names(await endpoints_by_model())
