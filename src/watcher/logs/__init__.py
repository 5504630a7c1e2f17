"""How it logs: one line an event, on a terminal for people, else JSON; to systemd's journal with fields as well."""

from watcher.logs.journal import SOCKET, is_journal
from watcher.logs.lines import (
    Format,
    Level,
    configure,
    escaped,
    forget_secrets,
    get_logger,
    register_secret,
    scrub,
)

__all__ = [
    "SOCKET",
    "Format",
    "Level",
    "configure",
    "escaped",
    "forget_secrets",
    "get_logger",
    "is_journal",
    "register_secret",
    "scrub",
]
