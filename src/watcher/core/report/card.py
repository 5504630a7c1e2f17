"""One row as the gallery shows it: words and addresses, nothing left to decide for the template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from watcher.core.checklist import is_unmet
from watcher.core.headers import is_result_column
from watcher.core.jobs import OPEN_STATES, Picture, RowState
from watcher.core.report.cells import cell
from watcher.core.report.page import relative, shown
from watcher.core.report.spreadsheet import NEEDS_A_PERSON
from watcher.core.report.times import counted, dollars, iso, lasted, one_line
from watcher.core.results import RowResult

_LONG, _SHORT, _ALT, _TITLE, _VALUE = 4000, 220, 160, 120, 400  # characters
_MOST_COLUMNS = 40
_NAMES = ("name", "id", "sku", "title", "filename", "slug")
Facts = list[tuple[str, str]]  # label and value, of one line each
_KB, _MB = 1000, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture: addresses relative to the page; `thumbnail` "" where it has none.

    `drawing`: an SVG's address. It may hold script, which runs where a browser opens it as a page,
    and never where it is shown as an image; so `href` does not lead to it.
    """

    href: str
    drawing: str
    thumbnail: str
    alt: str
    about: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One row. `named`: the title is the row's own name, not its number; `trouble`: it needs a person."""

    number: int
    title: str
    named: bool
    state: RowState
    open: bool
    trouble: bool
    model: str
    prompt_start: str
    text_start: str
    what: str
    hint: str
    due: str | None
    marks: tuple[str, ...]
    adjusted: bool
    pictures: tuple[Shot, ...]
    texts: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, Facts], ...]


def card(row: RowResult, columns: tuple[str, ...], thumbnail: Callable[[Picture], str]) -> Card:
    """`columns`: the job's; `thumbnail`: where a picture's thumbnail stands, or ""."""
    own = [*_own(row, columns)]
    name = _name(own)
    problem = row.problem
    return Card(
        number=row.number,
        title=name or f"Row {row.number}",
        named=bool(name),
        state=row.state,
        open=row.state in OPEN_STATES or row.state is RowState.CANCELLED,
        trouble=row.state in NEEDS_A_PERSON,
        model=shown(row.model, _VALUE),
        prompt_start=shown(row.prompt, _SHORT),
        text_start=shown(row.text, _SHORT * 2),
        what=shown(problem.what, _LONG) if problem else "",
        hint=shown(problem.hint, _LONG) if problem else "",
        due=iso(row.due_at),
        marks=tuple(_marks(row)),
        adjusted=bool(row.adjustments),
        pictures=tuple(_shot(picture, row, name, thumbnail) for picture in row.live),
        texts=_texts(row),
        facts=_grouped(row, own),
    )


def _own(row: RowResult, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What the drop itself says of the row, without what it leaves empty."""
    pairs = zip(columns[:_MOST_COLUMNS], row.values, strict=False)
    for column, value in pairs:
        if (text := cell(value)) and not is_result_column(column):
            yield _fact(column, text)


def _fact(label: str, value: str) -> tuple[str, str]:
    return one_line(label[:_VALUE]), shown(one_line(value[: _VALUE + 1]), _VALUE)


def _name(own: Facts) -> str:
    named = {column.strip().lower(): text for column, text in reversed(own)}
    return next((shown(named[name], _TITLE) for name in _NAMES if name in named), "")


def _marks(row: RowResult) -> Iterator[str]:
    if row.adjustments:
        yield "adjusted"
    if any(map(is_unmet, row.adjustments)):
        yield "not met"
    if row.source == "cache":
        yield "reused"
    yield from sorted({picture.choice for picture in row.live} - {""})


def _shot(picture: Picture, row: RowResult, name: str, thumbnail: Callable[[Picture], str]) -> Shot:
    small = thumbnail(picture)
    size = f"{picture.width} × {picture.height}" if picture.width else ""
    about = (picture.choice, size, picture.format.upper(), _weight(picture.bytes), picture.file)
    address = relative(picture.file)
    drawing = address if picture.format == "svg" else ""
    return Shot(
        href=f"#r{row.number}" if drawing else address,
        drawing=drawing,
        thumbnail=relative(small) if small else "",
        alt=shown(row.prompt or name or picture.file, _ALT),
        about=shown(" · ".join(filter(None, about)), _VALUE),
        width=picture.width,
        height=picture.height,
    )


def _weight(count: int) -> str:
    return f"{count / _MB:.1f} MB" if count >= _MB else f"{max(1, round(count / _KB))} kB"


def _texts(row: RowResult) -> tuple[tuple[str, str], ...]:
    texts = (("Text", row.text), ("Prompt", row.prompt))
    return tuple((heading, shown(text, _LONG)) for heading, text in texts if text)


def _grouped(row: RowResult, own: Facts) -> tuple[tuple[str, Facts], ...]:
    mended = [_fact(one.column, f"{one.found} → {one.used} ({one.why})") for one in row.adjustments]
    made = [_fact(label, value) for label, value in _facts(row)]
    groups = (("Adjusted, or found by checks", mended), ("Made with", made), ("In your file", own))
    return tuple((heading, facts) for heading, facts in groups if facts)


def _facts(row: RowResult) -> Iterator[tuple[str, str]]:
    """What was asked for and what it took."""
    if row.model:
        yield "Model", row.model
    if row.operation:
        yield "Operation", row.operation
    yield from ((name, cell(value)) for name, value in row.parameters.items())
    if row.source == "cache":
        yield "Cost", "none: reused from an earlier job"
    elif row.attempts:
        yield "Cost", dollars(row.cost_usd) or "unknown"
    if row.seconds is not None:
        yield "Time", lasted(row.seconds)
    if row.attempts:
        yield "Calls", _calls(row)
    if row.request_id:
        yield "Request", row.request_id


def _calls(row: RowResult) -> str:
    maybe = sum(attempt.paid_maybe for attempt in row.attempts)
    return f"{len(row.attempts)}" + (
        f", {counted(maybe, 'call')} possibly charged" if maybe else ""
    )
