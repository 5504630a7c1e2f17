"""Files that a person hands over by a command: a drop under the first free name, and the pictures beside it."""

from __future__ import annotations

import hashlib
import os
from itertools import count
from pathlib import Path

from watcher.core.errors import InboxError
from watcher.inbox import beneath
from watcher.inbox.pictures import sha256_in
from watcher.inbox.put import put
from watcher.inbox.values import InboxFolder


def place(folder: InboxFolder, file: Path) -> Path:
    """Copy a file into an inbox, under its name or the first free one like it; returns where it lies.

    Raises as `put`, and InboxError where one done-marker lets in all drops of the inbox: it would let
    in what others have not finished.
    """
    marker = folder.require_done_marker
    if marker and "{name}" not in marker:
        raise InboxError(
            f"The inbox {folder.name} waits for the file {marker}, one for all drops of a folder.",
            f"Copy {file.name} into {folder.path} yourself, and make {marker} when all is there.",
        )
    names = (beneath.numbered(os.fsencode(file.name), number) for number in count(1))
    name = next(name for name in names if put(folder, name, file))
    return folder.path / os.fsdecode(name)


def place_beside(folder: InboxFolder, path: str, file: Path) -> bool:
    """Copy a picture that a drop names to `path` in an inbox; False where another picture has that name.

    Raises as `put`.
    """
    if put(folder, os.fsencode(path), file):
        return True
    with file.open("rb") as source:
        ours = hashlib.file_digest(source, "sha256").hexdigest()
    return sha256_in(folder, os.fsencode(path)) == ours
