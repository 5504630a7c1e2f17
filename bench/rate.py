"""A server that allows N images a minute: how much of it is used, and how many calls it refuses.

Demand: at least 98 % used and at most 1 % of the calls answered 429, after the first
minute; where the server tells its limit, where it does not, and where the settings say it.
`--minutes`: how long each is measured after its first minute; `--per-minute`: N, one or several.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.system.rate import measure

WAYS = {
    "told by headers": {},
    "not told": {"limit_headers": False},
    "set, not told": {"limit_headers": False, "settings": "images_per_minute"},
}
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--minutes", type=float, default=4.0)
parser.add_argument("--per-minute", type=int, nargs="+", default=[60, 300])
arguments = parser.parse_args()

held = True
with tempfile.TemporaryDirectory() as folder:
    for per_minute in arguments.per_minute:
        for way, options in WAYS.items():
            setting = {"images_per_minute": per_minute} if "settings" in options else None
            used = measure(
                Path(folder) / f"{per_minute} {way}",
                per_minute=per_minute,
                seconds=60 * arguments.minutes,
                limit_headers=bool(options.get("limit_headers", True)),
                settings=setting,
            )
            sys.stdout.write(f"{way:16} {used}\n")
            sys.stdout.flush()
            held = held and used.holds
sys.exit(not held)
