"""Crashes of the intake: `python bench/crash.py [--runs 1000] [--seed N]`. Demand: no drop lost, no job twice.

Half of the runs go through the steps in order, the others die at random: at a step, during the
recovery after one, by SIGKILL; after a quarter of the deaths the database is lost as well.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from tests.system.intake_crash import Plan, count_steps, run

_TELL = 100  # runs between two lines


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--runs", type=int, default=1000)
    reader.add_argument("--seed", type=int, default=20261121)
    asked = reader.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311 - it chooses moments, and keeps no secret
    memory = Path("/dev/shm")  # noqa: S108 - a mount point, not a file
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as base:
        steps = count_steps(Path(base))
        print(f"{steps} steps in a life, seed {asked.seed}", flush=True)
        deaths = broken = 0
        for number in range(asked.runs):
            plan = Plan(steps=(1 + number // 2 * 2 * steps // asked.runs,))
            if number % 2:
                plan = Plan.by_chance(chance, steps)
            died, faults = run(Path(base) / str(number), plan)
            deaths += died
            if faults:
                broken += 1
                print(f"run {number}, {plan}: {'; '.join(faults)}", flush=True)
            shutil.rmtree(Path(base) / str(number))
            if (number + 1) % _TELL == 0:
                print(f"{number + 1} runs, {deaths} deaths, {broken} broken", flush=True)
    print(f"{asked.runs} runs, {deaths} deaths: {broken} lost a drop or took one twice")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
