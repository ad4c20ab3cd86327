"""The two buses, as the contract wants them."""

from collections.abc import Callable, Iterator

import pytest

from inference.bus import Bus, BusConfig
from inference.bus.local import LocalBus
from inference.bus.redis import RedisBus

BusMaker = Callable[..., Bus]


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.services)])
def make_bus(request: pytest.FixtureRequest) -> Iterator[BusMaker]:
    """Makes buses; two Redis buses share what they hold, as two processes would."""
    made: list[Bus] = []

    def make(**times: float) -> Bus:
        if request.param == "local":
            bus: Bus = made[0] if made else LocalBus(BusConfig(**times))
        else:
            url = request.getfixturevalue("redis_url")
            bus = RedisBus(BusConfig(redis_url=url, **times))
        made.append(bus)
        return bus

    yield make
    for bus in made:
        bus.close()


@pytest.fixture
def bus(make_bus: BusMaker) -> Bus:
    """One bus."""
    return make_bus()
