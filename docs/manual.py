# noqa: INP001 - a program of its own, run by `make man`
"""Writes manual pages from the commands' own help: one for the program, one a command. `manual.py FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from watcher import __version__
from watcher.cli.pages import PROGRAM, CommandPage, Option, pages
from watcher.cli.words import Exit

FILES = {
    "/etc/image-watcher/watcher.yaml": "The settings, where no others are named.",
    "/var/lib/image-watcher": "The state folder of the service: the ledger and what it relies on.",
}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in manual().items():
        (folder / name).write_text(text, encoding="utf-8")


def manual() -> dict[str, str]:
    """Each page by its file name."""
    found = list(pages())
    made = {f"{_name(page)}.1": _of_command(page) for page in found}
    return {f"{PROGRAM}.1": _of_program(found), **made}


def _of_program(found: list[CommandPage]) -> str:
    return _roff(
        PROGRAM,
        "files dropped into a folder become pictures",
        [
            ("SYNOPSIS", [f".B {PROGRAM}", r"[\-\-version] [\-\-help] \fICOMMAND\fR"]),
            (
                "DESCRIPTION",
                ["Drop files into an inbox; find pictures, rows and what happened in the outbox."],
            ),
            (
                "COMMANDS",
                [line for page in found for line in _item(f"{PROGRAM} {page.name}", page.summary)],
            ),
            (
                "EXIT STATUS",
                [line for code in Exit for line in _item(str(code.value), code.meaning)],
            ),
            ("FILES", [line for path, what in FILES.items() for line in _item(path, what)]),
            ("SEE ALSO", [", ".join(rf"\fB{_escaped(_name(page))}\fR(1)" for page in found)]),
        ],
    )


def _of_command(page: CommandPage) -> str:
    sections = [
        ("SYNOPSIS", [f".B {_escaped(page.usage)}"]),
        ("DESCRIPTION", list(_paragraphs((page.summary, *page.text)))),
        ("OPTIONS", [line for one in (*page.arguments, *page.options) for line in _option(one)]),
        ("EXIT STATUS", list(_paragraphs((page.exits,))) if page.exits else []),
        ("SEE ALSO", [rf"\fB{_escaped(PROGRAM)}\fR(1)"]),
    ]
    summary = page.summary.partition(". ")[0].rstrip(".")
    return _roff(_name(page), summary, sections)


def _roff(name: str, summary: str, sections: list[tuple[str, list[str]]]) -> str:
    head = f'.TH "{_escaped(name.upper())}" 1 "" "{PROGRAM} {__version__}" "User commands"'
    lines = [head, ".SH NAME", rf"{_escaped(name)} \- {_escaped(summary)}"]
    for heading, content in sections:
        lines += [f".SH {heading}", *content] if content else []
    return "\n".join(lines) + "\n"


def _paragraphs(texts: tuple[str, ...]) -> Iterator[str]:
    for at, text in enumerate(texts):
        if at:
            yield ".PP"
        yield _escaped(text)


def _option(one: Option) -> list[str]:
    default = f" Default: {one.default}." if one.default else ""
    return _item(one.typed, one.help + default)


def _item(what: str, text: str) -> list[str]:
    return [".TP", rf"\fB{_escaped(what)}\fR", _escaped(text) or r"\&"]


def _name(page: CommandPage) -> str:
    return f"{PROGRAM}-{page.name.replace(' ', '-')}"


def _escaped(text: str) -> str:
    """For troff: no hyphen that breaks what is to be copied, no line that begins a request."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    main()
