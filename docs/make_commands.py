# noqa: INP001 - a program of its own, run by `make docs`
"""Writes docs/commands.md from the commands' own help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from watcher.cli.pages import CommandPage, Option, pages
from watcher.cli.words import Exit

PAGE = Path(__file__).parent / "commands.md"
INTRO = """\
# Commands

This page is made from the commands' own help by `make docs`; do not correct it by hand. `image-watcher COMMAND --help` shows the same,
and `make man` makes manual pages of it.

Without `--config` the settings are those of `WATCHER_CONFIG`, else `./config/watcher.yaml`, else `/etc/image-watcher/watcher.yaml`.
Commands work beside a running daemon. Colour and width follow the terminal; `NO_COLOR` turns colour off. `--json` prints JSON and
nothing else on standard output. `image-watcher --install-completion` makes the shell complete commands, options and jobs.

## Exit codes

| code | meaning |
|---|---|
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole of docs/commands.md."""
    codes = "".join(f"| {code.value} | {code.meaning} |\n" for code in Exit)
    return INTRO + codes + "".join(map(_section, pages()))


def _section(page: CommandPage) -> str:
    return "\n".join(_lines(page)) + "\n"


def _lines(page: CommandPage) -> Iterator[str]:
    yield f"\n## `{page.name}`\n"
    yield f"`{page.usage}`\n"
    for text in (page.summary, *page.text, page.exits):
        if text:
            yield f"{_plain(text)}\n"
    if rows := [*map(_row, page.arguments), *map(_row, page.options)]:
        yield "| | |\n|---|---|"
        yield from rows


def _row(option: Option) -> str:
    default = f" (default `{option.default}`)" if option.default else ""
    return f"| `{option.typed}` | {_plain(option.help)}{default} |"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    main()
