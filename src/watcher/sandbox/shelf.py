"""Pictures that were answered by address: kept for a while, and given out to whoever asks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

_MOST = 100  # the oldest make room


@dataclass(slots=True, kw_only=True)
class Kept:
    """`gone_for`: so many visitors do not find it; `lag`: seconds that each of the others waits."""

    content: bytes
    media_type: str
    gone_for: int = 0
    lag: float = 0.0


class Shelf:
    """The last 100 pictures by id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def put(self, id_: str, kept: Kept) -> None:
        self._kept[id_] = kept
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def get(self, id_: str) -> Kept | None:
        """The picture; None when it is not there, or not yet."""
        kept = self._kept.get(id_)
        if kept is None:
            return None
        if kept.gone_for > 0:
            kept.gone_for -= 1
            return None
        return kept
