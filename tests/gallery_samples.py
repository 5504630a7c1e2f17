"""A job such as people have: what the pictures of the documentation show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tests.core.report_values import BEGUN, done, failed, job
from tests.gallery_room import Room, drawing

from watcher.core.jobs import Adjustment, JobState, Picture, Problem, RowState
from watcher.core.report import COVERS
from watcher.core.results import JobResult, RowResult

_WIDE, _TALL = (768, 512), (512, 768)
_THINGS: tuple[tuple[str, str, tuple[int, int]], ...] = (
    ("mug-blue", "A sky-blue stoneware mug on a pale oak table, soft morning light from the left", (640, 640)),
    ("mug-kitchen", "The same sky-blue stoneware mug in a bright kitchen, steam rising, shallow depth of field", _WIDE),
    ("backpack-olive", "An olive canvas backpack with leather straps, standing upright, studio photo on light grey", _TALL),
    ("lamp-brass", "A slim brass reading lamp, switched on, warm pool of light on an open book", (640, 640)),
    ("sneaker-white", "A white low-top sneaker seen from the side, floating, crisp shadow below", _WIDE),
    ("candle-set", "Three beeswax candles of different heights, tied with linen ribbon, on dark slate", (640, 640)),
    ("chair-oak", "A round-backed oak dining chair, three-quarter view, seamless off-white background", _TALL),
    ("tea-tin", "A square tea tin with a botanical label, lid beside it, loose green tea scattered around", (640, 640)),
    ("lighthouse", "A lighthouse on a basalt cliff at dusk, long exposure of the waves", _WIDE),
    ("night-market", "Paper-cut illustration of a night market, lanterns, warm colours", (640, 640)),
    ("greenhouse", "Isometric drawing of a small greenhouse full of tomato plants", (640, 640)),
    ("umbrella", "A folded umbrella with a bamboo handle leaning against a whitewashed wall", _TALL),
    ("bowl-set", "Four nesting bowls in speckled glaze, seen from above on linen", (640, 640)),
    ("bicycle", "A city bicycle with a wicker basket in front of a florist's shop", _WIDE),
    ("notebook", "A cloth-bound notebook with a ribbon, open at a blank page, pencil beside it", (640, 640)),
    ("kettle", "An enamel kettle on a gas flame, steam against a dark window", (640, 640)),
)  # fmt: skip
_REFUSED = Problem(
    code="moderation_blocked",
    what="The API's safety system refused this prompt.",
    hint="Describe it in other words; the same words are refused again.",
)
_NO_PROMPT = Problem(
    code="no_prompt",
    what="The row has no prompt.",
    hint="Fill in the column prompt.",
    column="prompt",
)
_FEWER = Problem(
    code="fewer",
    what="The API made 2 of 3 pictures.",
    hint="Drop failed.csv again to ask for the one that is missing.",
)


def rows(room: Room) -> Iterator[RowResult]:
    """Rows of every kind, in row order."""
    for number, (name, prompt, size) in enumerate(_THINGS, start=1):
        about: dict[str, object] = {
            "parameters": {"size": f"{size[0] * 2}x{size[1] * 2}", "quality": "medium"},
            "adjustments": (),
            "cost_usd": Decimal("0.0340"),
        }
        if number in {4, 11}:
            about["adjustments"] = (
                Adjustment(
                    column="quality",
                    found="hd",
                    used="high",
                    why="the API's word for it since 2025",
                ),
            )
        if number in {9, 14}:
            about["model"] = "gpt-image-2.5-sunburst"
        if number == 8:
            about |= {"state": RowState.PARTIAL, "problem": _FEWER}
        yield room.row(
            number, name, prompt, size=size, pictures={8: 2, 10: 4}.get(number, 1), **about
        )
    after = len(_THINGS)
    yield failed(
        after + 1,
        ("poster-retro", "A poster in the style of …"),
        problem=_REFUSED,
        prompt="A poster of a well-known cartoon mouse at the seaside",
        adjustments=(),
    )
    yield failed(
        after + 2,
        ("vase", ""),
        problem=_NO_PROMPT,
        prompt="",
        model="",
        parameters={},
        attempts=(),
        operation=None,
        seconds=None,
        request_id="",
    )
    yield done(
        after + 3,
        ("mug-describe", ""),
        pictures=(),
        prompt="Describe this product for a web shop.",
        text="A rounded stoneware mug in a sky-blue matte glaze, with a broad handle and an unglazed foot. It stands on a pale oak table; the light falls from the left.",
        adjustments=(),
        model="gpt-6-luna",
        operation=None,
    )
    for more in range(4, 8):
        state = RowState.RUNNING if more < 6 else RowState.QUEUED
        yield done(
            after + more,
            (f"print-{more}", ""),
            state=state,
            pictures=(),
            attempts=(),
            cost_usd=None,
            seconds=None,
            request_id="",
            prompt="A botanical print of a fern on cream paper",
            adjustments=(),
        )


def spring(root: Path) -> Room:
    """The outbox with one job that runs, and the list of several."""
    room = Room(root, "spring-catalogue--2r2kb9sgzdg69")
    all_rows = list(rows(room))
    mine, others = running(all_rows), several()
    room.publish(all_rows, mine)
    covers = {one.folder: list(_covers(root, one)) for one in others}
    room.publish_overview([mine, *others], {mine.folder: room.pictures, **covers})
    return room


def _covers(root: Path, one: JobResult) -> Iterator[Picture]:
    room = Room(root, one.folder)
    for number in range(min(COVERS, one.pictures)):
        yield room.keep(f"{number}", drawing(f"{one.name} {number}", width=320, height=320))


def running(all_rows: list[RowResult]) -> JobResult:
    return job(
        all_rows, name="spring-catalogue.csv", folder="spring-catalogue--2r2kb9sgzdg69",
        columns=("name", "prompt"), cost_usd=Decimal("0.64"), estimate_usd=Decimal("0.82"),
        notes=("The file's encoding is not said in it; cp1252 was taken.",),
    )  # fmt: skip


def several() -> list[JobResult]:
    """Jobs of other days, over in every way."""

    def one(number: int, name: str, state: JobState, **counts: int) -> JobResult:
        begun = BEGUN - 86_400 * number
        return job(
            id=f"2r2kb9sgzdg{number}", name=name, folder=f"{name.partition('.')[0]}--2r2kb9sgzdg{number}",
            state=state, created_at=begun, ended_at=begun + 420,
            counts=Counter({RowState(key): value for key, value in counts.items()}),
            pictures=counts.get("done", 0), cost_usd=Decimal(counts.get("done", 0)) * Decimal("0.034"), attempts=3,
        )  # fmt: skip

    return [
        one(1, "banners.json", JobState.DONE, done=24),
        one(2, "descriptions.csv", JobState.PARTIAL, done=117, failed=3),
        one(3, "lookbook-autumn.xlsx", JobState.DONE, done=860),
        one(4, "trial.prompt", JobState.FAILED, failed=1),
        one(6, "stickers.txt", JobState.CANCELLED, done=40, cancelled=160),
    ]
