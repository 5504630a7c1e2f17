"""Which column means what: header names and their aliases, resolved once for all rows of a drop."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from watcher.core.headers import header_key, is_result_column

# Field → further names, the more likely first. docs/file-formats.md is the page for people.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "prompt": ("text", "description", "user_input"),
    "operation": ("op", "action"),
    "name": ("id", "sku", "filename", "slug"),
    "model": (),
    "n": ("count", "number", "images_count", "number_of_images"),
    "size": ("resolution",),
    "width": (),
    "height": (),
    "quality": (),
    "background": (),
    "output_format": ("format",),
    "output_compression": ("compression",),
    "moderation": (),
    "style": (),
    "response_format": (),
    "user": ("safety_identifier",),
    "image": ("images", "input_image", "reference"),
    "mask": (),
    "mask_mode": (),
    "markup": (),
    "input_fidelity": (),
    "detail": (),
    "max_tokens": ("length_of_description",),
    "complexity": (),
    "frame_count": (),
    "frame_duration_ms": (),
    "reuse": (),
    "checklist": (),
}
# What differs from row to row, and so is not looked up among rows that say the same.
OWN_FIELDS = frozenset({"prompt", "name", "user", "image", "mask", "markup", "checklist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Meanings:
    """What a header can mean, by its key: a field (with a rank among its names), or a parameter.

    `extras`: parameters that the server takes besides OpenAI's. `strangers`: those that nobody
    takes here.
    """

    fields: Mapping[str, tuple[str, int]]
    extras: Mapping[str, str]
    strangers: Mapping[str, str]

    @classmethod
    def of(
        cls, aliases: Mapping[str, str], extras: Iterable[str], strangers: Iterable[str]
    ) -> Meanings:
        """`aliases` are the inbox's own; an extra wins over a field of the same name."""
        fields = {
            header_key(name): (field, rank)
            for field, further in FIELDS.items()
            for rank, name in enumerate((field, "", *further))
            if name
        }
        canonical = {header_key(field): field for field in FIELDS}
        for name, target in aliases.items():
            fields.pop(header_key(name), None)  # an alias for nothing makes it a plain column
            if header_key(target) in canonical:
                fields[header_key(name)] = (canonical[header_key(target)], 1)
        return cls(
            fields=fields,
            extras={header_key(name): name for name in sorted(extras)},
            strangers={header_key(name): name for name in strangers},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """Where a row says what, by index into its values; `keys`: every column by its key.

    `further`: behind the column of a field, the others that mean the same field, the better ones first.
    """

    names: tuple[str, ...]
    keys: Mapping[str, int]
    fields: Mapping[str, int]
    further: Mapping[int, tuple[int, ...]]
    images: tuple[int, ...]
    extras: Mapping[str, int]
    strangers: Mapping[str, int]

    @classmethod
    def of(cls, columns: Sequence[str], meanings: Meanings) -> ColumnMap:
        """Of several columns for one field the better name wins; pictures come from all of them."""
        read = [
            (index, header_key(name))
            for index, name in enumerate(columns)
            if not is_result_column(name)
        ]
        ranked = sorted(
            (meanings.fields[key][1], index, meanings.fields[key][0])
            for index, key in read
            if key in meanings.fields and key not in meanings.extras
        )
        fields = _first((field, index) for _, index, field in ranked)
        return cls(
            names=tuple(columns),
            keys=_first((key, index) for index, key in read),
            fields=fields,
            further={
                first: others
                for name, first in fields.items()
                if (others := tuple(i for _, i, field in ranked if field == name and i != first))
            },
            images=tuple(sorted(index for _, index, field in ranked if field == "image")),
            extras=_named(read, meanings.extras, ()),
            strangers=_named(read, meanings.strangers, meanings.extras),
        )


def _first(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, index in pairs:
        found.setdefault(name, index)
    return found


def _named(
    read: Sequence[tuple[int, str]], names: Mapping[str, str], but: Collection[str]
) -> dict[str, int]:
    return _first((names[key], index) for index, key in read if key in names and key not in but)
