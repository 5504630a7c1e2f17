"""What the contract names and no code serves yet. Using it is refused at start, so that nothing is
silently ignored. Whoever builds a feature strikes its line here, and no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from watcher.settings.findings import Finding, found
from watcher.settings.leaves import KeyPath, default_of, leaves
from watcher.settings.models import Settings

# Key (with everything below it; `*`: of any name) → what it would do.
NOT_YET: Mapping[str, str] = {
    "engine": "working on several machines",
    "database_url": "a database on PostgreSQL",
    "inboxes.*.outbox": "writing to an object store",
    "inboxes.*.lane": "the Batch API",
}


def not_yet(settings: Settings) -> Iterator[Finding]:
    """One finding for each key that asks for something of `NOT_YET`."""
    for path, value in leaves(settings).items():
        purpose = _purpose(path)
        if purpose and _used(path, value):
            text = f"found {found(value, path)}; not available in this version ({purpose}); leave it out"
            yield Finding(path=path, text=text)


def _purpose(path: KeyPath) -> str:
    return next((purpose for key, purpose in NOT_YET.items() if _below(path, key.split("."))), "")


def _below(path: KeyPath, key: list[str]) -> bool:
    return len(path) >= len(key) and all(
        wanted in ("*", part) for wanted, part in zip(key, path, strict=False)
    )


def _used(path: KeyPath, value: object) -> bool:
    if path[-1] == "outbox":  # a folder of any name is served
        return "://" in str(value)
    return value != default_of(path)
