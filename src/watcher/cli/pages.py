"""The commands as they describe themselves, for the page of commands and the manual."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer.main import get_command

from watcher.cli.app import app

PROGRAM = "image-watcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option or argument: how it is typed, what it does, what holds without it."""

    typed: str
    help: str
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPage:
    """One command's help. `exits`: its exit codes, a sentence; "" where there are only those of all commands."""

    name: str
    usage: str
    summary: str
    text: tuple[str, ...]
    exits: str
    arguments: tuple[Option, ...]
    options: tuple[Option, ...]


def pages() -> Iterator[CommandPage]:
    """Every command, by name; those below another one with both names."""
    yield from _below(get_command(app), ())


def _below(command: Any, path: tuple[str, ...]) -> Iterator[CommandPage]:  # noqa: ANN401 - Typer's own kind of click
    for name, one in sorted(getattr(command, "commands", {}).items()):
        if hasattr(one, "commands"):
            yield from _below(one, (*path, name))
        elif not one.hidden:
            yield _page(one, " ".join((*path, name)))


def _page(command: Any, name: str) -> CommandPage:  # noqa: ANN401 - as above
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    told = [" ".join(paragraph.split()) for paragraph in paragraphs]
    exits = [text for text in told if text.startswith("Exit code")]
    arguments = [_option(one) for one in command.params if one.param_type_name == "argument"]
    options = [_option(one) for one in command.params if one.param_type_name == "option"]
    typed = " ".join(one.typed for one in arguments)
    return CommandPage(
        name=name,
        usage=" ".join(filter(None, (PROGRAM, name, "[OPTION]…" if options else "", typed))),
        summary=told[0],
        text=tuple(text for text in told[1:] if text not in exits),
        exits=" ".join(exits),
        arguments=tuple(arguments),
        options=tuple(options),
    )


def _option(one: Any) -> Option:  # noqa: ANN401 - as above
    default = one.default
    if one.param_type_name == "argument":
        typed = f"{one.name.upper()}{'…' if one.nargs == -1 else ''}"
    else:
        kind = "" if one.is_flag else f" {one.opts[0].strip('-').upper()}"
        typed = ", ".join((*one.opts, *one.secondary_opts)) + kind
        default = None if one.is_flag else default
    shown = "" if callable(default) or default in {None, (), ""} else str(default)
    return Option(typed=typed, help=str(one.help or ""), default=shown)
