"""Pictures that were answered by address: kept for a while, and given out to whoever asks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_MOST = 100  # the oldest make room


@dataclass(slots=True)
class _Kept:
    content: bytes
    media_type: str
    gone_for: int


class Shelf:
    """The last 100 pictures by id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def put(self, id_: str, content: bytes, media_type: str, gone_for: int) -> None:
        """Keeps a picture; its first `gone_for` visitors do not find it."""
        self._kept[id_] = _Kept(content, media_type, gone_for)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def get(self, id_: str) -> tuple[bytes, str] | None:
        """The picture and its media type; None when it is not there, or not yet."""
        kept = self._kept.get(id_)
        if kept is None:
            return None
        if kept.gone_for > 0:
            kept.gone_for -= 1
            return None
        return kept.content, kept.media_type
