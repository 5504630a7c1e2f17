"""`image-watcher logs`: the daemon's log wherever it goes, as words or as JSON, of one job if asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from watcher.cli.common import AsJson, Config, load_settings
from watcher.core.errors import WatcherError
from watcher.daemon import read_about

_LOOK = 0.5  # seconds between two looks at a file that is followed
_LEVELS = ("debug", "info", "warning", "error")
_COLOURS = {"warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}
_OWN = frozenset({"time", "level", "event", "exception"})
_JOURNAL = "journal:"


def logs(
    config: Config = None,
    job: Annotated[
        str | None, typer.Option("--job", help="Only lines about this job.", show_default=False)
    ] = None,
    inbox: Annotated[
        str | None, typer.Option("--inbox", help="Only lines about this inbox.", show_default=False)
    ] = None,
    level: Annotated[
        str, typer.Option("--level", help="debug, info, warning or error: this, or worse.")
    ] = "debug",
    lines: Annotated[int, typer.Option("--lines", help="How many of the newest.", min=1)] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="The log, where it is not found by itself.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what the daemon logged: from the journal under systemd, else from the file it writes to.

    Exit codes: 0; 1 there is no such log; 2 --level is none of these.
    """
    if level not in _LEVELS:
        raise typer.BadParameter(f"{level} is none of {', '.join(_LEVELS)}.")
    place = str(file) if file else _place(config)
    wanted = _Wanted({"job": job, "inbox": inbox}, _LEVELS[_LEVELS.index(level) :])
    console = Console(highlight=False)
    newest = [line for line in map(_read, _source(place)) if line and wanted(line)][-lines:]
    for line in newest:
        _print(line, console, as_json=as_json)
    if follow:
        for text in _coming(place):
            if (line := _read(text)) and wanted(line):
                _print(line, console, as_json=as_json)


class _Wanted:
    def __init__(self, fields: Mapping[str, str | None], levels: tuple[str, ...]) -> None:
        self._fields = {name: value for name, value in fields.items() if value is not None}
        self._levels = {*levels, "critical"}

    def __call__(self, line: Mapping[str, Any]) -> bool:
        said = all(str(line.get(name)) == value for name, value in self._fields.items())
        return said and str(line.get("level", "info")) in self._levels


def _place(config: Path | None) -> str:
    """Where the daemon said that it logs to."""
    place = str(read_about(load_settings(config).settings.state_dir).get("log") or "")
    if not place:
        raise WatcherError(
            "It is not known where the daemon logs to: it writes to its standard error.",
            "Send that into a file and name it: image-watcher logs --file FILE.",
        )
    return place


def _source(place: str) -> Iterator[str]:
    if place.startswith(_JOURNAL):
        yield from _journal(place)
        return
    try:
        with Path(place).open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError as error:
        hint = "Name the file with --file."
        raise WatcherError(f"The log {place} cannot be read: {error.strerror}.", hint) from None


def _journal(place: str, *more: str) -> Iterator[str]:
    program = shutil.which("journalctl")
    if program is None:
        raise WatcherError("There is no journalctl on this machine.", "Name a file with --file.")
    command = [program, "--unit", place.removeprefix(_JOURNAL), "--output", "cat", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as child:  # noqa: S603 - our own command
        yield from child.stdout or ()


def _coming(place: str) -> Iterator[str]:
    """What is written from now on; a file that is rotated away is followed under its name."""
    if place.startswith(_JOURNAL):
        yield from _journal(place, "--follow", "--lines", "0")
        return
    path = Path(place)
    file, seen = path.open(encoding="utf-8", errors="replace"), path.stat().st_ino
    file.seek(0, 2)
    while True:
        while line := file.readline():
            yield line
        if path.exists() and (path.stat().st_ino != seen or path.stat().st_size < file.tell()):
            file.close()
            file, seen = path.open(encoding="utf-8", errors="replace"), path.stat().st_ino
        else:
            time.sleep(_LOOK)


def _read(text: str) -> dict[str, Any]:
    """A line as its fields; one that is no JSON is an event of its own."""
    try:
        line = json.loads(text)
    except ValueError:
        return {"event": text.rstrip("\n")} if text.strip() else {}
    return line if isinstance(line, dict) else {"event": text.rstrip("\n")}


def _print(line: Mapping[str, Any], console: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(line, ensure_ascii=False))
        return
    level = str(line.get("level", "info"))
    fields = " ".join(f"{name}={value}" for name, value in line.items() if name not in _OWN)
    text = f"{line.get('time', '')} {level:<7} {line.get('event', '')} {fields}".strip()
    console.print(Text(text, style=_COLOURS.get(level, "")), soft_wrap=True)
    if line.get("exception"):
        console.print(Text(str(line["exception"])), soft_wrap=True)
