"""Pictures judged by the checklist of their row, through the real daemon: told, asked again, never lost, never paid twice."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from tests.system.house import INBOX, House, Job, Values, house, sandbox, wait_for

MODEL, JUDGE = "gpt-image-2.5-flare", "gpt-6-luna"


def judging(vision: str = "warn", **more: object) -> Values:
    """Settings of an inbox whose pictures are judged, one call after the other."""
    return {
        "api": {"retry": {"attempts": 2, "base": 0.1, "longest": 0.2}},
        "limits": {"concurrency": 1},
        "inboxes": {INBOX: {"checks": {"vision": vision}, "reuse_days": 0, **more}},
    }


def drop(home: House, *rows: Values, name: str = "list.csv") -> None:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    home.drop(name, sink.getvalue())


def outcomes(job: Job, row: int = 0) -> list[str]:
    return [str(one["outcome"]) for one in job.records[row]["result_attempt_log"]]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def adjusted(job: Job) -> list[str]:
    return [row["result_adjustments"] for row in job.rows]


def test_what_a_picture_does_not_meet_is_told_in_words(tmp_path: Path) -> None:
    """Each point that is not met stands in the results and the gallery, with what is seen instead; its call is
    counted and paid for as every other, and nothing else of the row changes.
    """
    rows = (
        {"prompt": "a cup", "size": "1536x1024", "checklist": "square\n- one cup; landscape"},
        {"prompt": "a pot", "size": "1024x1024", "checklist": "square"},
        {"prompt": "a jug", "size": "1024x1024", "checklist": ""},
    )
    with sandbox() as api, house(tmp_path, api.base_url, judging()) as home:
        drop(home, *rows)
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"] * 3
        assert adjusted(job) == [
            "checklist: square → not met (images/1-1.png: it is 1536x1024)", "", "",
        ]  # fmt: skip
        assert [row["result_attempts"] for row in job.rows] == ["2", "2", "1"]
        assert {row["result_text"] for row in job.rows} == {""}
        asked = [one["request_id"] for one in job.records[0]["result_attempt_log"]]
        assert job.rows[0]["result_request_id"] == asked[0] != asked[1]
        stats = api.stats()
        assert (stats["calls"], stats["pictures"]) == (5, 3)
        told = [float(row["result_cost_usd"]) for row in job.rows]
        assert told[1] > told[2]  # the same but for the judgement
        lines = json.loads(home.command("costs", "--by", "model", "--json").stdout)["lines"]
        assert sum(line["usd"] for line in lines) == pytest.approx(sum(told))
        assert {line["name"]: line["calls"] for line in lines} == {MODEL: 3, JUDGE: 2}
        page = (job.folder / "index.html").read_text("utf-8")
        assert "it is 1536x1024" in page


def test_another_picture_is_asked_for_once(tmp_path: Path) -> None:
    """`redo`: of two pictures the one that failed is asked for again with what is missing, and replaced; one
    that fails again is kept and told of.
    """
    rows = (
        {"prompt": "cups", "n": 2, "checklist": "a red saucer"},
        {"prompt": "pots", "n": 1, "checklist": "a lid of gold"},
    )
    faults = ["unmet:1 prompt~red saucer", "unmet prompt~lid of gold"]
    # The faults strike calls for pictures too, of which they spoil nothing: those come first.
    with sandbox() as api, house(tmp_path, api.base_url, judging("redo")) as home:
        api.misbehave(*faults)
        drop(home, *rows)
        job = home.wait_over("list.csv")
        assert job.statuses == ["done", "done"]
        assert outcomes(job, 0) == ["answered"] * 5
        assert outcomes(job, 1) == ["answered"] * 4
        first, second = (record["result_files"] for record in job.records)
        assert [Path(file).name for file in first] == ["1-2.png", "1-1-redo3.png"]
        assert [Path(file).name for file in second] == ["2-1-redo2.png"]
        assert (job.folder / "images/1-1.png").exists()
        one, other = adjusted(job)
        assert one == (
            "checklist: a red saucer → not met, asked for again (images/1-1.png: SANDBOX was told so)"
        )
        assert other.endswith("not met (images/2-1-redo2.png: SANDBOX was told so)")
        trace = json.loads((job.folder / "metadata/1-1-redo3.json").read_text("utf-8"))
        assert trace["prompt"] == "cups\nIt must be so: a red saucer"


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("vague", "did not say yes or no"),
        ("moderation", "safety system"),
        ("reset", ""),
        ("500", ""),
    ],
)
def test_a_picture_is_lost_to_no_failed_judgement(tmp_path: Path, fault: str, why: str) -> None:
    """Whatever becomes of the question, the picture is there, the row is done, and says that it was not judged."""
    with (
        sandbox(faults=[f"{fault} prompt~checklist"]) as api,
        house(tmp_path, api.base_url, judging("redo")) as home,
    ):
        drop(
            home, {"prompt": "a cup", "checklist": "one cup"}, {"prompt": "a pot", "checklist": ""}
        )
        job = home.wait_over("list.csv")
        assert job.statuses == ["done", "done"]
        assert adjusted(job)[0].startswith("checklist: images/1-1.png → could not be judged (")
        assert why in adjusted(job)[0]
        assert job.rows[0]["result_error"] == ""
        assert api.stats()["pictures"] == 2


def test_nothing_is_paid_twice_over_a_crash(tmp_path: Path) -> None:
    """kill -9 while a picture is judged: the picture is not asked for again, only the question is."""
    with (
        sandbox(faults=["slow=60:1 prompt~checklist"]) as api,
        house(tmp_path, api.base_url, judging()) as home,
    ):
        drop(home, {"prompt": "a cup", "checklist": "one cup"})
        wait_for(lambda: api.stats()["calls"] == 2, what="the picture is being judged")
        home.restart()
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"]
        assert adjusted(job) == [""]
        assert outcomes(job) == ["answered", "ambiguous", "answered"]
        assert api.stats()["pictures"] == 1


def test_equal_pictures_are_judged_once(tmp_path: Path) -> None:
    """Equal rows pay for one picture and for one judgement of it, and both are told; another list is asked about."""
    rows = [{"prompt": "a cup", "checklist": "portrait"}] * 2
    with sandbox() as api, house(tmp_path, api.base_url, judging(reuse_days=1)) as home:
        drop(home, *rows, {"prompt": "a cup", "checklist": "square"})
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"] * 3
        assert (api.stats()["calls"], api.stats()["pictures"]) == (3, 1)
        first, second, third = adjusted(job)
        assert first == "checklist: portrait → not met (images/1-1.png: it is 1024x1024)"
        assert second == first.replace("1-1.png", "2-1.png")
        assert third == ""
        assert [row["result_source"] for row in job.rows] == ["api", "cache", "cache"]


def test_a_halted_lane_holds_the_judgement_and_not_the_picture(tmp_path: Path) -> None:
    """Without money for texts the picture is in the outbox, its row waits, and goes on as soon as there is some;
    or is done without once `vision` is off.
    """
    with (
        sandbox(faults=["quota prompt~checklist"]) as api,
        house(tmp_path, api.base_url, judging()) as home,
    ):
        drop(home, {"prompt": "a cup", "checklist": "one cup"})
        wait_for(lambda: home.events("lane.halted"), what="the lane is halted")
        folder = wait_for(lambda: home.job("list.csv"), what="the job shows something").folder
        assert (folder / "images/1-1.png").exists()
        assert not Job(folder=folder).is_over
        home.configure(judging("off"))
        home.restart()
        job = home.wait_over("list.csv")
        assert job.statuses == ["done"]
        assert "could not be judged (checks.vision is off now.)" in adjusted(job)[0]
        assert api.stats()["pictures"] == 1


def test_a_cancelled_job_keeps_what_is_there(tmp_path: Path) -> None:
    """Who cancels while pictures are judged has the pictures that are paid for, as done."""
    with (
        sandbox(faults=["quota prompt~checklist"]) as api,
        house(tmp_path, api.base_url, judging()) as home,
    ):
        drop(home, {"prompt": "a cup", "checklist": "one cup"})
        wait_for(lambda: home.events("lane.halted"), what="the lane is halted")
        job = wait_for(lambda: home.job("list.csv"), what="the job shows something")
        assert home.command("cancel", str(job.summary["id"])).returncode == 0
        assert home.wait_over("list.csv").statuses == ["done"]


def test_judging_counts_in_estimates_and_budgets(tmp_path: Path) -> None:
    """What it costs is told beforehand; a budget that it would pass holds the job, with its picture made, until
    somebody approves.
    """
    rows = [{"prompt": "a cup", "quality": "medium", "checklist": ["one cup"]}]
    with sandbox() as api, house(tmp_path, api.base_url, judging()) as home:
        file = home.folder / "other.json"
        costs = []
        for row in (rows[0] | {"checklist": ""}, rows[0]):
            file.write_text(json.dumps([row]), "utf-8")
            costs.append(json.loads(home.command("estimate", str(file), "--json").stdout)["usd"])
        without, whole = costs
        assert without < whole
        home.configure({**judging(), "budget": {"usd_per_job": round(without + 0.0001, 5)}})
        home.restart()
        home.drop("list.json", json.dumps(rows))
        wait_for(lambda: "usd_per_job" in home.note("list.json"), what="the job is held")
        job = home.job("list.json")
        assert job is not None
        assert names(job.folder / "images") == ["1-1.png"]
        home.command("approve", str(job.summary["id"]))
        assert home.wait_over("list.json").statuses == ["done"]
        assert api.stats()["calls"] == 2


def test_another_picture_is_asked_for_as_the_inbox_says(tmp_path: Path) -> None:
    """`redo_as: edit`: an edit of the picture by the points that it does not meet; never beyond `redo_limit`,
    which is told.
    """
    rows = {"prompt": "cups", "checklist": "a red saucer"}, {"prompt": "pots", "checklist": ""}
    for limit in (1, 0):
        folder = tmp_path / str(limit)
        folder.mkdir()
        settings = judging("redo", redo_as="edit", redo_limit=limit)
        with (
            sandbox(faults=["unmet:1 prompt~red saucer"]) as api,
            house(folder, api.base_url, settings) as home,
        ):
            drop(home, *rows)
            job = home.wait_over("list.csv")
            assert job.statuses == ["done", "done"]
            if not limit:
                assert "not met, asked for again" not in adjusted(job)[0]
                assert "not met → not asked for again (" in adjusted(job)[0]
                assert "redo_limit is 0" in adjusted(job)[0]
                assert api.stats()["pictures"] == 2
                continue
            assert api.stats()["by_path"]["/v1/images/edits"] == 1
            trace = json.loads((job.folder / "metadata/1-1-redo2.json").read_text("utf-8"))
            assert trace["prompt"] == "It must be so: a red saucer"


def test_what_a_person_asks_for_again_is_judged_as_well(tmp_path: Path) -> None:
    """A picture in place of one that somebody did not like has a verdict of its own."""
    with sandbox() as api, house(tmp_path, api.base_url, judging()) as home:
        drop(home, {"prompt": "a cup", "checklist": "a red saucer"})
        job = home.wait_over("list.csv")
        assert adjusted(job) == [""]
        api.misbehave("unmet prompt~red saucer")
        assert home.command("redo", str(job.summary["id"]), "1", "--note", "blue").returncode == 0
        wait_for(lambda: "not met" in adjusted(job)[0], what="asked again, and judged")
        assert "images/1-1-redo2.png: SANDBOX was told so" in adjusted(job)[0]
        assert api.stats()["calls"] == 4


def test_what_nobody_can_look_at_is_not_judged(tmp_path: Path) -> None:
    """A row without all of its pictures, and a drawing, which no model sees: said so, and nothing is paid for it."""
    rows = (
        {"prompt": "cups", "n": 2, "checklist": "a red saucer"},
        {"prompt": "pots", "model": "gpt-image-2.6-flare", "output_format": "svg", "checklist": "a lid"},
    )  # fmt: skip
    with (
        sandbox(faults=["fewer:1 prompt~cups", "400 prompt~cups"]) as api,
        house(tmp_path, api.base_url, judging()) as home,
    ):
        drop(home, *rows)
        job = home.wait_over("list.csv")
        assert job.statuses == ["partial", "done"]
        few, drawing = adjusted(job)
        assert few == "checklist: 1 point → not judged (the row did not get all of its pictures)"
        assert drawing.startswith("checklist: images/2-1.svg → could not be judged (")
        assert "/v1/responses" not in api.stats()["by_path"]
