"""Copies for four channels of 1,000 pictures of 1.5 MB (`--count`): how many a second and core, and how much memory.

Pictures as models make them: a gradient with grain, 1024 x 1024, PNG. Through the processes that the daemon
uses, one a core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from watcher.core.channels import Origin, Recipe, presets
from watcher.ledger import DuePicture
from watcher.outbox import Outbox, look_at_picture
from watcher.renditions import Copier

CHANNELS = ("amazon", "shopify", "instagram", "web")
_KINDS = 8  # different pictures; the rest are links to them
_MEGA = 1_000_000


def picture(seed: int) -> bytes:
    slope = Image.linear_gradient("L").resize((1024, 1024)).rotate(seed * 23)
    bands = [
        Image.blend(slope.rotate(turn), Image.effect_noise((1024, 1024), 18), 0.35)
        for turn in (0, 90, 180)
    ]
    sink = BytesIO()
    Image.merge("RGB", bands).save(sink, "PNG")
    return sink.getvalue()


def fill(outbox: Outbox, count: int) -> list[DuePicture]:
    outbox.create()
    outbox.prepare("job")
    pictures = []
    for number in range(1, count + 1):
        name = f"images/{number}-1.png"
        if number <= _KINDS:
            content = picture(number)
            outbox.save_picture("job", f"{number}-1", 1, content, look_at_picture(content))
        else:
            first = outbox.root / "job" / f"images/{(number - 1) % _KINDS + 1}-1.png"
            os.link(first, outbox.root / "job" / name)
        origin = Origin(model="m", prompt="a mug", edited=False)
        pictures.append(DuePicture(job_id="j", folder="job", number=number, index=1, file=name,
                                   format="png", origin=origin))  # fmt: skip
    return pictures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    cores = os.cpu_count() or 1
    recipes = [Recipe(name=name, **presets()[name]) for name in CHANNELS]
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder))
        pictures = fill(outbox, count)
        problems: list[str] = []
        began = time.monotonic()
        asyncio.run(
            Copier(outbox=outbox, processes=cores).copy(
                pictures,
                recipes,
                lambda _, made: problems.extend(one.problem for one in made if one.problem),
            )
        )
        took = time.monotonic() - began
        size = sum(file.stat().st_size for file in Path(folder).rglob("renditions/*/*"))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime
    print(
        f"{count} pictures, {len(recipes)} copies each, {size / _MEGA:.0f} MB, {len(problems)} problems"
    )
    print(
        f"{took:.1f} s on {cores} cores; {busy / count * 1000:.0f} ms of processor time a picture"
    )
    print(
        f"{count / busy:.2f} pictures, {count * len(recipes) / busy:.1f} copies a second of processor time"
    )
    print(f"a process: at most {used.ru_maxrss / 1024:.0f} MB")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
