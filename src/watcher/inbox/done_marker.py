"""The file that says that a drop is whole, where an inbox asks for one (`require_done_marker`).

`{name}.done`: each drop has its own, which goes where its drop goes. A pattern without `{name}` is
one file for all drops of its folder, and stays.
"""

from __future__ import annotations

import os
from contextlib import suppress

from watcher.inbox import beneath
from watcher.inbox.values import InboxFolder

_PLACE = "{name}"


def name_for(folder: InboxFolder, drop: bytes) -> bytes:
    """The marker that belongs to this one drop; b"" where none is asked for, or one serves a whole folder."""
    wanted = folder.require_done_marker or ""
    return os.fsencode(wanted).replace(_PLACE.encode(), drop) if _PLACE in wanted else b""


def awaited(folder: InboxFolder, drop: bytes) -> bytes:
    """The name of the file that must lie beside a drop of that name; b"" where none must."""
    return name_for(folder, drop) or os.fsencode(folder.require_done_marker or "")


def is_one(folder: InboxFolder, name: str) -> bool:
    """Whether a file of that name is a marker. Where `{name}.txt` marks, `notes.txt` is a drop all the same."""
    before, placeholder, after = (folder.require_done_marker or "").partition(_PLACE)
    if not placeholder:
        return bool(before) and name == before
    if not (name.startswith(before) and name.endswith(after)):
        return False
    marked = name[len(before) : len(name) - len(after)]
    kinds = folder.extensions
    return bool(marked) and (extension(marked) in kinds or extension(name) not in kinds)


def is_left_over(folder: InboxFolder, name: bytes) -> bool:
    """Whether this file in a claim can only be a marker whose drop is gone."""
    text = os.fsdecode(name)
    return extension(text) not in folder.extensions and is_one(folder, text)


def move(folder: InboxFolder, drop: bytes, source: int, new: bytes, target: int) -> None:
    """Move a drop's own marker, from one open folder to another, for a drop that is called `new` there.

    One that is not there, or cannot be moved, is no loss; nothing is renamed over.
    """
    if marker := name_for(folder, drop):
        with suppress(OSError):
            beneath.rename_new(source, marker, target, name_for(folder, new))


def extension(name: str) -> str:
    """In small letters, with its dot; "" where a name has none."""
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if stem and dot else ""
