"""Checks of pictures through the real daemon: told in the results, or asked for again, once and no more."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from tests.system.house import INBOX, Job, Values, house, prompts_csv, sandbox, wait_for

TRANSPARENT = "gpt-image-2.5-flare"


def checking(**checks: str) -> Values:
    return {
        "limits": {"concurrency": 1},
        "inboxes": {INBOX: {"checks": checks, "reuse_days": 0}},
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def adjusted(job: Job) -> list[str]:
    return [row["result_adjustments"] for row in job.rows]


def table(*rows: dict[str, str]) -> str:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue()


def test_a_blank_picture_is_asked_for_again_once(tmp_path: Path) -> None:
    """`redo`: the blank one is put aside, another takes its place; one that stays blank is kept and told of."""
    faults = ["blank:1 prompt~again", "blank prompt~always"]
    with (
        sandbox(faults=faults) as api,
        house(tmp_path, api.base_url, checking(blank="redo")) as home,
    ):
        home.drop("list.csv", prompts_csv(["a house", "again a moon", "always a sky"]))
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"] * 3
        assert api.stats()["calls"] == 5
        assert names(job.folder / "images") == ["1-1.png", "2-1.png", "3-1.png"]
        assert names(job.folder / "redone") == ["2-1.png", "3-1.png"]
        assert [row["result_attempts"] for row in job.rows] == ["1", "2", "2"]
        good, again, always = adjusted(job)
        assert good == ""
        assert again == "picture: images/2-1.png → as it is, asked for again (it is almost blank)"
        assert "asked for again" in always
        assert always.endswith("picture: images/3-1.png → as it is (it is almost blank)")
        assert "almost blank" in (job.folder / "index.html").read_text("utf-8")
        assert (job.folder / "images/2-1.png").stat().st_size > 4 * (
            job.folder / "redone/2-1.png"
        ).stat().st_size


def test_what_is_only_told_is_not_asked_for_again(tmp_path: Path) -> None:
    """`warn`: no transparency, another format, twins: one call a row, each said in its results."""
    rows = table(
        {"prompt": "cut out", "background": "transparent", "model": TRANSPARENT},
        {"prompt": "other", "output_format": "webp"},
        {"prompt": "the same"},
        {"prompt": "the same"},
    )
    on = checking(transparency="warn", size="warn", duplicates="warn")
    faults = ["blank prompt~cut out", "wrong_format prompt~other"]
    with sandbox(faults=faults) as api, house(tmp_path, api.base_url, on) as home:
        home.drop("list.csv", rows)
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"] * 4
        assert api.stats()["calls"] == 4
        clear, other, first, second = adjusted(job)
        assert "background: transparent → opaque" in clear
        assert "output_format: webp → png" in other
        late = 3 if second else 2  # of twins the one that came later
        twins = ("images/3-1.png", "images/4-1.png")
        mine, other = twins[late - 2], twins[3 - late]
        told = f"picture: {mine} → as it is (it can hardly be told from {other})"
        assert sorted((first, second)) == ["", told]
        found = job.records[late]["result_adjustments"][0]
        assert found["column"] == "picture"
        assert not (job.folder / "redone").exists()


def test_nothing_is_looked_for_unless_asked(tmp_path: Path) -> None:
    """Without `checks` a blank picture is a picture."""
    with sandbox(faults=["blank"]) as api, house(tmp_path, api.base_url) as home:
        home.drop("list.json", json.dumps([{"prompt": "one", "background": "transparent"}]))
        job = home.wait_over("list.json")
        assert job.statuses == ["done"]
        assert adjusted(job) == [""]
        assert api.stats()["calls"] == 1


def test_twins_are_known_after_a_crash(tmp_path: Path) -> None:
    """What was delivered before a kill -9 is compared with what comes after it."""
    on = checking(duplicates="warn")
    with (
        sandbox(faults=["quota:1 prompt~wait"]) as api,
        house(tmp_path, api.base_url, on) as home,
    ):
        home.drop("list.csv", prompts_csv(["the same", "wait", "the same"]))
        wait_for(lambda: home.events("lane.halted"), what="the second row waits")
        home.restart()
        job = home.wait_over("list.csv")
        assert "can hardly be told from images/1-1.png" in adjusted(job)[2]
