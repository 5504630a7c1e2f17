"""How many pictures a minute are drawn of each model: a bucket that fills evenly, and what headers say.

Kinds of limits as in a real capture: requests, tokens, input-images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache, partial

# Said where nothing is limited, so that clients always find the headers.
_PLENTY = 1_000_000
_UNLIMITED = ("requests", "tokens")
_IMAGES = "input-images"


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

    def headers(self) -> Mapping[str, str]:
        """`x-ratelimit-*` by kind; `reset` is when the bucket is full, written like 58.9s or 1m2.5s."""
        if self._per_minute is None:
            return _plenty(*_UNLIMITED, _IMAGES)
        self._fill(self._per_minute)
        full_in = (self._per_minute - self._left) * 60 / self._per_minute
        left = int(self._left + 1e-9)
        mine = _limit_headers(_IMAGES, self._per_minute, left, full_in)
        return {**_plenty(*_UNLIMITED), **mine}

    def _fill(self, per_minute: int) -> None:
        now = self._clock()
        self._left = min(float(per_minute), self._left + (now - self._seen) * per_minute / 60)
        self._seen = now


class ImageLimits:
    """An `ImageLimit` for each model: the real ones do not share theirs either."""

    def __init__(self, per_minute: int | None, clock: Callable[[], float]) -> None:
        self._new = partial(ImageLimit, per_minute, clock)
        self._by_model: dict[str, ImageLimit] = defaultdict(self._new)

    def of(self, model: str) -> ImageLimit:
        """`model` "": of a call that was refused before its model was known, and takes nothing."""
        return self._by_model[model] if model else self._new()

    def refill(self) -> None:
        """Full buckets again."""
        self._by_model.clear()


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


@cache
def _plenty(*kinds: str) -> Mapping[str, str]:
    said = (_limit_headers(kind, _PLENTY, _PLENTY, 0.0) for kind in kinds)
    return {name: value for headers in said for name, value in headers.items()}
