"""What changed between two settings, and which of it a running daemon can take over."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from watcher.settings.leaves import dotted, leaves
from watcher.settings.models import Settings

# What the daemon builds once: its ledger, its page, the folders that it watches and holds open.
RESTART = (
    "state_dir",
    "database_url",
    "engine",
    "api.models",
    "web.*",
    "inboxes.*.path",
    "inboxes.*.outbox",
    "inboxes.*.enabled",
    "inboxes.*.watch",
    "inboxes.*.recursive",
    "inboxes.*.settle",
    "inboxes.*.empty_grace",
    "inboxes.*.poll_interval",
    "inboxes.*.rescan_interval",
    "inboxes.*.ignore",
    "inboxes.*.max_file_mb",
    "inboxes.*.require_done_marker",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Dotted keys whose value changed. An inbox that came or went is one key, `inboxes.NAME`."""

    reloadable: tuple[str, ...] = ()
    restart_needed: tuple[str, ...] = ()


def changes(old: Settings, new: Settings) -> Changes:
    """The keys that differ, sorted, by whether a reload is enough."""
    moved = {f"inboxes.{name}" for name in old.inboxes.keys() ^ new.inboxes.keys()}
    before, after = leaves(old), leaves(new)
    changed = {
        dotted(path)
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path) and dotted(path[:2]) not in moved
    }
    restart = {key for key in changed if any(fnmatchcase(key, pattern) for pattern in RESTART)}
    return Changes(
        reloadable=tuple(sorted(changed - restart)),
        restart_needed=tuple(sorted(restart | moved)),
    )
