"""`costs` and `estimate`: what was paid, and what a file would cost."""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from watcher.cli.common import AsJson, Config, load_settings, open_ledger
from watcher.core.catalogue import Catalogue
from watcher.core.errors import DropError, LedgerError, WatcherError
from watcher.core.report.times import counted, dollars
from watcher.daemon.rooms import inbox_rules
from watcher.intake import FileEstimate, InboxRules, estimate_file
from watcher.ledger import Cost
from watcher.settings import Settings

_AGO = re.compile(r"(\d{1,5})([hdw])")
_SPANS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_COLUMNS = (
    "name", "calls", "images", "usd", "maybe_usd", "possibly_charged", "unpriced", "reused", "saved_usd",
)  # fmt: skip


class By(StrEnum):
    """What a line of the costs stands for."""

    DAY = "day"
    MODEL = "model"
    INBOX = "inbox"
    JOB = "job"
    LANE = "lane"


def costs(
    by: Annotated[By, typer.Option("--by", help="What a line stands for.")] = By.DAY,
    since: Annotated[
        str, typer.Option("--since", help="A day (2026-11-01), or so long ago: 24h, 7d, 4w.")
    ] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, for a spreadsheet.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Add up what was paid: by day, model, inbox, job or lane, from what the API counted.

    Unknown is never nothing: `unpriced` calls have no known price, and `maybe_usd` is what calls
    without an end may have cost besides, at most. `saved_usd` is what reused rows did not cost.
    """
    moment = _moment(since, time.time())
    with open_ledger(load_settings(config).settings) as ledger:
        lines = ledger.costs.by(by.value, since=moment)
    if as_json:
        typer.echo(json.dumps({"by": by.value, "lines": [_plain(line) for line in lines]}))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, _COLUMNS)
        writer.writeheader()
        writer.writerows(_plain(line) for line in lines)
    else:
        Console().print(_table(by, lines))


def estimate(
    file: Annotated[Path, typer.Argument(help="What would be dropped.", show_default=False)],
    inbox: Annotated[
        str | None, typer.Option("--inbox", help="Whose settings count; not needed for one inbox.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Say what a file would cost if it were dropped: rows, images, tokens and dollars. Asks for nothing."""
    from watcher.cli.process import choose_inbox  # noqa: PLC0415 - it brings the daemon along

    settings = load_settings(config).settings
    name, _ = choose_inbox(settings, inbox)
    if not file.is_file():
        raise DropError(f"{file} is no file.", "Name a file that is there.")
    rules = inbox_rules(settings, name, datetime.now(UTC).date())
    found = _estimated(file, rules, settings)
    if as_json:
        typer.echo(json.dumps(_estimate_json(found)))
    else:
        typer.echo("\n".join(_estimate_words(file, found)))


def _estimated(file: Path, rules: InboxRules, settings: Settings) -> FileEstimate:
    catalogue = Catalogue.shipped(settings.api.models)
    try:
        with open_ledger(settings) as ledger:
            paid = partial(ledger.paid.known, since=rules.paid_since(time.time()))
            return estimate_file(file, rules, catalogue, paid if rules.reuse_days else _nothing)
    except LedgerError:  # nothing was ever paid here
        return estimate_file(file, rules, catalogue, _nothing)


def _nothing(_asked: Collection[str]) -> Collection[str]:
    return ()


def _estimate_json(found: FileEstimate) -> dict[str, object]:
    return {
        "rows": found.rows,
        "failing": found.failing,
        "images": found.estimate.images,
        "tokens": found.estimate.tokens,
        "usd": float(found.estimate.usd),
        "unpriced": found.estimate.unpriced,
        "reused": found.estimate.reused,
        "reused_usd": float(found.estimate.reused_usd),
        "bulk_usd": float(found.estimate.bulk_usd),
    }


def _estimate_words(file: Path, found: FileEstimate) -> list[str]:
    known = dollars(found.estimate.usd) or "$0.00"
    lines = [f"{file.name}: {counted(found.rows, 'row')}, about {known}."]
    lines += found.estimate.sentences()
    if found.first is not None:
        hint = f"{found.first.what} {found.first.hint}".strip()
        lines.append(
            f"{counted(found.failing, 'row')} would fail and cost nothing. The first: {hint}"
        )
    return lines


def _moment(since: str, now: float) -> float:
    """Seconds since the epoch. Raises WatcherError for what is neither a day nor a span."""
    if not since:
        return 0.0
    if found := _AGO.fullmatch(since.lower()):
        return now - int(found[1]) * _SPANS[found[2]].total_seconds()
    try:
        return datetime.fromisoformat(since).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise WatcherError(
            f"--since {since} is neither a day nor a span.", "Say 2026-11-01, or 24h, 7d, 4w."
        ) from None


def _plain(line: Cost) -> dict[str, object]:
    return {
        name: float(value) if isinstance(value, Decimal) else value
        for name, value in asdict(line).items()
    }


_ALWAYS = {"calls", "images", "cost"}
_MONEY = {"cost", "possibly more", "saved"}


def _table(by: By, lines: Sequence[Cost]) -> Table:
    table = Table(show_footer=True, box=None, pad_edge=False)
    sums: list[tuple[str, Callable[[Cost], Decimal | int]]] = [
        ("calls", lambda line: line.calls),
        ("images", lambda line: line.images),
        ("cost", lambda line: line.usd),
        ("possibly more", lambda line: line.maybe_usd),
        ("unpriced calls", lambda line: line.unpriced),
        ("reused rows", lambda line: line.reused),
        ("saved", lambda line: line.saved_usd),
    ]
    # What there is none of takes no room: seven columns fit no narrow terminal.
    told = [(title, value) for title, value in sums if title in _ALWAYS or any(map(value, lines))]
    table.add_column(by.value, "total", overflow="fold")
    for title, value in told:
        total = _shown(sum(map(value, lines)), money=title in _MONEY)
        table.add_column(title, total, justify="right", overflow="fold")
    for line in lines:
        table.add_row(
            line.name, *(_shown(value(line), money=title in _MONEY) for title, value in told)
        )
    return table


def _shown(value: Decimal | int, *, money: bool) -> str:
    return dollars(Decimal(value)) if money else f"{value:,}"
