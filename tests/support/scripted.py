"""Scripted models as the whole site sees them: cards, answers, and a way to make one fail."""

from collections.abc import AsyncGenerator
from typing import Any

from django.conf import settings
from django.test import override_settings

from inference.bus.outbox import Output
from inference.exceptions import GenerationFailedError
from inference.models import LanguageModel
from inference.providers.scripted import ScriptedSource
from inference.requests import AnyRequest

NAMES = ("amber-lion", "basalt-wolf")


def scripted_settings(**inference: Any) -> override_settings:
    """Return settings under which the two names are answered by a script."""
    values = {"scripted_models": list(NAMES), "scripted_token_delay_s": 0.0, **inference}
    return override_settings(INFERENCE={**settings.INFERENCE, **values})


def store_cards() -> list[LanguageModel]:
    """Store the cards of the scripted models."""
    makers = ("Amber Works", "Basalt Labs")
    return [
        LanguageModel.objects.create(name=name, title=name.title(), organisation=maker)
        for name, maker in zip(NAMES, makers, strict=True)
    ]


class FailingSource(ScriptedSource):
    """Breaks off for one model, in words that name it, as often as it is told to."""

    failing_model = ""

    async def stream(self, request: AnyRequest) -> AsyncGenerator[Output, None]:
        """Yield the script, or a first word and an error."""
        if request.model == type(self).failing_model:
            yield Output(request.request_id, ("Well",))
            raise GenerationFailedError(
                code=f"{request.model}_upstream", message=f"{request.model} said no"
            )
        async for output in super().stream(request):
            yield output
