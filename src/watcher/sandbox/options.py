"""What a sandbox can be started with."""

from __future__ import annotations

import re
from dataclasses import dataclass

from watcher.core.errors import SettingsError
from watcher.sandbox.faults import FaultRule


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox listens and behaves.

    `port` 0: any free one. `latency`: seconds from a call's admission to its answer, or the least
    and the most of them. `key`: the one key that is right; None: any will do, but one must be
    there. `images_per_minute`: of each model a bucket of that many pictures, filled evenly; None: no
    limit. `tells_limits`: its headers say so, as those of the real API.
    `picture_bytes`: about how large each PNG is made, as far as its pixels allow. `seed`: of all
    chance (latency, faults with a chance); None: another one each time.
    """

    host: str = "127.0.0.1"
    port: int = 8999
    latency: float | tuple[float, float] = 0.0
    faults: tuple[FaultRule, ...] = ()
    key: str | None = None
    images_per_minute: int | None = None
    tells_limits: bool = True
    picture_bytes: int | None = None
    seed: int | None = None

    @property
    def latency_range(self) -> tuple[float, float]:
        """The least and the most seconds of a call."""
        return self.latency if isinstance(self.latency, tuple) else (self.latency, self.latency)


def parse_latency(text: str) -> tuple[float, float]:
    """Seconds as `0.5`, or the least and the most as `0.2-1.5`. Raises SettingsError otherwise."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)(?:-(\d{1,6}(?:\.\d+)?))?", text.strip(), re.ASCII)
    least, most = (float(found[1]), float(found[2] or found[1])) if found else (1.0, 0.0)
    if least > most:
        raise SettingsError(
            f"The latency {text!r} cannot be used.",
            "Write seconds like 0.5, or the least and the most like 0.2-1.5.",
            code="latency",
        )
    return least, most
