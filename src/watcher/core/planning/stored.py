"""Items as JSON and back: what the ledger keeps of an item between two lives of the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from watcher.core.jobs import Adjustment, Item, Operation

_DEFAULTS = {
    item.name: item.default if item.default_factory is MISSING else item.default_factory()
    for item in fields(Item)
}


def item_to_json(item: Item) -> dict[str, Any]:
    """The item's fields that say more than their default, as values that JSON knows."""
    said: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        value = getattr(item, name)
        if value is not default and value != default:
            said[name] = value if type(value) is str else _plain(value)
    return said


def item_from_json(stored: Mapping[str, Any]) -> Item:
    """The item of `item_to_json`. What a later version stored besides is left out."""
    known = {name: value for name, value in stored.items() if name in _DEFAULTS}
    known["operation"] = Operation(known["operation"])
    known["images"] = tuple(known.get("images", ()))
    known["checklist"] = tuple(known.get("checklist", ()))
    known["adjustments"] = tuple(Adjustment(**each) for each in known.get("adjustments", ()))
    return Item(**known)


def _plain(value: object) -> object:
    if isinstance(value, Operation):
        return value.value
    if isinstance(value, tuple):
        return [asdict(each) if isinstance(each, Adjustment) else each for each in value]
    return dict(value) if isinstance(value, Mapping) else value
