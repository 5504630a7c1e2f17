"""results.jsonl and job.json."""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.core.report_values import BEGUN, done, failed, job

from watcher.core.jobs import JobState, Json, Problem
from watcher.core.links import PublicLinks
from watcher.core.report import job_json, json_text, results_jsonl
from watcher.core.results import AttemptRecord

_VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_a_line_holds_the_row_and_all_that_is_known_of_it() -> None:
    """The drop's own fields stand at the top, ours follow with sizes, hashes, usage and every attempt."""
    (line,) = results_jsonl(job(), [done(1)], links=PublicLinks(base="https://pics.example"))
    said = json.loads(line)
    assert (said["sku"], said["description"]) == ("mug", "A mug")
    assert said["result_status"] == "done"
    assert said["result_cost_usd"] == 0.021
    assert said["result_urls"] == ["https://pics.example/mugs--2r2kb9sgzdg69/images/mug1-1.png"]
    assert said["result_pictures"] == [
        {"index": 1, "file": "images/mug1-1.png", "format": "png", "width": 1024, "height": 1024,
         "bytes": 1500000, "sha256": "ab" * 32, "print": "", "choice": ""}
    ]  # fmt: skip
    assert said["result_usage"] == {"text_in": 12, "image_in": 0, "image_out": 1056, "text_out": 0}
    assert said["result_attempt_log"] == [
        {"number": 1, "started_at": "2026-09-21T14:13:20Z", "seconds": 8.25, "outcome": "answered",
         "model": "", "status": 200, "code": "", "request_id": "", "paid_maybe": False}
    ]  # fmt: skip


def test_what_is_not_known_is_null() -> None:
    """An unknown cost is not a cost of nothing."""
    attempt = AttemptRecord(
        number=1, started_at=BEGUN, seconds=None, outcome="ambiguous", paid_maybe=True
    )
    (line,) = results_jsonl(job(), [failed(2, attempts=(attempt,), seconds=None, usage=None)])
    said = json.loads(line)
    assert (said["result_cost_usd"], said["result_seconds"], said["result_usage"]) == (
        None,
        None,
        None,
    )
    assert said["result_possibly_charged"] == 1


@given(st.lists(st.text(), max_size=6), st.lists(_VALUES, max_size=6))
def test_no_field_is_lost_or_doubled(columns: list[str], values: list[Json]) -> None:
    """Every line is one line of JSON with every value of its row, even under twin or missing names."""
    (line,) = results_jsonl(job(columns=tuple(columns)), [done(1, values=tuple(values))])
    said = json.loads(line)
    own = [value for name, value in said.items() if not name.startswith("result_")]
    kept = [
        value
        for column, value in zip(columns, values, strict=False)
        if not column.strip().lower().startswith("result_")
    ]
    assert own == kept
    assert line.endswith("}\n")
    assert line.count("\n") == 1


def test_the_summary_of_a_job() -> None:
    """job.json has counts of every state, times, cost, settings and version."""
    rows = [done(1), failed(2)]
    over = job(
        rows, state=JobState.PARTIAL, ended_at=BEGUN + 90.5, cost_usd=Decimal("0.021"), unpriced=1,
        settings={"key": "•••"}, encoding="cp1252", notes=("cp1252 was detected.",),
    )  # fmt: skip
    assert job_json(over, version="0.1.0") == {
        "id": "2r2kb9sgzdg69", "inbox": "products", "name": "mugs.csv",
        "folder": "mugs--2r2kb9sgzdg69", "state": "partial", "paused": None, "problem": None,
        "created_at": "2026-09-21T14:13:20Z", "ended_at": "2026-09-21T14:14:50Z", "seconds": 90.5,
        "rows": 2,
        "counts": {"queued": 0, "running": 0, "waiting": 0, "done": 1, "partial": 0, "failed": 1, "cancelled": 0},
        "pictures": 1, "attempts": 2, "cost_usd": 0.021, "estimate_usd": None, "unpriced": 1,
        "possibly_charged": 0, "columns": ["sku", "description"], "encoding": "cp1252",
        "possibly_charged_usd": None,
        "notes": ["cp1252 was detected."], "settings": {"key": "•••"}, "version": "0.1.0",
    }  # fmt: skip


def test_a_summary_is_readable_json() -> None:
    """job.json of a refused drop says why, in text that stays readable for eyes."""
    refused = job(
        state=JobState.FAILED, problem=Problem(code="x", what="Nicht lesbar: ä.", hint="Neu.")
    )
    text = json_text(job_json(refused, version="0.1.0"))
    assert '"what": "Nicht lesbar: ä."' in text
    assert json.loads(text)["cost_usd"] is None
