# noqa: INP001 - a program of its own, run by `make pictures`
"""The pictures of docs/, small: from those that the tests took into build/screenshots. See: make pictures."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

_NAMES = ("failures", "light", "dark", "viewer", "phone", "all-jobs")
_MOST = {"phone": 390}  # pixels wide; the others 1000
_ROOT = Path(__file__).parents[1]

for name in _NAMES:
    with Image.open(_ROOT / "build" / "screenshots" / f"{name}.png") as taken:
        width = min(_MOST.get(name, 1000), taken.width)
        small = taken.convert("RGB").resize((width, round(taken.height * width / taken.width)))
        small.save(_ROOT / "docs" / "pictures" / f"{name}.webp", quality=72, method=6)
