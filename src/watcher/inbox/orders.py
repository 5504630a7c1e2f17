"""Orders that people give in the inbox itself: a file `<name>.CANCEL` or `<name>.APPROVED` beside where a
drop lay. Its note, renamed, is one as well, also where the desktop hides endings.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from enum import StrEnum

from watcher.inbox import beneath
from watcher.inbox.values import InboxFolder
from watcher.inbox.words import in_words

_NAME = re.compile(r"(.+?)(?:\.status)?\.(cancel|approved)(?:\.txt)?", re.IGNORECASE | re.DOTALL)


class Order(StrEnum):
    """What is wanted of a job."""

    CANCEL = "cancel"
    APPROVED = "approved"


def order_of(name: str) -> tuple[str, Order] | None:
    """The drop's name and the order, where a file of that name is one."""
    found = _NAME.fullmatch(name)
    return None if found is None else (found[1], Order(found[2].lower()))


def remove_order(folder: InboxFolder, path: bytes) -> None:
    """Take the file away that gave an order. Raises InboxError or DiskError."""
    where, _, name = path.rpartition(b"/")
    with (
        in_words(folder.path),
        beneath.root_of(folder.path) as root,
        suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        beneath.folder_at(root, where) as beside,
    ):
        os.unlink(name, dir_fd=beside)
