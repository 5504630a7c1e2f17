"""An empty account: `python bench/quota.py [--rows 5000]`. Demand: one call, every other row stays queued, and
all are done without a touch once there is money.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.system.quota import play


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rows", type=int, default=5000)
    rows = reader.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        seen = play(Path(folder) / "house", rows, timeout=1200)
    print(f"{rows} rows without money: {seen.calls_without_money} call, {seen.queued} queued; "
          f"with money: {dict(seen.statuses)} after {seen.calls} calls, {seen.probes} of them probes")  # fmt: skip
    good = seen.calls_without_money == 1 and seen.queued == rows and seen.statuses["done"] == rows
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
