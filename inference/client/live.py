"""What is alive now: models, workers, the bus itself."""

from inference.bus.events import Heartbeat
from inference.providers import registry
from inference.providers.transport import ask, site_bus
from inference.tools.formats import CANONICAL


async def live_models() -> frozenset[str]:
    """Return the names that can be asked now.

    Raises:
        BusUnavailableError: Redis does not answer.
    """
    return await ask(site_bus().live_models) | await registry.local_models()


async def live_workers() -> list[Heartbeat]:
    """Return the last heartbeats of the workers that hold models.

    Raises:
        BusUnavailableError: Redis does not answer.
    """
    return [beat for beat in await ask(site_bus().workers) if beat.models]


async def tool_format_of(model: str) -> str:
    """Return how a model writes calls of functions; see `inference.tools.formats`.

    It is the canonical way where no worker holds the model.

    Raises:
        BusUnavailableError: Redis does not answer.
    """
    workers = await ask(site_bus().workers_of, model)
    return next((beat.tool_format for beat in workers if beat.tool_format), CANONICAL)


async def check_bus() -> None:
    """Return if the bus answers.

    Raises:
        BusUnavailableError: it does not.
    """
    await ask(site_bus().check)
