"""Which provider answers for which model."""

from inference.conf import inference_settings
from inference.providers.base import Provider
from inference.providers.scripted import ScriptedSource
from inference.providers.stage import StageProvider
from inference.providers.worker import WorkerProvider


def provider_for(model: str) -> Provider:
    """Return who answers for a model; a name nobody knows is the workers' to refuse."""
    settings = inference_settings()
    if model in settings.scripted_models:
        source = ScriptedSource(
            token_delay_s=settings.scripted_token_delay_s,
            fail_after_tokens=settings.scripted_fail_after_tokens,
        )
        return StageProvider(source, slots=settings.scripted_slots)
    return WorkerProvider()


def local_models() -> frozenset[str]:
    """Return the names that this process answers itself."""
    return frozenset(inference_settings().scripted_models)
