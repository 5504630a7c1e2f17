"""A share that hangs: whoever touches it waits, and no error ever comes. Everybody else goes on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.mounts import in_own_mounts, share
from tests.system.door import BEARER, Door, door, first_picture
from tests.system.house import INBOX, House, Job, Values, house, prompts_csv, sandbox, wait_for

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
            outbox.hang()
            with ThreadPoolExecutor(MANY) as readers:
                asked = [readers.submit(status_of, entry.url + picture) for _ in range(MANY)]
                assert status_of(entry.url) == status_of(f"{entry.url}/healthz") == 200
                assert not any(one.done() for one in asked), "they wait for the share all the while"
                assert {one.result() for one in asked} == {503}
            assert status_of(entry.url + other_picture(home)) == 200
            assert disks_told(entry) == {(INBOX, "inbox"), ("other", "inbox"), ("other", "outbox")}
            found = home.command("check", "--offline").stdout
            assert f"outbox of {INBOX}: {home.outbox} does not answer" in found
            assert home.stop(STOPPED) == 0

    in_own_mounts(body)


def test_stopping_while_an_outbox_hangs(tmp_path: Path) -> None:
    """Pictures that cannot be put there are kept; the process ends, and the next one puts them there, paid once."""

    def body() -> None:
        with (
            share(tmp_path / "outbox", tmp_path / "disk") as outbox,
            sandbox(picture_bytes=10_000, latency="0.2") as api,
            house(tmp_path, api.base_url, {"limits": {"concurrency": 3}}) as home,
        ):
            home.drop("a.csv", prompts_csv([f"a {number}" for number in range(ROWS)]))
            wait_for(lambda: home.events("item.delivered"), 30, "the first picture")
            outbox.hang()
            calls = api.stats()["calls"]
            wait_for(lambda: api.stats()["calls"] > calls, 30, "pictures come that cannot be kept")
            assert home.stop(STOPPED) == 0
            outbox.answer()
            home.start()
            wait_published(home)
            assert home.wait_over("a.csv").statuses == ["done"] * ROWS
            assert api.stats()["calls"] == ROWS

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
            inbox.hang()
            what = f"The inbox {INBOX} does not answer."
            wait_for(lambda: what in home.command("status").stdout, TOLD, "it is told")
            inbox.answer()
            wait_for(lambda: what not in home.command("status").stdout, 60, "it answers again")
            (home.inbox / "a.csv").write_text(prompts_csv(["a cat"]))
            assert home.wait_over("a.csv").statuses == ["done"]
            told = [line["event"] for line in home.log() if line["event"].startswith("inbox.")]
            assert told == ["inbox.online", "inbox.offline", "inbox.online"]

    in_own_mounts(body)
