"""How many pictures a minute are drawn: a bucket that fills evenly, and what its headers say."""

from __future__ import annotations

from collections.abc import Callable

# Said where nothing is limited, so that clients always find the headers.
_PLENTY = 1_000_000


class ImageLimit:
    """At most `per_minute` pictures at once, refilled evenly over a minute; None: no limit.

    `clock` tells monotonic seconds.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left = float(per_minute or 0)
        self._seen = clock()

    @property
    def per_minute(self) -> int | None:
        return self._per_minute

    def take(self, pictures: int) -> float:
        """Takes as many pictures; else takes none and tells the seconds until they are there."""
        if self._per_minute is None:
            return 0.0
        self._fill(self._per_minute)
        wanted = min(pictures, self._per_minute)
        # The small sum forgives the last digit of many small fillings.
        if self._left + 1e-9 >= wanted:
            self._left -= wanted
            return 0.0
        return (wanted - self._left) * 60 / self._per_minute

    def refill(self) -> None:
        """A full bucket again."""
        self._left, self._seen = float(self._per_minute or 0), self._clock()

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` by kind; `reset` is when the bucket is full, written like 58.9s or 1m2.5s."""
        headers = _limit_headers("requests", _PLENTY, _PLENTY, 0.0)
        if self._per_minute is not None:
            self._fill(self._per_minute)
            full_in = (self._per_minute - self._left) * 60 / self._per_minute
            headers |= _limit_headers("images", self._per_minute, int(self._left + 1e-9), full_in)
        return headers

    def _fill(self, per_minute: int) -> None:
        now = self._clock()
        self._left = min(float(per_minute), self._left + (now - self._seen) * per_minute / 60)
        self._seen = now


def duration(seconds: float) -> str:
    """Seconds as the API writes them: 120ms, 58.891s, 1m2.5s."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".")
    return f"{minutes:.0f}m{text}s" if minutes else f"{text}s"


def _limit_headers(kind: str, limit: int, left: int, reset: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{kind}": str(limit),
        f"x-ratelimit-remaining-{kind}": str(left),
        f"x-ratelimit-reset-{kind}": duration(reset),
    }
