"""Every figure that the intake has to show, on this machine: `python bench/intake.py [--quick]`.

--quick takes fewer files and shorter waits, and says so in each line; its limits are the same, but for
waits that are scaled down. Exit code 1 when a figure falls short.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from tests.system import intake_figures as figures
from tests.system import intake_repairs as repairs
from tests.system.house import sandbox

_YARDSTICK = 10_000_000
SETTLE, POLL = 2.0, 5.0  # seconds, as they are set where nothing else is said


def _large_csv(folder: Path, rows: int) -> list[figures.Figure]:
    with sandbox(latency="0.2") as api:
        return figures.large_csv(folder, api.base_url, rows)


def measures(*, quick: bool) -> Iterator[Callable[[Path], list[figures.Figure]]]:
    """What is measured, each in a folder of its own."""
    some = 60 if quick else 400
    yield partial(figures.storm, count=3_000 if quick else 100_000)
    yield partial(figures.slow_writers, count=300 if quick else 10_000)
    events: dict[str, Any] = {"settle": SETTLE, "watch": "events"}
    polling: dict[str, Any] = {"settle": SETTLE, "watch": "poll", "poll_interval": POLL}
    yield partial(figures.latencies, count=some, limit=SETTLE + 0.5, what="events", **events)
    yield partial(
        figures.latencies, count=some, limit=1.5, what="renamed in", renamed=True, **events
    )
    # As far apart as the polls are: a drop that comes while another settles would be seen sooner.
    yield partial(
        figures.latencies, count=some // 10, limit=SETTLE + POLL + 1, what="polling", gap=POLL,
        **polling,
    )  # fmt: skip
    yield partial(repairs.missed_event, rescan=6 if quick else repairs.RESCAN)
    yield partial(repairs.deaf_watcher, probe=3 if quick else repairs.PROBE)
    yield partial(figures.idle, seconds=10 if quick else 60)
    yield partial(_large_csv, rows=100_000 if quick else 1_000_000)


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--quick", action="store_true", help="fewer files, shorter waits")
    reader.add_argument("--folder", type=Path, help="where to measure; a local disk")
    reader.add_argument("--only", default="", help="those whose name holds this: storm, idle, …")
    asked = reader.parse_args()
    print(f"{os.cpu_count()} cores, {_machine()}", flush=True)
    well = True
    for measure in measures(quick=asked.quick):
        name = getattr(measure, "func", measure).__name__
        if asked.only in name:
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                for figure in measure(Path(folder) / "house"):
                    print(figure, flush=True)
                    well = well and figure.holds
    print(f"afterwards: {_machine()}", flush=True)
    return 0 if well else 1


def _machine() -> str:
    """How busy it is: what others do on it makes every second of processor time do less."""
    began = time.thread_time()
    for _ in range(_YARDSTICK):
        pass
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    took = 1000 * (time.thread_time() - began)
    return f"load {loads}; {_YARDSTICK:,} rounds of an empty loop take {took:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
