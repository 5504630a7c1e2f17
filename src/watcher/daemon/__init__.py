"""The process that lives for years: builds every room, starts and stops them in order.

What is named here is brought in when it is asked for: most commands need none of the rooms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watcher.daemon.daemon import Daemon
    from watcher.daemon.models import uses_of
    from watcher.daemon.rooms import account
    from watcher.daemon.service import Service
    from watcher.daemon.state import StateBusy, is_running, read_about

__all__ = ["Daemon", "Service", "StateBusy", "account", "is_running", "read_about", "uses_of"]

_PLACES = {
    "Daemon": "daemon",
    "Service": "service",
    "StateBusy": "state",
    "account": "rooms",
    "is_running": "state",
    "read_about": "state",
    "uses_of": "models",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(import_module(f"watcher.daemon.{_PLACES[name]}"), name)
