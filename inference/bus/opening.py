"""One bus for a process: Redis where an address is given, else inside the process."""

import threading

from inference.bus.base import Bus, BusConfig
from inference.bus.local import LocalBus
from inference.bus.redis import RedisBus

_lock = threading.Lock()
_open: dict[BusConfig, Bus] = {}


def open_bus(config: BusConfig) -> Bus:
    """Return this process's bus; the same config gives the same bus until it is closed."""
    with _lock:
        bus = _open.get(config)
        if bus is None:
            bus = RedisBus(config) if config.redis_url else LocalBus(config)
            _open[config] = bus
        return bus


def close_bus(config: BusConfig) -> None:
    """Close this process's bus and forget it."""
    with _lock:
        bus = _open.pop(config, None)
    if bus is not None:
        bus.close()
