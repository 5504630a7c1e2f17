"""Choosing by folder: what people move into approved, rejected or redo, through the real process."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.system.house import INBOX, House, Job, Sandbox, house, prompts_csv, sandbox, wait_for

from watcher.sandbox import read_description

QUICK: dict[str, Any] = {"redo_grace": 0.3}


def settings(**more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"inboxes": {INBOX: {**QUICK, **more}}}


def moved(job: Job, name: str, where: str, note: str = "") -> None:
    """As a person does it: the note first, then the picture."""
    if note:
        (job.folder / where / f"{name}.txt").write_text(note, "utf-8")
    (file,) = job.folder.rglob(f"*/{name}")
    file.rename(job.folder / where / name)


def cell(job: Job, row: int, name: str) -> str:
    return job.rows[row - 1][name]


def wait_cell(job: Job, row: int, name: str, value: str) -> None:
    wait_for(lambda: cell(job, row, name) == value, 60, f"{name} of row {row} is {value}")


def metadata(job: Job, stem: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (job.folder / "metadata" / f"{stem}.json").read_text("utf-8")
    )
    return found


def gallery(job: Job) -> str:
    return (job.folder / "index.html").read_text("utf-8")


def started(home: House, prompts: list[str]) -> Job:
    home.drop("mugs.csv", prompts_csv(prompts))
    return home.wait_over("mugs.csv")


def test_what_is_approved_or_rejected_is_recorded(tmp_path: Path) -> None:
    """Results and gallery name the new place and the choice; moved back, it is no choice; nothing is paid."""
    with sandbox() as api, house(tmp_path / "h", api.base_url, settings()) as home:
        job = started(home, ["a mug", "a cup"])
        moved(job, "1-1.png", "approved")
        moved(job, "2-1.png", "rejected")
        wait_cell(job, 2, "result_choices", "rejected")
        wait_cell(job, 1, "result_files", "approved/1-1.png")
        wait_for(lambda: "./approved/1-1.png" in gallery(job), what="the gallery follows")
        moved(job, "1-1.png", "images")
        wait_cell(job, 1, "result_choices", "")
        assert cell(job, 1, "result_files") == "images/1-1.png"
        home.restart()
        moved(job, "2-1.png", "approved")
        wait_cell(job, 2, "result_choices", "approved")
        assert (api.stats()["paid"], job.summary["state"]) == (2, "done")


def test_what_is_moved_to_redo_is_asked_again_with_the_note(tmp_path: Path) -> None:
    """The note follows the prompt, the new picture has a name of its own, the old one stays, byte for byte."""
    with sandbox() as api, house(tmp_path / "h", api.base_url, settings()) as home:
        job = started(home, ["a mug", "a cup"])
        old = hashlib.sha256((job.folder / "images/1-1.png").read_bytes()).hexdigest()
        moved(job, "1-1.png", "redo", note="with a blue handle\n")
        wait_cell(job, 1, "result_files", "images/1-1-redo2.png")
        wait_for(lambda: job.is_over, what="the job is over again")
        assert job.statuses == ["done", "done"]
        assert hashlib.sha256((job.folder / "redo/1-1.png").read_bytes()).hexdigest() == old
        assert metadata(job, "1-1-redo2")["prompt"] == "a mug\nwith a blue handle"
        new = (job.folder / "images/1-1-redo2.png").read_bytes()
        assert "blue handle" in read_description(new)
        assert api.stats()["paid_by_prompt"] == {
            "a mug": 1,
            "a cup": 1,
            "a mug\nwith a blue handle": 1,
        }
        assert "1-1-redo2.png" in gallery(job)
        assert "redo/1-1.png" not in gallery(job)
        overview = home.outbox / "index.html"
        new_cover = f"{job.folder.name}/thumbnails/1-1-redo2.webp"
        wait_for(lambda: new_cover in overview.read_text("utf-8"), what="the page of all jobs")
        assert f"{job.folder.name}/thumbnails/1-1.webp" not in overview.read_text("utf-8")
        moved(job, "1-1-redo2.png", "redo", note="and a lid")
        wait_cell(job, 1, "result_files", "images/1-1-redo3.png")
        assert metadata(job, "1-1-redo3")["prompt"] == "a mug\nwith a blue handle\nand a lid"
        moved(job, "1-1-redo3.png", "approved")
        wait_cell(job, 1, "result_choices", "approved")
        best = (job.folder / "approved/1-1-redo3.png").read_bytes()
        home.drop("again.csv", prompts_csv(["a mug"]))
        again = home.wait_over("again.csv")
        assert cell(again, 1, "result_source") == "cache"
        assert [one.read_bytes() for one in again.pictures] == [best]
        assert metadata(again, "1-1")["reused_from"]["row"] == 1


@pytest.mark.slow
def test_redo_ends_at_its_limit_and_survives_a_crash(tmp_path: Path) -> None:
    """Never asked twice for one move, whatever dies; beyond the limit a note says why."""
    limited = settings(redo_limit=1)
    with sandbox(latency="0.5") as api, house(tmp_path / "h", api.base_url, limited) as home:
        job = started(home, ["a mug"])
        moved(job, "1-1.png", "redo")
        wait_for(lambda: home.events("row.asked_again"), what="the row is asked again")
        home.restart()
        wait_cell(job, 1, "result_files", "images/1-1-redo2.png")
        wait_for(lambda: job.is_over, what="the job is over again")
        moved(job, "1-1-redo2.png", "redo")
        told = job.folder / "redo/1-1-redo2.png.STATUS.txt"
        wait_for(told.exists, what="it is told")
        assert "redo_limit is 1" in told.read_text("utf-8")
        assert api.stats()["paid"] <= 3  # the call that the crash cut off may have been paid
        assert len(list(job.folder.glob("images/*"))) == 0


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, dict[str, Any], bytes]:
    """A picture that was asked for again as an edit of itself."""
    with (
        sandbox() as api,
        house(tmp_path_factory.mktemp("e"), api.base_url, settings(redo_as="edit")) as home,
    ):
        job = started(home, ["a mug"])
        old = (job.folder / "images/1-1.png").read_bytes()
        moved(job, "1-1.png", "redo", note="make it green")
        wait_cell(job, 1, "result_files", "images/1-1-redo2.png")
        return job, dict(api.stats()), old


def test_an_inbox_may_have_the_picture_edited(edited: tuple[Job, dict[str, Any], bytes]) -> None:
    """The note is the prompt, the old picture goes along, by the model for edits."""
    job, stats, old = edited
    told = metadata(job, "1-1-redo2")
    assert stats["by_path"] == {"/v1/images/generations": 1, "/v1/images/edits": 1}
    assert (told["operation"], told["prompt"]) == ("edit", "make it green")
    assert told["pictures_sent"][0]["sha256"] == hashlib.sha256(old).hexdigest()


def test_rows_are_asked_again_by_command(tmp_path: Path) -> None:
    """With a note; of several pictures one alone; a row with its own pictures too; in words where it cannot be."""
    with sandbox() as api, house(tmp_path / "h", api.base_url, settings()) as home:
        sink = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(sink, "PNG")
        home.drop("cup.png", sink.getvalue())
        home.drop(
            "two.json",
            json.dumps([{"prompt": "two", "n": 2}, {"prompt": "in red", "image": "cup.png"}]),
        )
        job = home.wait_over("two.json")
        one = job.summary["id"]
        said = home.command("redo", one, "1", "--picture", "2", "--note", "larger")
        assert (said.returncode, said.stderr) == (0, "")
        wait_cell(job, 1, "result_files", "images/1-1.png;images/1-1-redo3.png")
        assert metadata(job, "1-1-redo3")["prompt"] == "two\nlarger"
        assert home.command("redo", one, "2").returncode == 0
        wait_cell(job, 2, "result_files", "images/2-1-redo2.png")
        for arguments, words in {
            (one, "9"): "no row 9",
            ("nobody", "1"): "no job nobody",
            (one, "1", "--picture", "2"): "no picture 2",
        }.items():
            said = home.command("redo", *arguments)
            assert (said.returncode, words in said.stderr, said.stderr.count("\n") < 4) == (
                1,
                True,
                True,
            )
        assert paid(api) == {"two": 1, "two\nlarger": 1, "in red": 2}


def paid(api: Sandbox) -> dict[str, int]:
    found: dict[str, int] = api.stats()["paid_by_prompt"]
    return found
