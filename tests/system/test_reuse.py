"""What was paid for once is not paid for again: equal rows take over its pictures, and everybody is told."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image
from tests.system.house import Job, house, prompts_csv, sandbox, wait_for


def sources(job: Job) -> list[str]:
    return [row["result_source"] for row in job.rows]


def png(colour: str) -> bytes:
    sink = BytesIO()
    Image.new("RGB", (64, 64), colour).save(sink, "PNG")
    return sink.getvalue()


def test_equal_rows_in_flight_pay_once(tmp_path: Path) -> None:
    """Ten equal rows of one drop, all at once: one call; the others say that they reused it, and cost nothing."""
    with sandbox(latency="0.3") as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", prompts_csv(["a cat"] * 10))
        job = home.wait_over("a.csv")
        assert job.statuses == ["done"] * 10
        assert api.stats()["calls"] == 1
        assert sorted(sources(job)) == ["api"] + ["cache"] * 9
        assert len({file.read_bytes() for file in job.pictures}) == 1
        assert len(job.pictures) == 10
        costs = sorted(float(row["result_cost_usd"]) for row in job.rows)
        assert costs[:9] == [0.0] * 9
        assert costs[9] > 0
        assert [row["result_attempts"] for row in job.rows].count("0") == 9


def test_a_later_drop_reuses_also_after_a_restart(tmp_path: Path) -> None:
    """Another file with a row that was paid for: its picture is linked under the new name, with its thumbnail."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", "sku,prompt\nA-1,a cat\nA-2,a dog\n")
        first = home.wait_over("a.csv")
        home.restart()
        home.drop("b.csv", "sku,prompt\nB-9,a cat\nB-8,a bird\n")
        second = home.wait_over("b.csv")
        assert api.stats()["calls"] == 3
        assert sources(second) == ["cache", "api"]
        assert [file.name for file in second.pictures] == ["B-8-1.png", "B-9-1.png"]
        mine, theirs = second.folder / "images/B-9-1.png", first.folder / "images/A-1-1.png"
        assert mine.samefile(theirs)
        assert (second.folder / "thumbnails").is_dir()
        assert len(list((second.folder / "thumbnails").iterdir())) == 2


def test_who_wants_it_anew_gets_it_anew(tmp_path: Path) -> None:
    """`reuse: no` in a row, the folder again/, and an inbox with `reuse_days: 0` each pay."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", prompts_csv(["a cat"]))
        home.wait_over("a.csv")
        home.drop("b.csv", "prompt,reuse\na cat,no\n")
        assert sources(home.wait_over("b.csv")) == ["api"]
        home.drop("again/c.csv", prompts_csv(["a cat"]))
        assert sources(home.wait_over("c.csv")) == ["api"]
        home.stop()
        home.configure({"inboxes": {"main": {"reuse_days": 0}}})
        home.start()
        home.drop("d.csv", "prompt\na cat\n\n")
        assert sources(home.wait_over("d.csv")) == ["api"]
        assert api.stats()["calls"] == 4


def test_a_picture_that_is_gone_or_changed_is_asked_for_again(tmp_path: Path) -> None:
    """Somebody deleted one picture from the outbox and painted over another: both rows are asked for."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", "sku,prompt\nA-1,a cat\nA-2,a dog\n")
        first = home.wait_over("a.csv")
        (first.folder / "images/A-1-1.png").unlink()
        (first.folder / "images/A-2-1.png").write_bytes(png("red"))
        home.drop("b.csv", "sku,prompt\nB-1,a cat\nB-2,a dog\n")
        second = home.wait_over("b.csv")
        assert sources(second) == ["api", "api"]
        assert api.stats()["calls"] == 4


def test_pictures_are_part_of_what_is_asked(tmp_path: Path) -> None:
    """The same edit of the same picture is reused, whatever its name; of another picture it is not."""
    rows = "prompt,image\nmake it night,{}\n"
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        for name, colour, image in (("a", "red", "x"), ("b", "red", "y"), ("c", "blue", "x")):
            home.drop(f"{name}/{image}.png", png(colour))
            home.drop(f"{name}/{name}.csv", rows.format(f"{image}.png"))
            home.wait_over(f"{name}.csv")
        found = [sources(job) for job in home.jobs()]
        assert found == [["api"], ["cache"], ["api"]]
        assert api.stats()["calls"] == 2


def test_a_text_is_reused(tmp_path: Path) -> None:
    """What was described once is described, also for another row that shows the same picture."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        home.drop("x.png", png("red"))
        rows = "name,operation,prompt,image\na,analyze,what is it?,x.png\nb,analyze,what is it?,x.png\n"
        home.drop("a.csv", rows)
        job = home.wait_over("a.csv")
        assert sorted(sources(job)) == ["api", "cache"]
        first, second = (row["result_text"] for row in job.rows)
        assert first == second != ""
        assert api.stats()["calls"] == 1


def test_after_a_crash_equal_rows_pay_once_as_well(tmp_path: Path) -> None:
    """The call that the crash cut off is made once more, and the equal row waits for what it brings."""
    with sandbox(faults=["slow=60:1"]) as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", prompts_csv(["a cat"] * 2))
        wait_for(lambda: api.stats()["calls"], 30, "the first call")
        home.restart()
        job = home.wait_over("a.csv")
        assert sorted(sources(job)) == ["api", "cache"]
        assert api.stats()["calls"] == 2


def test_what_a_server_does_not_take_is_no_difference(tmp_path: Path) -> None:
    """A row that was asked for without its background is reused by one that would be, and both are told."""
    with (
        sandbox(faults=["unknown_parameter@param=background"]) as api,
        house(tmp_path, api.base_url) as home,
    ):
        home.drop("a.csv", "prompt,background\na cat,opaque\n")
        home.wait_over("a.csv")
        home.drop("b.csv", "sku,prompt,background\nB-1,a cat,opaque\n")
        job = home.wait_over("b.csv")
        assert sources(job) == ["cache"]
        assert "background" in job.rows[0]["result_adjustments"]
        assert api.stats()["paid"] == 1


def test_a_reused_picture_comes_in_the_size_that_its_row_wants(tmp_path: Path) -> None:
    """The API makes none so small: the copy is made of what was paid for, for each row that asks."""
    with sandbox() as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", "sku,prompt,size\nA-1,a cat,1024x1024\nA-2,a cat,512x512\n")
        job = home.wait_over("a.csv")
        assert sorted(sources(job)) == ["api", "cache"]
        with Image.open(job.folder / "renditions/512x512/A-2-1.png") as copy:
            assert copy.size == (512, 512)


def test_rows_that_wait_for_their_equal_are_cancelled_as_others_are(tmp_path: Path) -> None:
    """The one in flight is paid for and kept; those that wait for what it brings take nothing over."""
    with sandbox(latency="4") as api, house(tmp_path, api.base_url) as home:
        home.drop("a.csv", prompts_csv(["a cat"] * 4))
        wait_for(lambda: api.stats()["calls"], 30, "the first call")
        (home.inbox / "a.csv.CANCEL").write_text("")
        job = home.wait_over("a.csv")
        wait_for(lambda: home.note("a.csv").startswith("cancelled"), 30, "it is told")
        home.stop()
        assert sorted(job.statuses) == ["cancelled"] * 3 + ["done"]
        assert len(job.pictures) == 1
