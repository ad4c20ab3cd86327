"""The engine hosts of this process, by the names of their models."""

import threading
from collections.abc import Iterable

from inference.exceptions import ModelUnavailableError
from inference.worker.engine_host import EngineHost

_lock = threading.Lock()
_hosts: dict[str, EngineHost] = {}


def add_host(host: EngineHost) -> None:
    """Let a host answer for its models."""
    with _lock:
        for name in host.names:
            _hosts[name] = host


def host_of(model: str) -> EngineHost:
    """Return the host that answers for a model.

    Raises:
        ModelUnavailableError: none does in this process.
    """
    host = _hosts.get(model)
    if host is None:
        raise ModelUnavailableError(model)
    return host


def all_hosts() -> list[EngineHost]:
    """Return every host once, in the order they came."""
    with _lock:
        return list(dict.fromkeys(_hosts.values()))


def remove_hosts(hosts: Iterable[EngineHost]) -> None:
    """Forget hosts that were closed."""
    gone = set(hosts)
    with _lock:
        for name in [name for name, host in _hosts.items() if host in gone]:
            del _hosts[name]
