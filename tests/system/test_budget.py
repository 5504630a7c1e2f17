"""Money is known before, capped while it is spent, and accounted for after: budgets, approval, orders."""

from __future__ import annotations

import json
import re
import signal
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image
from tests.system.door import page_address
from tests.system.house import House, Job, Sandbox, Values, house, prompts_csv, sandbox, wait_for

ROW_USD = (
    0.0412  # gpt-image-2, medium, 1536x1024: the catalogue's estimate, and what the sandbox takes
)
ROWS = {"model": "gpt-image-2", "size": "1536x1024", "quality": "medium"}
PAGE = {"enabled": True, "listen": "127.0.0.1:0"}


def settings(**more: object) -> Values:
    return {
        "limits": {"concurrency": 8},
        "inboxes": {"main": {"batch_size": 8, "defaults": ROWS}},
        **more,
    }


def prompts(count: int, what: str = "thing") -> str:
    return prompts_csv([f"{what} {at}" for at in range(count)])


def paid_usd(api: Sandbox) -> float:
    return float(api.stats()["cost_usd"])


def wait_held(home: House, name: str) -> str:
    """The note of a drop, once its job is held and nothing of it is in flight."""

    def held() -> str:
        note = home.note(name)
        return note if note.startswith("paused") else ""

    note = wait_for(held, 60, f"the note of {name} says that it is held")
    wait_for(lambda: in_flight(home) == 0, 30, "what is in flight ends")
    return note


def in_flight(home: House) -> int:
    return int(json.loads(home.command("status", "--json").stdout)["daemon"]["in_flight"])


@pytest.mark.parametrize("restart", [False, True])
def test_a_budget_of_a_day_is_kept_to(tmp_path: Path, *, restart: bool) -> None:
    """$1.00 with rows of $0.04 at 8 in flight ends between $0.96 and $1.32, a restart in the middle or not;
    nothing fails, the note says why, and all is done once the budget is raised.
    """
    mine = settings(budget={"usd_per_day": 1})
    with sandbox(latency="0.1-0.3") as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("a.csv", prompts(40))
        if restart:
            wait_for(lambda: api.stats()["calls"] > 5, 30, "some are paid")
            home.stop()
            home.start()
        note = wait_held(home, "a.csv")
        assert 0.96 <= paid_usd(api) <= 1 + 8 * 0.04
        assert "budget.usd_per_day" in note
        assert "midnight" in note
        held = home.job("a.csv")
        assert held is not None
        assert held.summary["counts"]["failed"] == 0
        home.configure(settings(budget={"usd_per_day": 100}))
        job = home.wait_over("a.csv")
        assert job.statuses == ["done"] * 40
        assert api.stats()["calls"] == 40


def test_a_budget_that_was_raised_counts_after_a_restart_too(tmp_path: Path) -> None:
    """Who stops, raises it and starts again need not reload, nor approve, nor wait for midnight."""
    mine = settings(budget={"usd_per_day": 0.1, "usd_per_job": 0.1})
    with sandbox() as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("a.csv", prompts(4))
        wait_held(home, "a.csv")
        home.restart()
        wait_held(home, "a.csv")
        assert api.stats()["calls"] == 2
        home.stop()
        home.configure(settings(budget={"usd_per_day": 1, "usd_per_job": 1}))
        home.start()
        assert home.wait_over("a.csv").statuses == ["done"] * 4


def test_a_budget_that_is_set_holds_for_rows_that_wait_for_their_turn(tmp_path: Path) -> None:
    """All six were let go to wait for their turn when nothing was capped: they are weighed again."""
    mine = settings(limits={"concurrency": 1})
    with sandbox(latency="1") as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("a.csv", prompts(6))
        wait_for(lambda: api.stats()["calls"], 30, "the first call")
        home.configure({**mine, "budget": {"images_per_day": 1}})
        home.signal(signal.SIGHUP)
        wait_for(lambda: home.events("settings.reloaded"), 30, "it is read")
        begun = api.stats()["calls"]
        assert "images_per_day" in wait_held(home, "a.csv")
        assert api.stats()["calls"] <= begun + 1


def test_kill_never_takes_it_beyond(tmp_path: Path) -> None:
    """Also when the daemon is killed again and again, what the server counts stays within the budget."""
    mine = settings(budget={"usd_per_day": 1})
    with sandbox(latency="0.2") as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("a.csv", prompts(60))
        for kill in range(3):
            wait_for(lambda kill=kill: api.stats()["calls"] > 4 * (kill + 1), 30, "calls")  # type: ignore[misc]
            home.restart()
        wait_held(home, "a.csv")
        assert paid_usd(api) <= 1.0 + 8 * 0.04


def test_a_budget_of_a_job_waits_for_a_person(tmp_path: Path) -> None:
    """Each job has its own; one that is used up leaves the others at work, and `approve` lets it go on."""
    mine = settings(budget={"usd_per_job": 0.2})
    with sandbox() as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("large.csv", prompts(10, "large"))
        home.drop("small.csv", prompts(3, "small"))
        assert home.wait_over("small.csv").statuses == ["done"] * 3
        note = wait_held(home, "large.csv")
        assert "budget.usd_per_job" in note
        assert "approve" in note
        assert api.stats()["calls"] == 3 + 4
        job = home.job("large.csv")
        assert job is not None
        approved = home.command("approve", str(job.summary["id"]))
        assert approved.returncode == 0, approved.stderr
        assert home.wait_over("large.csv").statuses == ["done"] * 10


def test_images_are_capped_too(tmp_path: Path) -> None:
    """`images_per_day` counts images, not calls: rows of two images fill it twice as fast."""
    mine = settings(budget={"images_per_day": 7})
    with sandbox() as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("a.csv", "prompt,n\n" + "".join(f"thing {at},2\n" for at in range(5)))
        assert "images_per_day" in wait_held(home, "a.csv")
        assert api.stats()["pictures"] == 6


def test_an_inbox_has_a_budget_of_its_own(tmp_path: Path) -> None:
    """One inbox's budget is used up, and the other goes on."""
    own = {"path": "./own-in", "outbox": "./own-out", "settle": 0.2, "defaults": dict(ROWS),
           "api": {"budget": {"usd_per_day": 0.1}}}  # fmt: skip
    mine = settings()
    mine["inboxes"]["own"] = own
    with sandbox() as api, house(tmp_path, api.base_url, mine) as home:
        (tmp_path / "own-in").mkdir(exist_ok=True)
        (tmp_path / "own-in" / "x.csv").write_text(prompts(5, "own"))
        note = tmp_path / "own-in" / "x.csv.STATUS.txt"
        wait_for(lambda: note.exists() and "of the inbox own" in note.read_text(), 30, "held")
        home.drop("a.csv", prompts(5))
        assert home.wait_over("a.csv").statuses == ["done"] * 5
        assert api.stats()["calls"] == 5 + 2


def test_what_costs_much_waits_for_approval(tmp_path: Path) -> None:
    """Nothing is asked for; the note says what it would cost and how to approve; renaming the note approves."""
    mine = settings(budget={"approve_above_usd": 0.3}, web=PAGE)
    with sandbox() as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("cheap.csv", prompts(5, "cheap"))
        assert home.wait_over("cheap.csv").statuses == ["done"] * 5
        home.drop("dear.csv", prompts(10, "dear"))
        note = wait_held(home, "dear.csv")
        assert "$0.41" in note
        assert ".APPROVED" in note
        assert api.stats()["calls"] == 5
        told = " ".join(home.command("status").stdout.split())
        assert "Paused: every job waits" in httpx.get(page_address(home)).text
        assert "Paused, dear.csv: It would cost about $0.41" in told
        assert re.search(r"dear\.csv +paused +0/10", home.command("jobs").stdout)
        home.restart()
        assert wait_held(home, "dear.csv")
        assert api.stats()["calls"] == 5
        (home.inbox / "dear.csv.STATUS.txt").rename(home.inbox / "dear.csv.APPROVED")
        assert home.wait_over("dear.csv").statuses == ["done"] * 10
        assert not (home.inbox / "dear.csv.APPROVED").exists()


def test_what_was_to_be_reused_and_is_gone_waits_for_approval_as_well(tmp_path: Path) -> None:
    """A job that costs more than was foreseen spends what needs no approval, and then waits for a person."""
    mine = settings(budget={"approve_above_usd": 0.3})
    with sandbox() as api, house(tmp_path, api.base_url, mine) as home:
        home.drop("a.csv", prompts(5))
        home.drop("b.csv", prompts(5, "other"))
        for name in ("a.csv", "b.csv"):
            for picture in home.wait_over(name).pictures:
                picture.unlink()
        home.drop("both.csv", prompts(5) + prompts(5, "other").partition("\n")[2])
        note = wait_held(home, "both.csv")
        assert "approve_above_usd" in note
        assert api.stats()["calls"] == 10 + 7
        job = home.job("both.csv")
        assert job is not None
        assert home.command("approve", str(job.summary["id"])).returncode == 0
        assert home.wait_over("both.csv").statuses == ["done"] * 10


def test_a_job_is_cancelled_from_the_inbox(tmp_path: Path) -> None:
    """`<name>.CANCEL`, or the note renamed to it as Windows shows it: what is in flight is kept, the rest is not asked."""
    with sandbox(latency="0.5") as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("a.csv", prompts(60))
        wait_for(lambda: api.stats()["calls"] >= 8, 30, "it is at work")
        (home.inbox / "a.csv.cancel.txt").write_text("")
        job = home.wait_over("a.csv")
        assert job.summary["state"] == "cancelled"
        assert 0 < job.statuses.count("done") < 60
        assert job.statuses.count("done") == api.stats()["calls"]
        assert set(job.statuses) == {"done", "cancelled"}
        (home.inbox / "b.csv.CANCEL").write_text("")
        wait_for(lambda: home.note("b.csv").startswith("nothing to do"), 30, "it says so")
        assert "stays in the outbox" in home.note("b.csv")
        assert not list(home.inbox.glob("*.CANCEL"))


def test_inboxes_and_lanes_are_paused_and_resumed(tmp_path: Path) -> None:
    """A paused inbox takes drops in and asks for nothing, also after a restart; a lane likewise."""
    with sandbox() as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("first.csv", prompts(1, "first"))
        home.wait_over("first.csv")
        assert home.command("pause", "main").returncode == 0
        home.drop("a.csv", prompts(3))
        assert "paused by hand" in wait_held(home, "a.csv")
        home.restart()
        assert api.stats()["calls"] == 1
        assert home.command("resume", "main").returncode == 0
        assert home.wait_over("a.csv").statuses == ["done"] * 3
        lane = lane_of(home)
        assert home.command("pause", lane).returncode == 0
        wait_for(lambda: home.events("lane.halted"), 30, "the daemon has heard it")
        home.drop("b.csv", prompts(3, "b"))
        assert "paused by hand" in wait_held(home, "b.csv")
        assert api.stats()["calls"] == 4
        assert home.command("resume", lane).returncode == 0
        assert home.wait_over("b.csv").statuses == ["done"] * 3
        assert home.command("pause", "no-such-thing").returncode != 0


def lane_of(home: House) -> str:
    found = json.loads(home.command("costs", "--by", "lane", "--json").stdout)
    return str(found["lines"][0]["name"])


def books_of(home: House, *more: str) -> list[Values]:
    said = home.command("costs", "--json", *more)
    assert said.returncode == 0, said.stderr
    lines: list[Values] = json.loads(said.stdout)["lines"]
    return lines


def test_costs_agree_with_the_server(tmp_path: Path) -> None:
    """What `costs` adds up, by job, inbox, model or day, is what the server took, to the cent; reuse is told."""
    with sandbox() as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("a.csv", prompts(6))
        first = home.wait_over("a.csv")
        home.drop("b.csv", prompts(8))
        second = home.wait_over("b.csv")
        for by in ("job", "inbox", "model", "day"):
            lines = books_of(home, "--by", by)
            assert round(sum(line["usd"] for line in lines), 4) == round(paid_usd(api), 4)
            assert sum(line["reused"] for line in lines) == 6
        total = Decimal(str(cost_of(first))) + Decimal(str(cost_of(second)))
        assert float(total) == pytest.approx(paid_usd(api))
        table = home.command("costs", "--by", "inbox")
        assert "main" in table.stdout
        assert "name,calls" in home.command("costs", "--csv").stdout
        assert books_of(home, "--since", "2001-01-01") == books_of(home)
        assert home.command("costs", "--since", "yesterweek").returncode != 0


def cost_of(job: Job) -> float:
    return float(job.summary["cost_usd"])


def test_an_estimate_before_dropping(tmp_path: Path) -> None:
    """`estimate FILE` says rows, images, dollars and what is reused, and asks for nothing."""
    with sandbox() as api, house(tmp_path, api.base_url, settings()) as home:
        home.drop("a.csv", prompts(2))
        home.wait_over("a.csv")
        file = tmp_path / "next.csv"
        file.write_text(prompts(10))
        said = json.loads(home.command("estimate", str(file), "--json").stdout)
        assert (said["rows"], said["images"], said["reused"]) == (10, 8, 2)
        assert said["usd"] == pytest.approx(8 * ROW_USD)
        words = home.command("estimate", str(file)).stdout
        assert "8 images" in words
        assert "$0.33" in words
        assert api.stats()["calls"] == 2
        assert home.command("estimate", str(tmp_path / "none.csv")).returncode != 0


def test_a_text_that_was_cut_off_is_paid_for_as_counted(tmp_path: Path) -> None:
    """It is asked for once more, and what both calls took is told in dollars: nothing about it is unknown."""
    price = {"text_in": 1000, "image_in": 0, "image_out": 0, "text_out": 1000}
    mine = settings(api={"models": {"gpt-6-luna": {"price": price}}})
    with sandbox(faults=["incomplete:1"]) as api, house(tmp_path, api.base_url, mine) as home:
        sink = BytesIO()
        Image.new("RGB", (64, 64), "red").save(sink, "PNG")
        home.drop("x.png", sink.getvalue())
        home.drop("a.csv", "operation,prompt,image\nanalyze,what is it?,x.png\n")
        job = home.wait_over("a.csv")
        assert (job.statuses, api.stats()["calls"]) == (["done"], 2)
        (line,) = books_of(home)
        took = job.records[0]["result_usage"]
        assert line["usd"] == pytest.approx((took["text_in"] + took["text_out"]) / 1000)
        assert (line["maybe_usd"], line["unpriced"]) == (0, 0)
