"""A server that allows so many images a minute, and how much of that is used, through the real process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.house import Sandbox, house, prompts_csv, sandbox

LEAST_USED = 0.98
MOST_REFUSED = 0.01
DROP = "many.csv"


@dataclass(frozen=True, kw_only=True)
class Used:
    """After the first while: seconds, pictures made, calls and how many of them were answered 429.

    `before` are the calls that were answered 429 until then.
    """

    per_minute: int
    seconds: float
    pictures: int
    calls: int
    refused: int
    before: int

    @property
    def share(self) -> float:
        return self.pictures / (self.per_minute * self.seconds / 60)

    @property
    def refused_share(self) -> float:
        return self.refused / max(self.calls, 1)

    @property
    def holds(self) -> bool:
        return self.share >= LEAST_USED and self.refused_share <= MOST_REFUSED

    def __str__(self) -> str:
        return (
            f"{self.share:.3f} of {self.per_minute} a minute used for {self.seconds:.0f} s, "
            f"{self.refused} of {self.calls} calls answered 429 ({self.refused_share:.2%}; {self.before} before)"
        )


def measure(
    folder: Path,
    *,
    per_minute: int,
    seconds: float,
    settle: float = 60.0,
    limit_headers: bool = True,
    settings: Mapping[str, Any] | None = None,
    concurrency: int = 8,
    latency: str = "0.5",
) -> Used:
    """One job of more rows than can be done; the first `settle` seconds after its first call do not count."""
    rows = round(per_minute * (settle + seconds + 120) / 60)
    limits = {"concurrency": concurrency, **(settings or {})}
    mine = {"limits": limits, "inboxes": {"main": {"batch_size": concurrency}}}
    with (
        sandbox(latency=latency, images_per_minute=per_minute, limit_headers=limit_headers) as api,
        house(folder, api.base_url, mine) as home,
    ):
        home.drop(DROP, prompts_csv([f"Tile number {number}" for number in range(rows)]))
        first = _first_call(api)
        before = _count(api, first + settle)
        after = _count(api, first + settle + seconds)
    return Used(
        per_minute=per_minute,
        seconds=after[0] - before[0],
        pictures=after[1] - before[1],
        calls=after[2] - before[2],
        refused=after[3] - before[3],
        before=before[3],
    )


def _first_call(api: Sandbox) -> float:
    """When it was, in seconds since the epoch."""
    while not (stats := api.stats())["first_call_at"]:
        time.sleep(0.02)
    return float(stats["first_call_at"])


def _count(api: Sandbox, at: float) -> tuple[float, int, int, int]:
    """Time, pictures, calls and calls answered 429, at that moment."""
    while time.time() < at:
        time.sleep(0.02)
    stats = api.stats()
    return time.time(), stats["pictures"], stats["calls"], stats["by_status"].get("429", 0)
