"""A share that hangs: whoever touches it waits, and no error ever comes. Everybody else goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.mounts import Share, in_own_mounts, share
from tests.system.door import BEARER, Door, door, first_picture
from tests.system.house import (
    INBOX,
    House,
    Job,
    Sandbox,
    Values,
    house,
    merged,
    prompts_csv,
    sandbox,
    wait_for,
)
from tests.system.test_process import picture

MANY = 24  # readers at once: more than there are threads that all share
ROWS = 30
STOPPED = 150.0  # seconds: at a stop pictures and results get 30 each
TOLD = 240.0  # seconds: after two minutes an inbox counts as one that hangs


def with_other(folder: Path) -> Values:
    other = {"path": str(folder / "other-in"), "outbox": str(folder / "other-out"), "settle": 0.2}
    return {"inboxes": {"other": other}, "limits": {"concurrency": 3}}


def other_picture(home: House) -> str:
    """The path of the picture of a job in the other inbox, dropped now, once it is over."""
    beside = home.folder / "other.beside"
    beside.write_text(prompts_csv(["another cat"]))
    beside.replace(home.folder / "other-in" / "other.csv")

    def over() -> Job | None:
        files = home.folder.glob("other-out/*/job.json")
        return next((job for job in (Job(folder=one.parent) for one in files) if job.is_over), None)

    job = wait_for(over, 60, "the other job is over")
    return f"/{job.folder.name}/images/{job.pictures[0].name}"


@contextmanager
def at_work(folder: Path) -> Iterator[tuple[Share, Sandbox, House]]:
    """A daemon in the middle of a job of ROWS rows, whose outbox is a share."""
    with (
        share(folder / "outbox", folder / "disk") as outbox,
        sandbox(picture_bytes=10_000, latency="0.2") as api,
        house(folder, api.base_url, {"limits": {"concurrency": 3}}) as home,
    ):
        home.drop("a.csv", prompts_csv([f"a {number}" for number in range(ROWS)]))
        wait_for(lambda: home.events("item.delivered"), 30, "the first picture")
        yield outbox, api, home


def stop(home: House) -> None:
    """SIGTERM, and all that the daemon has to do before its process ends."""
    home.signal(signal.SIGTERM)
    wait_for(lambda: home.events("daemon.stopped"), STOPPED, "it has stopped")


def output(home: House) -> str:
    """What a command that was begun has said."""
    return (home.folder / "said").read_text()


def wait_published(home: House) -> None:
    """This share may refuse who opens a file while it is replaced: nothing of a job is read before its end."""
    wait_for(lambda: home.events("job.published"), 60, "the results are out")


def status_of(url: str) -> int:
    return httpx.get(url, headers=BEARER, timeout=60).status_code


def disks_told(entry: Door) -> set[tuple[str, str]]:
    """Inbox and place of each disk in the figures."""
    figures = httpx.get(f"{entry.url}/metrics", headers=BEARER, timeout=60).text
    lines = [line for line in figures.splitlines() if line.startswith("image_watcher_disk_free")]
    labels = [line.partition("{")[2].partition("}")[0].split('"') for line in lines]
    return {(label[1], label[3]) for label in labels}


def test_who_looks_at_a_hanging_outbox_stops_nobody_else(tmp_path: Path) -> None:
    """Two dozen readers of its pictures are told; page, figures and the other inbox go on, `check` names it,
    and a stop ends.
    """

    def body() -> None:
        home_folder = tmp_path / "home"
        with (
            share(home_folder / "outbox", tmp_path / "disk") as outbox,
            sandbox(picture_bytes=10_000) as api,
            door(home_folder, api.base_url, with_other(home_folder)) as entry,
        ):
            home = entry.house
            home.drop("a.csv", prompts_csv(["a cat"]))
            wait_published(home)
            picture = first_picture(home, "a.csv")
            with outbox.hanging():
                with ThreadPoolExecutor(MANY) as readers:
                    asked = [readers.submit(status_of, entry.url + picture) for _ in range(MANY)]
                    assert status_of(entry.url) == status_of(f"{entry.url}/healthz") == 200
                    assert {one.result() for one in asked} == {503}
                assert status_of(entry.url + other_picture(home)) == 200
                home.signal(signal.SIGHUP)
                wait_for(lambda: home.events("settings.reloaded"), 20, "a reload goes on")
                here = {(INBOX, "inbox"), ("other", "inbox"), ("other", "outbox")}
                assert disks_told(entry) == here
                found = home.command("check", "--offline").stdout
                assert f"outbox of {INBOX}: {home.outbox} does not answer" in found
                stop(home)
            assert home.wait_ended() == 0

    in_own_mounts(body)


def test_stopping_while_an_outbox_hangs(tmp_path: Path) -> None:
    """Pictures that cannot be put there are kept; the process ends, and the next one puts them there, paid once."""

    def body() -> None:
        with at_work(tmp_path) as (outbox, api, home):
            with outbox.hanging():
                calls = api.stats()["calls"]
                wait_for(lambda: api.stats()["calls"] > calls, 30, "pictures come that wait")
                stop(home)
            assert home.wait_ended() == 0
            home.start()
            wait_published(home)
            assert home.wait_over("a.csv").statuses == ["done"] * ROWS
            assert api.stats()["calls"] == ROWS

    in_own_mounts(body)


def test_pictures_that_are_only_named_are_fetched_meanwhile(tmp_path: Path) -> None:
    """Addresses end: what is paid for is on the disk of `state_dir` while the outbox hangs, and put there after."""

    def body() -> None:
        with (
            share(tmp_path / "outbox", tmp_path / "disk") as outbox,
            sandbox(picture_bytes=10_000, latency="2", faults=["url"]) as api,
            house(tmp_path, api.base_url, {"limits": {"concurrency": 3}}) as home,
        ):
            home.drop("a.csv", prompts_csv([f"a {number}" for number in range(3)]))
            wait_for(lambda: api.stats()["in_flight"] == 3, 30, "all are asked for")
            with outbox.hanging():
                fetched = (home.state / "replies").glob
                wait_for(lambda: len([*fetched("*.picture")]) == 3, 25, "all are fetched")
            wait_published(home)
            assert home.wait_over("a.csv").statuses == ["done"] * 3
            assert api.stats()["calls"] == 3

    in_own_mounts(body)


def test_who_asks_for_posted_jobs_of_a_hanging_inbox_stops_nobody_else(tmp_path: Path) -> None:
    """Two dozen programs that wait for a job are told that it comes; page and the other inbox go on."""

    def body() -> None:
        home_folder = tmp_path / "home"
        slow = {"inboxes": {INBOX: {"settle": 600}}, "web": {"intake": True}}
        with (
            share(home_folder / "inbox", tmp_path / "disk") as inbox,
            sandbox(picture_bytes=10_000) as api,
            door(home_folder, api.base_url, merged(with_other(home_folder), slow)) as entry,
        ):
            posted = entry.client.post(
                f"/jobs?inbox={INBOX}", json=[{"prompt": "a"}], headers=BEARER
            )
            address = f"{entry.url}/jobs/{posted.json()['id']}"
            with inbox.hanging(), ThreadPoolExecutor(MANY) as programs:
                asked = [programs.submit(said, address) for _ in range(MANY)]
                assert status_of(entry.url) == 200
                assert status_of(entry.url + other_picture(entry.house)) == 200
                assert {one.result() for one in asked} == {(200, "accepted")}

    in_own_mounts(body)


def said(url: str) -> tuple[int, str]:
    answer = httpx.get(url, headers=BEARER, timeout=60)
    return answer.status_code, answer.json()["state"]


@pytest.mark.slow
@pytest.mark.parametrize("hangs", ["inbox", "outbox"])
def test_once_ends_when_it_is_told_to(tmp_path: Path, *, hangs: str) -> None:
    """Also while a share hangs; it says that not all is over."""

    def body() -> None:
        with (
            share(tmp_path / hangs, tmp_path / "disk") as hanging,
            sandbox(picture_bytes=10_000, latency="1") as api,
            house(tmp_path, api.base_url) as home,
        ):
            assert home.stop() == 0
            (home.inbox / "a.csv").write_text(prompts_csv([f"a {at}" for at in range(ROWS)]))
            if hangs == "inbox":
                hanging.hang()
            with home.beginning("run", "--once") as process:
                try:
                    if hangs == "outbox":
                        wait_for(lambda: api.stats()["calls"] > 2, 30, "it is at work")
                        hanging.hang()
                    wait_for(lambda: "daemon.started" in output(home), 30, "it runs")
                    process.send_signal(signal.SIGTERM)
                    wait_for(lambda: "Not every job is over" in output(home), STOPPED, "it is said")
                finally:
                    hanging.answer()
                assert process.wait(60) == 1
            assert "Traceback" not in output(home)

    in_own_mounts(body)


@pytest.mark.slow
def test_process_ends_by_itself(tmp_path: Path) -> None:
    """Where nothing can be put: what is open stays queued, and it is said."""

    def body() -> None:
        with (
            share(tmp_path / "outbox", tmp_path / "disk") as outbox,
            sandbox(picture_bytes=10_000) as api,
            house(tmp_path, api.base_url) as home,
        ):
            assert home.stop() == 0
            file = tmp_path / "list.csv"
            file.write_text(prompts_csv(["a cat"]))
            outbox.hang()
            with home.beginning("process", str(file)) as process:
                try:
                    wait_for(
                        lambda: "What is open stays queued" in output(home), STOPPED, "it is said"
                    )
                finally:
                    outbox.answer()
                assert process.wait(60) == 1

    in_own_mounts(body)


@pytest.mark.slow
def test_a_folder_of_pictures_that_hangs_is_told(tmp_path: Path) -> None:
    """Drops that name pictures there wait, and are told why, others are taken; when it answers all are done."""

    def body() -> None:
        with (
            share(tmp_path / "assets", tmp_path / "disk") as assets,
            sandbox(picture_bytes=10_000) as api,
            house(
                tmp_path, api.base_url, {"inboxes": {INBOX: {"assets": [str(tmp_path / "assets")]}}}
            ) as home,
        ):
            (tmp_path / "assets" / "cat.png").write_bytes(picture())
            with assets.hanging():
                for at in range(10):
                    home.drop(f"{at}.csv", f"prompt,image\nred {at},cat.png\n")
                told = f"does {tmp_path / 'assets'} answer?"
                wait_for(lambda: told in home.note("0.csv"), TOLD, "its note says so")
                home.drop("plain.csv", prompts_csv(["a cat that needs no other"]))
                assert home.wait_over("plain.csv", TOLD).statuses == ["done"]
            for at in range(10):
                assert home.wait_over(f"{at}.csv", 90).statuses == ["done"]
            assert api.stats()["calls"] == 11

    in_own_mounts(body)


@pytest.mark.slow
def test_an_inbox_that_hangs_is_told(tmp_path: Path) -> None:
    """Its watcher waits in it and can say nothing; the daemon says that it does not answer, and when it does again."""

    def body() -> None:
        with (
            share(tmp_path / "inbox", tmp_path / "disk") as inbox,
            sandbox() as api,
            house(tmp_path, api.base_url) as home,
        ):
            wait_for(lambda: home.events("inbox.online"), 30, "it is served")
            what = f"The inbox {INBOX} does not answer."
            with inbox.hanging():
                wait_for(lambda: what in home.command("status").stdout, TOLD, "it is told")
            wait_for(lambda: what not in home.command("status").stdout, 60, "it answers again")
            (home.inbox / "a.csv").write_text(prompts_csv(["a cat"]))
            assert home.wait_over("a.csv").statuses == ["done"]
            told = [line["event"] for line in home.log() if line["event"].startswith("inbox.")]
            assert told == ["inbox.online", "inbox.offline", "inbox.online"]

    in_own_mounts(body)


@pytest.mark.slow
def test_a_note_is_true_while_its_results_cannot_be_written(tmp_path: Path) -> None:
    """An outbox that hangs in the middle of a publication: the note beside the drop says what is waited for."""

    def body() -> None:
        with at_work(tmp_path) as (outbox, api, home):
            with outbox.hanging():
                wait_for(lambda: "does not answer" in home.note("a.csv"), TOLD, "its note says so")
            wait_published(home)
            assert home.wait_over("a.csv").statuses == ["done"] * ROWS
            assert api.stats()["calls"] == ROWS

    in_own_mounts(body)
