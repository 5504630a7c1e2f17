"""Whether the wall's clock was set, or the machine slept: that explains much of what the log says next."""

from __future__ import annotations

from collections.abc import Callable

_LEAST = 60.0  # seconds


class Jumps:
    """Two clocks side by side, in seconds: the wall's, and one that nobody sets and that sleeps with the machine."""

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._was = self._ahead()

    def since(self) -> float:
        """Seconds by which the wall's clock jumped since the last call; 0 for less than a minute."""
        was, self._was = self._was, self._ahead()
        jump = self._was - was
        return jump if abs(jump) >= _LEAST else 0.0

    def _ahead(self) -> float:
        return self._clock() - self._monotonic()
