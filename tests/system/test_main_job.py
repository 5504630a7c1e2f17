"""What the main job may take, of time and memory. Needs the machine for itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.system.main_job import MOST_BYTES, MOST_RATIO, Figures, measure

_SHARED = 0.03  # what neighbours on a shared machine may add; `make bench-main_job` allows nothing
_RUNS = 3  # whole runs at most: a neighbour on the machine only ever adds time


@pytest.mark.alone
def test_the_main_job_takes_its_ideal_time_and_little_memory(tmp_path: Path) -> None:
    """200 rows, five calls of 0.5 s at a time, 1.5 MB a picture: about 1.05 × 20 s, under 120 MB.

    Every run must hold memory and do each row once; the best of three tells the time it takes.
    """
    best = min(_runs(tmp_path), key=lambda figures: figures.ratio)
    assert best.ratio <= MOST_RATIO + _SHARED


def _runs(folder: Path) -> list[Figures]:
    """Runs until one is quick enough, each of them checked for all but its time."""
    runs: list[Figures] = []
    while len(runs) < _RUNS and all(one.ratio > MOST_RATIO for one in runs):
        figures = measure(folder / str(len(runs)))
        sys.stdout.write(f"{figures}\n")
        assert (figures.done, figures.paid) == (200, 200)
        assert figures.peak_bytes < MOST_BYTES
        runs.append(figures)
    return runs
