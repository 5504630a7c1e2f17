"""Jobs and rows to report on, and what people write into cells when they mean harm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from watcher.core.jobs import (
    Adjustment,
    JobState,
    Json,
    Operation,
    Picture,
    Problem,
    RowState,
    Usage,
)
from watcher.core.results import AttemptRecord, JobResult, RowResult

BEGUN = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
REFUSED = Problem(
    code="moderation_blocked",
    what="The API refused this prompt.",
    hint="Describe it in other words.",
)
HARM = (
    "<script>alert(1)</script>",
    "</textarea></script><img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "javascript:alert(1)",
    "'; alert(1); '",
    "{{7*7}}{% raw %}${x}%s{0.__class__}",
    "]]><!--",
    '=HYPERLINK("http://evil","x")',
    "\u202egnp.exe\u0000\u001b[31m",
    "😀 " + "x" * 10_000,
    "&lt;b&gt;&#60;script&#62;",
)


def picture(file: str = "images/mug-1.png", **changes: Any) -> Picture:  # noqa: ANN401
    values: dict[str, Any] = {
        "index": 1,
        "file": file,
        "format": "png",
        "width": 1024,
        "height": 1024,
        "bytes": 1_500_000,
        "sha256": "ab" * 32,
    }
    return Picture(**{**values, **changes})


def done(number: int = 1, values: tuple[Json, ...] = ("mug", "A mug"), **changes: Any) -> RowResult:  # noqa: ANN401
    made: dict[str, Any] = {
        "number": number,
        "values": values,
        "state": RowState.DONE,
        "operation": Operation.GENERATE,
        "model": "gpt-image-2.5-flare",
        "prompt": "A mug, matte",
        "parameters": {"size": "1024x1024"},
        "adjustments": (
            Adjustment(column="size", found="512x512", used="1024x1024", why="too small"),
        ),
        "pictures": (picture(f"images/mug{number}-1.png"),),
        "attempts": (
            AttemptRecord(number=1, started_at=BEGUN, seconds=8.25, outcome="answered", status=200),
        ),
        "cost_usd": Decimal("0.0210"),
        "usage": Usage(text_in=12, image_out=1056),
        "seconds": 8.25,
        "request_id": "req_1",
        "source": "api",
    }
    return RowResult(**{**made, **changes})


def failed(
    number: int = 2,
    values: tuple[Json, ...] = ("chair", "A chair"),
    **changes: Any,  # noqa: ANN401
) -> RowResult:
    made = {"state": RowState.FAILED, "problem": REFUSED, "pictures": (), "cost_usd": None}
    return done(number, values, **{**made, "adjustments": (), **changes})


def job(rows: Sequence[RowResult] = (), **changes: Any) -> JobResult:  # noqa: ANN401
    made: dict[str, Any] = {
        "id": "2r2kb9sgzdg69",
        "inbox": "products",
        "name": "mugs.csv",
        "folder": "mugs--2r2kb9sgzdg69",
        "state": JobState.RUNNING,
        "columns": ("sku", "description"),
        "created_at": BEGUN,
        "counts": Counter(row.state for row in rows),
        "attempts": sum(len(row.attempts) for row in rows),
        "pictures": sum(len(row.pictures) for row in rows),
    }
    return JobResult(**{**made, **changes})
