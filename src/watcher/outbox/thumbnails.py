"""The thumbnails of one job, as its gallery asks for them. They are made as pictures arrive; one that a
crash, a full disk or a person took away is made again.
"""

from __future__ import annotations

import os
from contextlib import suppress

from watcher.core.errors import DiskError
from watcher.core.jobs import Picture
from watcher.core.report import thumbnail_of
from watcher.outbox.files import Outbox
from watcher.outbox.pictures import BadPicture, look_at_picture


class Thumbnails:
    """Asked picture by picture; `most` missing ones are made again, since each takes about 30 ms."""

    def __init__(self, outbox: Outbox, folder: str, *, most: int) -> None:
        self._outbox = outbox
        self._folder = folder
        self._left = most

    def of(self, picture: Picture) -> str:
        """Where the thumbnail of a picture stands, relative to the job's folder; "" where there is none."""
        name = thumbnail_of(picture)
        if not name or name == picture.file or self._is_there(name):
            return name
        return name if self._made_again(picture) else ""

    def _is_there(self, name: str) -> bool:
        return os.path.lexists(self._outbox.root / self._folder / name)

    def _made_again(self, picture: Picture) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        with suppress(DiskError, BadPicture):  # a gallery is as good without
            thumbnail = look_at_picture(self._outbox.read(self._folder, picture.file)).thumbnail
            if thumbnail:
                self._outbox.save_thumbnail(self._folder, picture.file, thumbnail)
            return bool(thumbnail)
        return False
