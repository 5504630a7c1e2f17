"""Bad weather: every row is done, few calls are wasted, and the totals are what the server charged."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

from tests.system.storm import MOST_CALLS, play, rows_in_the_storm

CENT = Decimal("0.01")


def test_a_storm(tmp_path: Path) -> None:
    """Of 200 rows 30 % meet a 429, 10 % a 500, 5 % a reset, 3 % a cut answer, 2 % a web page."""
    weathered = play(tmp_path, rows_in_the_storm(200, seed=7), faults=[])
    sys.stdout.write(f"{weathered}\n")
    assert weathered.statuses == {"done": 200}
    assert weathered.calls_a_row <= MOST_CALLS
    assert weathered.job.summary["unpriced"] == 0
    assert abs(weathered.told + weathered.possible - weathered.charged) < CENT
    assert weathered.job.summary["possibly_charged"] == 10 + 6
