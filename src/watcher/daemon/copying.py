"""Settings → the copies that each inbox asks for, and who makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.core.channels import Recipe, Watermark
from watcher.daemon.serving import Serving
from watcher.renditions import Copier, Renderer
from watcher.settings import Inbox, Rendition
from watcher.settings.rendition import Watermark as WatermarkSettings

if TYPE_CHECKING:
    from watcher.daemon.daemon import Daemon


def make_renderers(daemon: Daemon) -> tuple[Renderer, ...]:
    """One for each inbox, by the settings as they are when a picture comes."""

    def of(name: str, one: Serving) -> Renderer:
        return Renderer(
            inbox=name,
            ledger=daemon.ledger,
            copier=Copier(outbox=one.outbox),
            recipes=lambda: recipes(daemon.settings.inboxes[name]),
            log=daemon.log,
        )

    return tuple(of(name, one) for name, one in daemon.serving.items())


def recipes(inbox: Inbox) -> tuple[Recipe, ...]:
    """The copies that an inbox asks for."""
    return tuple(map(_recipe, inbox.renditions))


def _recipe(said: Rendition) -> Recipe:
    mark = said.watermark
    return Recipe(
        name=said.name, width=said.width, height=said.height, fit=said.fit,
        background=said.background, format=said.format, quality=said.quality,
        max_bytes=said.max_bytes or 0, tell=said.tell,
        watermark=_watermark(mark) if mark else None,
    )  # fmt: skip


def _watermark(said: WatermarkSettings) -> Watermark:
    return Watermark(
        file=str(said.file), corner=said.corner, width=said.width, opacity=said.opacity
    )
