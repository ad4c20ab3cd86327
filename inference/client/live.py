"""What is alive now: models, workers, the bus itself."""

from inference.bus.events import Heartbeat
from inference.providers import registry
from inference.providers.transport import ask, site_bus


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


async def check_bus() -> None:
    """Return if the bus answers.

    Raises:
        BusUnavailableError: it does not.
    """
    await ask(site_bus().check)
