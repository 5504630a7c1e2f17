"""Fair shares: between priorities by weight, in each between inboxes, in each between jobs.

A path is (priority, inbox, job). At each level the one is next that has had the least for its
weight; between inboxes and between jobs first of all the one with the fewest calls in flight, so
that slow rows of one do not fill every turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TypeAlias

Path: TypeAlias = tuple[int, str, str]
_Prefix: TypeAlias = tuple[int | str, ...]

_WEIGHTS = {0: 27.0, 1: 9.0, 2: 3.0, 3: 1.0}  # of priorities, 0 urgent to 3 low
_AHEAD = 0.001  # who comes new is before who was served just now, and behind who has waited


class Shares:
    """What each has had, on clocks that run as fast as there is something to share out."""

    def __init__(self) -> None:
        self._had: dict[_Prefix, float] = {}
        self._clocks: dict[_Prefix, float] = {}
        self._in_flight: Counter[_Prefix] = Counter()

    def join(self, path: Path) -> None:
        for prefix in _prefixes(path):
            clock = self._clocks.setdefault(prefix[:-1], 0.0)
            self._had.setdefault(prefix, clock - (_AHEAD if len(prefix) > 1 else 0.0))

    def rank(self, path: Path) -> tuple[float, ...]:
        """The lowest is next."""
        priority, inbox, job = _prefixes(path)
        had = [round(self._had.get(prefix, 0.0), 6) for prefix in (priority, inbox, job)]
        return (had[0], path[0], self._in_flight[inbox], had[1], self._in_flight[job], had[2])

    def serve(self, path: Path, cost: float, competing: Collection[Path]) -> None:
        """A turn goes to this one; `competing`: all who want turns or have them, this one too."""
        self.join(path)
        for prefix in _prefixes(path):
            clock = self._clocks[prefix[:-1]]
            self._had[prefix] = max(self._had[prefix], clock) + cost / _weight(prefix)
            rivals = {
                one[: len(prefix)] for one in competing if one[: len(prefix) - 1] == prefix[:-1]
            }
            self._clocks[prefix[:-1]] = clock + cost / sum(map(_weight, rivals | {prefix}))
            self._in_flight[prefix] += 1

    def end(self, path: Path) -> None:
        for prefix in _prefixes(path):
            self._in_flight[prefix] -= 1

    def keep(self, competing: Collection[Path]) -> None:
        """Forget all others."""
        kept = {prefix for path in competing for prefix in _prefixes(path)}
        parents = {prefix[:-1] for prefix in kept}
        self._had = {prefix: had for prefix, had in self._had.items() if prefix in kept}
        self._clocks = {prefix: at for prefix, at in self._clocks.items() if prefix in parents}
        self._in_flight = +self._in_flight


def _prefixes(path: Path) -> tuple[_Prefix, _Prefix, _Prefix]:
    return path[:1], path[:2], path


def _weight(prefix: _Prefix) -> float:
    return _WEIGHTS.get(int(prefix[0]), 1.0) if len(prefix) == 1 else 1.0
