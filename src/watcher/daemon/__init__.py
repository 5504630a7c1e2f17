"""The process that lives for years: builds every room, starts and stops them in order."""

from watcher.daemon.daemon import Daemon
from watcher.daemon.models import uses_of
from watcher.daemon.rooms import account
from watcher.daemon.service import Service
from watcher.daemon.state import StateBusy, is_running, read_about

__all__ = [
    "Daemon",
    "Service",
    "StateBusy",
    "StateLock",
    "account",
    "is_running",
    "read_about",
    "uses_of",
]
