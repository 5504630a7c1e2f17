"""What one row says, by field: its own cells first, then the drop's defaults, then the inbox's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from watcher.core.headers import header_key
from watcher.core.jobs import Json
from watcher.core.planning.columns import OWN_FIELDS, ColumnMap, Meanings
from watcher.core.planning.rules import Refused, Said
from watcher.core.planning.values import is_blank, shown
from watcher.core.templates import COLUMNS

_LISTED = 12  # columns that a sentence lists at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where a row says nothing: by field, by parameter, and by header key for templates."""

    fields: Mapping[str, Said]
    extras: Mapping[str, Said]
    strangers: Mapping[str, Said]
    keys: Mapping[str, Json]

    @classmethod
    def of(
        cls, inbox: Mapping[str, Json], drop: Mapping[str, Json], meanings: Meanings
    ) -> Defaults:
        """The drop's win over the inbox's, whatever name of a field either of them uses."""
        said = [*_layer(inbox, "inbox"), *_layer(drop, "drop")]
        fields = [(meanings.fields[key], each) for key, each in said if key in meanings.fields]
        # Within a layer the better name wins: worse ones first, better ones over them.
        fields.sort(key=lambda pair: (pair[1].by == "drop", -pair[0][1]))
        return cls(
            fields={field: each for (field, _), each in fields},
            extras={meanings.extras[key]: each for key, each in said if key in meanings.extras},
            strangers={
                meanings.strangers[key]: each
                for key, each in said
                if key in meanings.strangers and key not in meanings.extras
            },
            keys={key: each.value for key, each in said},
        )


# Own fields that most drops have no column for.
_MORE = OWN_FIELDS - {"prompt", "name"}


class RowReader:
    """Reads the rows of a drop whose columns are known; `width` is how many there are.

    `is_plain`: besides prompt and name, rows differ in nothing that is settled row by row.
    """

    def __init__(
        self,
        columns: Sequence[str],
        meanings: Meanings,
        defaults: Defaults,
        template_names: Iterable[str],
    ) -> None:
        self.width = len(columns)
        self._map = ColumnMap.of(columns, meanings)
        self._defaults = defaults
        names = sorted(template_names)
        self._asked = {name: self._asked_index(name) for name in names if name != COLUMNS}
        self._all_asked = COLUMNS in names and self._asked_index(COLUMNS) is None
        read = {index for index in self._asked.values() if index is not None}
        # A style, or a stranger, that the template reads is the template's business.
        shared = [
            (field, index)
            for field, index in self._map.fields.items()
            if field not in OWN_FIELDS and not (field == "style" and index in read)
        ]
        self._shared = tuple(shared)
        self._indexes = tuple(index for _, index in shared)
        self.is_plain = not (
            _MORE & (self._map.fields.keys() | defaults.fields.keys())
            or self._map.images or self._map.extras or self._map.strangers
            or defaults.extras or defaults.strangers
        )  # fmt: skip
        self._strangers = {
            name: index for name, index in self._map.strangers.items() if index not in read
        }

    def key(self, values: Sequence[Json]) -> tuple[object, ...]:
        """What rows that say the same in all shared fields have in common; 1 is not True here."""
        cells = [values[self._at(index, values)] for index in self._indexes]
        return tuple(
            cell if cell is None or type(cell) is str else (type(cell), cell) for cell in cells
        )

    def shared(self, values: Sequence[Json]) -> dict[str, Said]:
        """Everything said of fields that are not each row's own."""
        said = {
            name: each for name, each in self._defaults.fields.items() if name not in OWN_FIELDS
        }
        for field, index in self._shared:
            at = self._at(index, values)
            if not is_blank(values[at]):
                said[field] = self._cell(at, values)
        return said

    def own(self, field: str, values: Sequence[Json]) -> Said | None:
        """What the row, or else a default, says of one field."""
        index = self._map.fields.get(field)
        at = None if index is None else self._at(index, values)
        if at is None or is_blank(values[at]):
            return self._defaults.fields.get(field)
        return self._cell(at, values)

    def refuse_without_prompt(self) -> NoReturn:
        """A row without a prompt: says whether the cell is empty, or the column is not there."""
        index = self._map.fields.get("prompt")
        if index is not None:
            column = self._map.names[index]
            raise Refused("empty_prompt", f"{column} is empty.", "Write what is wanted.", column)
        columns = ", ".join(map(shown, self._map.names[:_LISTED]))
        raise Refused(
            "empty_prompt",
            f"There is no column for the prompt among these: {columns}.",
            "The first line of the file must hold the names of the columns: add it where it is missing, and call one of them prompt. An operator can also set aliases or prompt_template for the inbox.",
        )

    def images(self, values: Sequence[Json]) -> list[Said]:
        """Every cell that names pictures, or the default."""
        said = [self._cell(at, values) for at in self._map.images if not is_blank(values[at])]
        default = self._defaults.fields.get("image")
        return said or ([default] if default else [])

    def extras(self, values: Sequence[Json]) -> dict[str, Said]:
        """What is said of parameters that the server takes besides OpenAI's."""
        if not self._map.extras and not self._defaults.extras:
            return {}
        return {**self._defaults.extras, **dict(self._cells(self._map.extras, values))}

    def strangers(self, values: Sequence[Json]) -> dict[str, Said]:
        """What is said of parameters that nobody takes here."""
        if not self._strangers and not self._defaults.strangers:
            return {}
        return {**self._defaults.strangers, **dict(self._cells(self._strangers, values))}

    def for_template(self, values: Sequence[Json]) -> dict[str, Json]:
        """Values under the names that the template writes; those of absent columns are absent."""
        filled: dict[str, Json] = {}
        for name, index in self._asked.items():
            default = self._defaults.keys.get(header_key(name))
            at = None if index is None else self._at(index, values)
            if at is not None and not (default is not None and is_blank(values[at])):
                filled[name] = values[at]
            elif default is not None:
                filled[name] = default
        if self._all_asked:
            filled[COLUMNS] = dict(zip(self._map.names, values, strict=False))
        return filled

    def _at(self, index: int, values: Sequence[Json]) -> int:
        """Where a row says what the column `index` is for: rows of JSON and YAML name their values
        themselves, and not all of a drop need to use the same name for a field. None is what is not said.
        """
        if not self._map.further or values[index] is not None:
            return index
        others = self._map.further.get(index, ())
        return next((at for at in others if values[at] is not None), index)

    def _cell(self, index: int, values: Sequence[Json]) -> Said:
        return Said(column=self._map.names[index], value=values[index])

    def _cells(
        self, indexes: Mapping[str, int], values: Sequence[Json]
    ) -> Iterator[tuple[str, Said]]:
        for name, index in indexes.items():
            if not is_blank(values[index]):
                yield name, self._cell(index, values)

    def _asked_index(self, name: str) -> int | None:
        """The column that a template calls `name`: as written, by its key, or as a field."""
        if name in self._map.names and header_key(name) in self._map.keys:
            return self._map.names.index(name)
        key = header_key(name)
        return self._map.keys.get(key, self._map.fields.get(name))


def _layer(values: Mapping[str, Json], by: Literal["inbox", "drop"]) -> Iterator[tuple[str, Said]]:
    for name, value in values.items():
        if not is_blank(value):
            yield header_key(name), Said(column=name, value=value, by=by)
