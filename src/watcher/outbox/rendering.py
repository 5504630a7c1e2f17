"""A process that makes copies, one picture at a time: an order a line on its input, an answer a line on its output.

It ends with its input, so that it outlives nobody, and has no key, no network and no ledger.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from watcher.core.channels import Origin, Recipe, Rendition, Watermark
from watcher.core.errors import DiskError
from watcher.core.xmp import xmp_packet
from watcher.outbox.files import Outbox
from watcher.outbox.pictures import BadPicture
from watcher.outbox.renditions import copied, has_credentials, opened

_POLITE = 10  # calls and people come first
_DROPPED = "The content credentials of the picture are not in this copy."


class PictureToCopy(Protocol):
    """As the ledger tells of it; `file` is relative to the job's `folder`."""

    @property
    def folder(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def origin(self) -> Origin: ...


def order(root: Path, picture: PictureToCopy, recipes: Sequence[Recipe]) -> str:
    """One line: the copies of one picture."""
    return json.dumps(
        {"root": str(root), "folder": picture.folder, "file": picture.file, "format": picture.format,
         "recipes": [asdict(recipe) for recipe in recipes], "origin": asdict(picture.origin)}
    )  # fmt: skip


def answered(line: str) -> tuple[list[Rendition], str]:
    """What came of an order; and, where a disk refused it, what that said."""
    told: Mapping[str, Any] = json.loads(line)
    return [Rendition(**one) for one in told["made"]], told["disk"]


def main(orders: BinaryIO, answers: BinaryIO) -> None:
    with suppress(OSError):
        os.nice(_POLITE)
    for line in orders:
        made: list[Rendition] = []
        disk = ""
        try:
            made = _carried_out(json.loads(line))
        except DiskError as error:
            disk = f"{error.what} {error.hint}".strip()
        told = {"made": [asdict(one) for one in made], "disk": disk}
        answers.write(json.dumps(told).encode() + b"\n")
        answers.flush()


def _carried_out(said: Mapping[str, Any]) -> list[Rendition]:
    outbox = Outbox(Path(said["root"]))
    recipes = [_recipe(one) for one in said["recipes"]]
    folder, file, real_format = said["folder"], said["file"], said["format"]
    content = outbox.read(folder, file)
    try:
        image = opened(content, real_format)
    except BadPicture as error:
        return [Rendition(channel=recipe.name, problem=str(error)) for recipe in recipes]
    remark = _DROPPED if has_credentials(content, real_format) else ""
    made = []
    for recipe in recipes:
        xmp = xmp_packet(recipe, Origin(**said["origin"]))
        try:
            copy = copied(image, recipe, own_format=real_format, xmp=xmp)
        except BadPicture as error:
            made.append(Rendition(channel=recipe.name, problem=str(error)))
            continue
        name = outbox.save_rendition(folder, recipe.name, file, copy)
        made.append(
            Rendition(channel=recipe.name, file=name, width=copy.width, height=copy.height,
                      bytes=len(copy.content), quality=copy.quality, remark=remark)
        )  # fmt: skip
    return made


def _recipe(said: Mapping[str, Any]) -> Recipe:
    recipe = Recipe(**said)
    mark = said["watermark"]
    return replace(recipe, watermark=Watermark(**mark) if mark else None)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the daemon, which ends us
    main(sys.stdin.buffer, sys.stdout.buffer)
