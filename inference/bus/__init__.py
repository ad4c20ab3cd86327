"""How answers travel from workers to web processes; `open_bus` gives this process its bus."""

from inference.bus.base import Bus, BusConfig
from inference.bus.opening import close_bus, open_bus

__all__ = ["Bus", "BusConfig", "close_bus", "open_bus"]
