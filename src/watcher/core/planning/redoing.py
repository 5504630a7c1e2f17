"""A row that is asked again because a person did not like a picture of it: the same with a note, or an edit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import Item, Json, Operation, Problem, SourceRow
from watcher.core.naming import stems_taken
from watcher.core.pictures import KeptPicture
from watcher.core.planning.planner import Planner
from watcher.core.planning.rules import RowRules

_MOST_NOTE = 2_000  # characters
_COLUMN = "the picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How many pictures the row wants in all now, and what each new one is called."""

    n: int
    stems: tuple[str, ...]


def clean_note(text: str) -> str:
    """What a person wrote, as a part of a prompt."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return "\n".join(filter(None, lines))[:_MOST_NOTE]


def asked_anew(base: Item, notes: Sequence[str], n: int) -> Item:
    """The row once more, with every note that led to this picture. An equal result of before will not do."""
    prompt = "\n".join((base.prompt, *notes))
    return replace(base, prompt=prompt, n=n, reuse=False)


def as_edit(
    base: Item,
    picture: KeptPicture,
    notes: Sequence[str],
    *,
    n: int,
    rules: RowRules,
    catalogue: Catalogue,
) -> Item | Problem:
    """An edit of the picture by the last note (its own prompt without one), planned as a row of its own would be."""
    plain = replace(
        rules, prompt_template=None, prompt_prefix="", prompt_suffix="", coercion="lenient"
    )
    said: dict[str, Json] = {
        **base.parameters,
        "operation": Operation.EDIT.value,
        "image": _COLUMN,
        "prompt": notes[-1] if notes else base.prompt,
    }
    planned = Planner(plain, catalogue, list(said)).plan(
        SourceRow(number=1, values=tuple(said.values()))
    )
    if isinstance(planned, Problem):
        return planned
    return replace(
        planned, images=(str(picture),), name=base.name, n=n, reuse=False, checklist=base.checklist
    )


def asking(
    kept_stems: str,
    number: int,
    *,
    wanted: int,
    delivered: int,
    live: int,
    replaced: int,
    others: Iterable[str],
) -> Asking:
    """`wanted`: how many pictures the row wants good ones of; `live` of the `delivered` ones count as
    such, `replaced` of them no more. `others`: the kept stems of the job's other rows.
    """  # fmt: skip
    new = max(1, wanted - (live - replaced))
    stems = kept_stems.split("/")[:delivered]
    taken = stems_taken((*others, kept_stems))
    first = (kept_stems.split("/") or [f"row-{number}"])[0]
    for at in range(delivered + 1, delivered + new + 1):
        stems.append(taken.free(f"{first}-redo{at}", number))
    return Asking(n=delivered + new, stems=tuple(stems))
