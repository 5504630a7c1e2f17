"""kill -9 at any moment: nothing is lost, nothing is damaged, nothing is paid twice without need."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from random import SystemRandom

from tests.system.kills import check_money, check_nothing_left, check_results, play


def test_a_job_survives_twenty_kills(tmp_path: Path) -> None:
    """40 of 40 rows done, each picture whole and its own row's, at most the calls in flight paid again."""
    seed = int(os.environ.get("KILL_SEED", SystemRandom().randrange(10**6)))
    sys.stdout.write(f"KILL_SEED={seed}\n")
    killed = play(tmp_path, rows=40, kills=20, concurrency=4, latency=(0.25, 0.35), seed=seed)
    sys.stdout.write(f"{killed}\n")
    check_results(killed)
    check_nothing_left(killed)
    check_money(killed)
