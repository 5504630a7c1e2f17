"""An account without money: what is asked for, what waits, and what happens when the money is back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.house import house, prompts_csv, sandbox, wait_for

# A probe every 6 seconds instead of every 5 minutes.
SETTINGS = {
    "limits": {"concurrency": 8},
    "api": {"probe_minutes": [0.1]},
    "inboxes": {"main": {"batch_size": 8}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`calls_without_money`: before the first probe. `probes`: further calls until the money was back."""

    calls_without_money: int
    queued: int
    code: str
    note: str
    probes: int
    calls: int
    statuses: Mapping[str, int]


def play(folder: Path, rows: int, *, timeout: float = 180.0) -> Seen:
    """A drop of so many rows on an empty account; the money comes back after the first probe."""
    with sandbox(faults=["quota"], picture_bytes=2_000) as api, house(folder, api.base_url, SETTINGS) as home:  # fmt: skip
        home.drop("rows.csv", prompts_csv([f"row {at}" for at in range(rows)]))
        halted = wait_for(lambda: home.events("lane.halted"), 60, "the lane is halted")
        wait_for(lambda: home.note("rows.csv").startswith("paused"), 60, "the note says so")
        first, note = api.stats()["calls"], home.note("rows.csv")
        job = json.loads(home.command("status", "--json").stdout)["jobs"][0]
        wait_for(lambda: api.stats()["calls"] > first, 60, "the lane is probed")
        api.misbehave()
        before = api.stats()["by_status"].get("429", 0)
        over = home.wait_over("rows.csv", timeout)
        stats = api.stats()
        probes = stats["by_status"].get("429", 0) - first
        assert before <= stats["by_status"].get("429", 0)
        return Seen(
            calls_without_money=first,
            queued=job["counts"]["queued"],
            code=halted[0]["code"],
            note=note,
            probes=probes,
            calls=stats["calls"],
            statuses=Counter(over.statuses),
        )
