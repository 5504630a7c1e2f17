"""A job's folder on disk as a person finds it: drawings of the sandbox, their thumbnails, the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from tests.core.report_values import BEGUN, done, job

from watcher.core.catalogue import Catalogue
from watcher.core.jobs import JobState, Operation, Picture
from watcher.core.naming import safe_stem, thumbnail_file
from watcher.core.report import COVERS, gallery_html, overview_html, thumbnail_of
from watcher.core.results import JobResult, RowResult
from watcher.outbox import Outbox, look_at_picture
from watcher.sandbox.asked import PicturesAsked
from watcher.sandbox.drawing import draw, svg

_MODEL = next(
    iter(one for one in Catalogue.shipped().models.values() if one.takes(Operation.GENERATE))
)


def drawing(prompt: str, *, width: int = 640, height: int = 640, label: str = "") -> bytes:
    """A JPEG that the sandbox draws for a prompt."""
    sink = BytesIO()
    draw(_asked(prompt, width, height), label).convert("RGB").save(sink, "JPEG", quality=88)
    return sink.getvalue()


def vector(prompt: str, *, width: int = 640, height: int = 640) -> bytes:
    """An SVG that the sandbox draws for a prompt."""
    return svg(_asked(prompt, width, height)).encode()


def _asked(prompt: str, width: int, height: int) -> PicturesAsked:
    return PicturesAsked(
        operation=Operation.GENERATE, model=_MODEL, model_name=_MODEL.id, prompt=prompt,
        parameters=frozenset(), width=width, height=height,
    )  # fmt: skip


class Room:
    """The outbox `root` with the folder of one job."""

    def __init__(self, root: Path, folder: str = "mugs--2r2kb9sgzdg69") -> None:
        self.outbox = Outbox(root)
        self.outbox.create()
        self.outbox.prepare(folder)
        self.folder = folder
        self.pictures: list[Picture] = []
        self.page = root / folder / "index.html"
        self.overview = root / "index.html"

    def keep(self, stem: str, content: bytes, index: int = 1) -> Picture:
        facts = look_at_picture(content)
        self.pictures.append(self.outbox.save_picture(self.folder, stem, index, content, facts))
        return self.pictures[-1]

    def row(
        self,
        number: int,
        name: str,
        prompt: str,
        *,
        pictures: int = 1,
        size: tuple[int, int] = (640, 640),
        **changes: object,
    ) -> RowResult:
        """A row that is done, its pictures in place."""
        width, height = size
        saved = [
            self.keep(
                safe_stem(f"{name}-{index}", fallback="thing"),
                drawing(prompt, width=width, height=height, label=f"{index}"),
                index,
            )
            for index in range(1, pictures + 1)
        ]
        return done(
            number, (name, prompt), **{"pictures": tuple(saved), "prompt": prompt, **changes}
        )

    def many(self, count: int, *pictures: Picture) -> list[RowResult]:
        """That many rows, each with a file and a thumbnail of its own, which are links to those of `pictures`."""
        rows = []
        for number in range(1, count + 1):
            known = pictures[number % len(pictures)]
            new = replace(known, file=f"images/many-{number}.jpg")
            for name in (lambda one: one.file, lambda one: thumbnail_file(one.file)):
                (self.page.parent / name(new)).hardlink_to(self.page.parent / name(known))
            rows.append(
                done(number, (f"thing {number}", f"A thing {number}, matte"), pictures=(new,))
            )
        return rows

    def publish(
        self,
        rows: Sequence[RowResult],
        of: JobResult | None = None,
        thumbnail: Callable[[Picture], str] = thumbnail_of,
    ) -> None:
        over = of or job(rows, state=JobState.PARTIAL, ended_at=BEGUN + 90, folder=self.folder)
        text = gallery_html(over, lambda: rows, now=BEGUN + 60, thumbnail=thumbnail)
        self.outbox.write_text(self.folder, "index.html", text)

    def publish_overview(
        self, jobs: Sequence[JobResult], covers: Mapping[str, Sequence[Picture]] | None = None
    ) -> None:
        """`covers`: the first pictures of jobs, by folder."""
        shown = covers or {}
        text = overview_html(
            jobs, now=BEGUN + 60, covers=lambda one: shown.get(one.folder, ())[:COVERS]
        )
        self.outbox.write_text("", "index.html", text)
