"""Copies for channels, through the real process: made by themselves, after the picture, and again at any time."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

from PIL import Image
from tests.system.house import INBOX, House, Job, house, prompts_csv, sandbox, wait_for

OWN = {"name": "tiny", "width": 60, "height": 40, "fit": "pad", "format": "webp"}
ASKED = {"inboxes": {INBOX: {"renditions": [{"name": "amazon"}, OWN]}}}


def listed(job: Job) -> list[dict[str, str]]:
    file = job.folder / "renditions" / "renditions.csv"
    if not file.exists():
        return []
    return list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"), newline="")))


def copies(job: Job, channel: str) -> dict[str, tuple[Any, ...]]:
    found = {}
    for file in sorted((job.folder / "renditions" / channel).glob("*")):
        with Image.open(file) as image:
            found[file.name] = (image.size, image.format)
    return found


def hashes(job: Job) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in job.pictures]


def wait_listed(job: Job, number: int) -> list[dict[str, str]]:
    return wait_for(lambda: listed(job) if len(listed(job)) == number else None, 60, "the list")


def test_every_picture_gets_its_copies(tmp_path: Path) -> None:
    """By the names of channels and of one's own; listed; the pictures themselves are what came."""
    with sandbox() as api, house(tmp_path / "house", api.base_url, ASKED) as home:
        home.drop("mugs.csv", prompts_csv(["a mug", "a cup", "a jug"]))
        job = home.wait_over("mugs.csv")
        came = [one["sha256"] for row in job.records for one in row["result_pictures"]]
        lines = wait_listed(job, 6)
        assert copies(job, "tiny") == {f"{at}-1.webp": ((60, 40), "WEBP") for at in (1, 2, 3)}
        assert copies(job, "amazon") == {f"{at}-1.jpg": ((2000, 2000), "JPEG") for at in (1, 2, 3)}
        assert [line["problem"] for line in lines] == [""] * 6
        assert hashes(job) == came
        assert job.summary["settings"]["renditions"] == ["amazon", "tiny"]


def test_a_copy_that_cannot_be_made_fails_no_row(tmp_path: Path) -> None:
    """The row is done; the list says which copy is missing and why."""
    small = {"inboxes": {INBOX: {"renditions": [{"name": "web", "max_bytes": 100}, OWN]}}}
    with sandbox() as api, house(tmp_path / "house", api.base_url, small) as home:
        home.drop("mugs.csv", prompts_csv(["a mug"]))
        job = home.wait_over("mugs.csv")
        assert job.statuses == ["done"]
        by_channel = {line["channel"]: line for line in wait_listed(job, 2)}
        assert "web takes 100" in by_channel["web"]["problem"]
        assert by_channel["tiny"]["file"] == "renditions/tiny/1-1.webp"
        assert not list((job.folder / "renditions").glob("web/*"))


def test_what_a_crash_left_out_is_made_after_it(tmp_path: Path) -> None:
    """Killed as soon as the pictures are there: every copy is there after the next start."""
    prompts = [f"a mug {at}" for at in range(12)]
    with sandbox() as api, house(tmp_path / "house", api.base_url, ASKED) as home:
        home.drop("mugs.csv", prompts_csv(prompts))
        running = wait_for(lambda: home.job("mugs.csv"), what="the job shows")
        wait_for(lambda: len(running.pictures) >= 6, what="half of the pictures")
        home.restart()
        job = home.wait_over("mugs.csv")
        wait_listed(job, 24)
        assert len(copies(job, "amazon")) == len(copies(job, "tiny")) == 12
        assert api.stats()["paid"] <= 12 + 4


def test_they_are_made_again_by_command(tmp_path: Path) -> None:
    """By what the inbox asks for now, also for a job that came before; with and without the daemon."""
    with sandbox() as api, house(tmp_path / "house", api.base_url) as home:
        home.drop("mugs.csv", prompts_csv(["a mug"]))
        job = home.wait_over("mugs.csv")
        said = home.command("renditions", job.summary["id"])
        assert (said.returncode, "asks for no renditions" in said.stderr) == (1, True)
        home.configure(ASKED)
        assert made_again(home, job) == {"1-1.jpg"}
        (job.folder / "renditions/amazon/1-1.jpg").unlink()
        home.stop()
        assert made_again(home, job) == {"1-1.jpg"}


def made_again(home: House, job: Job) -> set[str]:
    said = home.command("renditions", job.summary["id"])
    assert (said.returncode, said.stderr) == (0, "")
    assert "2 copies of 1 pictures" in said.stdout
    return set(copies(job, "amazon"))
