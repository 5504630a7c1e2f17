"""A storm over 1,000 rows: 30 % 429, 10 % 5xx, 5 % resets, 3 % cut answers, 2 % web pages.

Demand (issue 4): all rows done, at most 1.7 calls a row, totals that agree with the server's count
to the cent. Twice: so many rows are struck once; then so many calls are struck, retries too, where
the calls alone that such weather takes are 1 / (0.7 × 0.9 × 0.95 × 0.97 × 0.98) = 1.76 a row.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.system.storm import MOST_CALLS, calls_in_the_storm, play, rows_in_the_storm

ROWS = 1000
calm = [f"Wave number {number}" for number in range(ROWS)]
with tempfile.TemporaryDirectory() as folder:
    by_row = play(Path(folder) / "rows", rows_in_the_storm(ROWS, seed=7), faults=[])
    sys.stdout.write(f"So many rows are struck once\n{by_row}\n\n")
    by_call = play(Path(folder) / "calls", calm, faults=calls_in_the_storm())
    sys.stdout.write(f"So many calls are struck\n{by_call}\n\n")
    patient = play(
        Path(folder) / "patient", calm, faults=calls_in_the_storm(), ambiguous=3, attempts=8
    )
    sys.stdout.write(f"The same with retry: ambiguous 3, attempts 8\n{patient}\n")
    held = by_row.statuses == {"done": ROWS} and by_row.calls_a_row <= MOST_CALLS
sys.exit(not held)
