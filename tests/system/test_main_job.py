"""What the main job may take, of time and memory. Needs the machine for itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.system.main_job import MOST_BYTES, MOST_RATIO, measure


@pytest.mark.alone
def test_the_main_job_takes_its_ideal_time_and_little_memory(tmp_path: Path) -> None:
    """200 rows, five calls of 0.5 s at a time, 1.5 MB a picture: at most 1.05 × 20 s, under 120 MB."""
    figures = measure(tmp_path)
    sys.stdout.write(f"{figures}\n")
    assert (figures.done, figures.paid) == (200, 200)
    assert figures.ratio <= MOST_RATIO
    assert figures.peak_bytes < MOST_BYTES
