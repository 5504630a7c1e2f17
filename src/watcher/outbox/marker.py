"""The marker that tells an outbox from the empty folder that is left where its disk or share is away.

Pictures written there would be hidden, not kept, as soon as it is mounted again.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from watcher.core.errors import DiskError

NAME = ".image-watcher.id"
TEXT = "By this file image-watcher knows that its outbox is here, and not only the folder it is mounted on.\n"


def is_in(root: int) -> bool:
    """Whether the open folder `root` is an outbox. Raises OSError."""
    try:
        os.stat(NAME, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def away(root: Path) -> DiskError:
    marker = root / NAME
    return DiskError(
        f"The outbox is away: {root} is there, but not the marker {marker} in it.",
        f"Mount its disk or share again. If the folder was made anew on purpose, run: touch {shlex.quote(str(marker))}",
        code="disk_away",
    )
