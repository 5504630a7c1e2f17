"""Two inboxes with an outbox each: a disk that refuses stops its own inbox, and no other."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.mounts import (
    frozen,
    in_own_mounts,
    mount_disk,
    mount_folder,
    mount_small,
    remount,
    unmount,
)
from tests.system.door import page_address
from tests.system.house import House, Job, Sandbox, Values, house, prompts_csv, sandbox, wait_for

ROWS, AT_ONCE = 30, 3
SETTINGS: Values = {
    "disk": {
        "least_gb": 0,
        "least_percent": 0,
    },  # so that writing finds out, and not the look before
    "limits": {"concurrency": AT_ONCE},
    "web": {"enabled": True, "listen": "127.0.0.1:0"},
}


def with_other(folder: Path) -> Values:
    paths = {"path": str(folder / "other-in"), "outbox": str(folder / "other-out"), "settle": 0.2}
    return {**SETTINGS, "inboxes": {"other": paths}}


def drop_in_other(home: House, rows: int) -> None:
    beside = home.folder / "other.beside"
    beside.write_text(prompts_csv([f"other {number}" for number in range(rows)]))
    beside.replace(home.folder / "other-in" / "other.csv")


def other_statuses(home: House) -> list[str]:
    return [
        status
        for file in home.folder.glob("other-out/*/job.json")
        for status in Job(folder=file.parent).statuses
    ]


def outbox_is_shut(home: House) -> bool:
    return any(line["lane"].startswith("outbox:") for line in home.events("lane.halted"))


def is_at_work_beside(home: House, api: Sandbox) -> None:
    """The other inbox's rows are asked for and done, while those of the full outbox wait."""
    before = api.stats()["calls"]
    drop_in_other(home, ROWS)
    wait_for(lambda: other_statuses(home) == ["done"] * ROWS, 60, "the other inbox's job is over")
    assert api.stats()["calls"] - before < 2 * ROWS, "those of the first one wait"


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed"])
def test_a_full_outbox_stops_its_own_inbox_alone(tmp_path: Path, *, killed: bool) -> None:
    """Answers that wait for a full disk, as many as there may be, hold up no call of another inbox, also
    after kill -9; they are kept, and paid once, when there is room.
    """

    def body() -> None:
        mount_small(tmp_path / "outbox", "3m")
        with (
            sandbox(picture_bytes=300_000, latency="0.2") as api,
            house(tmp_path, api.base_url, with_other(tmp_path)) as home,
        ):
            home.drop("a.csv", prompts_csv([f"a {number}" for number in range(ROWS)]))
            wait_for(lambda: outbox_is_shut(home), 30, "the outbox is shut")
            paused = "Partly paused: some inboxes wait"
            page = page_address(home)
            wait_for(lambda: paused in httpx.get(page).text, 30, "the page says so")
            assert "Paused, " in httpx.get(page).text
            if killed:
                home.kill()
                home.start()
                wait_for(lambda: outbox_is_shut(home), 30, "the outbox is shut again")
            assert not [
                line for line in home.events("lane.halted") if "outbox:" not in line["lane"]
            ]
            is_at_work_beside(home, api)
            remount(tmp_path / "outbox", "size=64m")
            assert home.wait_over("a.csv", 90).statuses == ["done"] * ROWS
            in_flight = AT_ONCE if killed else 0
            assert 2 * ROWS <= api.stats()["calls"] <= 2 * ROWS + in_flight

    in_own_mounts(body)


def test_an_outbox_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    """A share that went away without a word, in the middle of a job: no error comes, and the other inbox works on."""

    def body() -> None:
        mount_disk(tmp_path / "outbox", tmp_path / "image")
        with (
            sandbox(picture_bytes=10_000, latency="0.2") as api,
            house(tmp_path, api.base_url, with_other(tmp_path)) as home,
        ):
            home.drop("a.csv", prompts_csv([f"a {number}" for number in range(ROWS)]))
            wait_for(lambda: home.events("item.delivered"), 30, "the first picture")
            with frozen(tmp_path / "outbox"):
                is_at_work_beside(home, api)
                wait_for(lambda: outbox_is_shut(home), 90, "it is told that it does not answer")
            assert home.wait_over("a.csv", 90).statuses == ["done"] * ROWS
            assert api.stats()["calls"] == 2 * ROWS

    in_own_mounts(body)


def test_an_outbox_that_is_full_at_the_first_start(tmp_path: Path) -> None:
    """Not even its marker has room: the service starts, and other inboxes are served; it is when there is room."""

    def body() -> None:
        mount_small(tmp_path / "outbox", "64k")
        (tmp_path / "outbox" / "filler").write_bytes(bytes(64 * 1024))
        with (
            sandbox(picture_bytes=10_000) as api,
            house(tmp_path, api.base_url, with_other(tmp_path)) as home,
        ):
            home.drop("a.csv", prompts_csv(["a cat"]))
            wait_for(lambda: outbox_is_shut(home), 30, "the outbox is shut")
            is_at_work_beside(home, api)
            page = page_address(home)
            file = next(home.folder.glob("other-out/*/images/*"))
            assert httpx.get(f"{page}/{file.parts[-3]}/images/{file.name}").status_code == 200
            remount(tmp_path / "outbox", "size=8m")
            assert home.wait_over("a.csv", 90).statuses == ["done"]

    in_own_mounts(body)


def test_what_is_paid_and_lies_on_a_disk_that_is_away(tmp_path: Path) -> None:
    """A row that another inbox was paid for waits for the disk of that inbox, is not paid again, and halts no
    outbox but that one; with the disk back it is taken over, and nothing stays halted.
    """

    def body() -> None:
        outbox, on_disk = tmp_path / "outbox", tmp_path / "disk"
        mount_folder(outbox, on_disk)
        with (
            sandbox(picture_bytes=10_000) as api,
            house(tmp_path, api.base_url, with_other(tmp_path)) as home,
        ):
            home.drop("a.csv", prompts_csv(["other 0"]))
            assert home.wait_over("a.csv").statuses == ["done"]
            unmount(outbox)
            drop_in_other(home, 1)
            wait_for(lambda: outbox_is_shut(home), 30, "the outbox is shut")
            halted = {line["lane"] for line in home.events("lane.halted")}
            assert halted == {f"outbox:{outbox}"}
            mount_folder(outbox, on_disk)
            wait_for(lambda: other_statuses(home) == ["done"], 60, "it is taken over")
            wait_for(lambda: home.events("lane.reopened"), 30, "the outbox is open again")
            assert "Paused" not in home.command("status").stdout
            assert api.stats()["calls"] == 1

    in_own_mounts(body)
