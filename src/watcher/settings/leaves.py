"""Settings as leaves: each value with the path of its key. The one walk that the other files share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from pydantic import BaseModel

from watcher.settings.models import Settings

KeyPath: TypeAlias = tuple[str, ...]


def leaves(settings: Settings) -> dict[KeyPath, object]:
    """Every value by its key; lists and free mappings (defaults, aliases) are one value each."""
    return dict(_walk(settings, ()))


def default_of(path: KeyPath) -> object:
    """What a key says when nobody says anything; an inbox of any name is like `products`."""
    return _DEFAULTS.get(("inboxes", "products", *path[2:]) if path[0] == "inboxes" else path)


def dotted(path: KeyPath) -> str:
    return ".".join(path)


def _walk(section: BaseModel, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for name, value in section:
        here = (*path, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, here)
        elif here == ("inboxes",):
            for inbox, its in value.items():
                yield from _walk(its, (*here, inbox))
        else:
            yield here, value


_DEFAULTS = leaves(Settings())
