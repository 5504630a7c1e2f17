"""`metadata/<picture>.json`: how one picture came to be, so that it can be asked for again, or accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal

from watcher.core.jobs import Answer, Json, OpenItem, Picture
from watcher.core.pictures import kept_picture
from watcher.core.report.times import iso


def trace(
    item: OpenItem,
    answer: Answer,
    picture: Picture,
    *,
    sent: Mapping[str, Json],
    made: int,
    cost_usd: Decimal | None,
    asked_at: float | None,
    kept_at: float,
) -> dict[str, Json]:
    """`sent`: the fields of the call, under the server's own names. `made`: how many pictures the call
    brought: usage and cost are those of the whole call. Times are seconds since the epoch.
    """
    one = item.item
    return {
        "job": item.job_id,
        "row": item.number,
        "index": picture.index,
        **asdict(picture),
        "operation": one.operation,
        "model": one.model,
        "prompt": one.prompt,
        "revised_prompt": answer.revised_prompt or None,
        "sent": dict(sent),
        "pictures_sent": [_input(role, reference) for role, reference in _inputs(item)],
        "adjustments": [asdict(adjustment) for adjustment in one.adjustments],
        "request_id": answer.request_id or None,
        "usage": None if answer.usage is None else asdict(answer.usage),
        "cost_usd": None if cost_usd is None else float(cost_usd),
        "pictures_of_the_call": made,
        "attempt": item.asked,
        "asked_at": iso(asked_at),
        "kept_at": iso(kept_at),
    }


def _inputs(item: OpenItem) -> list[tuple[str, str]]:
    one = item.item
    named = [
        *(("image", image) for image in one.images),
        ("mask", one.mask),
        ("markup", one.markup),
    ]
    return [(role, reference) for role, reference in named if reference]


def _input(role: str, reference: str) -> dict[str, Json]:
    kept = kept_picture(reference)
    if kept is None:
        return {"role": role, "url": reference}
    return {"role": role, "name": kept.name, "format": kept.format, "sha256": kept.sha256}
