"""The main job: 200 rows, five calls of 0.5 s at a time, pictures of 1.5 MB, through the real process.

Demand (issue 1): at most 1.05 × the ideal 20 s, and less than 120 MB of memory at the peak.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.system.main_job import MOST_BYTES, MOST_RATIO, measure

with tempfile.TemporaryDirectory() as folder:
    figures = measure(Path(folder))
sys.stdout.write(f"{figures}\n")
sys.exit(figures.ratio > MOST_RATIO or figures.peak_bytes >= MOST_BYTES)
