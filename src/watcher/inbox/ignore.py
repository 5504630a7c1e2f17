"""Which names are never drops: the built-in list (data/ignore.txt), the inbox's own patterns, and what we write."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from fnmatch import translate
from functools import cache
from importlib import resources

from watcher.inbox.values import NOTE_SUFFIX


def ignorer(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Says whether a name, not a path, is ignored; without case, and alike in NFC and NFD."""
    wanted = (*built_in(), "*" + NOTE_SUFFIX, *patterns)
    match = re.compile("|".join(translate(_folded(pattern)) for pattern in wanted)).match
    return lambda name: match(_folded(name)) is not None


@cache
def built_in() -> tuple[str, ...]:
    text = resources.files("watcher.inbox").joinpath("data/ignore.txt").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    # A comment has a space after its #; "#recycle" is a name.
    return tuple(line for line in lines if line and line != "#" and not line.startswith("# "))


def _folded(name: str) -> str:
    return (name if name.isascii() else unicodedata.normalize("NFC", name)).casefold()
