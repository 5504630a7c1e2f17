"""kill -9 at 200 random moments of a 200-row job with 20 calls at a time, through the real process.

Demand (issue 4): no row lost, paid − kept ≤ the calls in flight without an answer on disk, nothing
paid twice whose answer had arrived. A number as argument: the seed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import SystemRandom

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.system.kills import check_money, check_nothing_left, check_results, play

seed = int(sys.argv[1]) if sys.argv[1:] else SystemRandom().randrange(10**6)
sys.stdout.write(f"seed {seed}\n")
with tempfile.TemporaryDirectory() as folder:
    killed = play(Path(folder), rows=200, kills=200, concurrency=20, latency=(0.2, 0.6), seed=seed)
    sys.stdout.write(f"{killed}\n")
    check_results(killed)
    check_nothing_left(killed)
    check_money(killed)
