"""Disks that are full or read-only, through the real process: nothing fails, nothing is lost, it goes on by itself."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.mounts import (
    in_own_mounts,
    mount_folder,
    mount_fragile,
    mount_image,
    mount_small,
    mount_thin,
    remount,
    unmount,
)
from tests.system.house import House, Sandbox, house, prompts_csv, sandbox, wait_for
from tests.system.test_answers import PICTURES, serving

MEGABYTE = 2**20
ROOM = {"disk": {"least_gb": 4 / 1024, "least_percent": 0}}
FAST: dict[str, Any] = {"inboxes": {"main": {"poll_interval": 0.3}}}


def drop(home: House, rows: int, name: str = "a.csv") -> None:
    home.drop(name, prompts_csv([f"{name}, picture {number}" for number in range(rows)]))


def all_done(home: House, api: Sandbox, rows: int, name: str = "a.csv") -> None:
    job = home.wait_over(name, 90)
    assert ["done"] * rows == job.statuses
    assert rows == len(job.pictures)
    assert rows == api.stats()["calls"]


def fill(file: Path) -> None:
    """Leave not a byte on its disk."""
    with file.open("wb", buffering=0) as sink, suppress(OSError):
        while True:
            sink.write(bytes(65536))


def state_of(home: House) -> str:
    return home.command("status").stdout


def test_outbox_full(tmp_path: Path) -> None:
    """A full outbox stops before paying, says so, and goes on when there is room: each picture was paid once."""

    def body() -> None:
        mount_small(tmp_path / "outbox", "24m")
        with (
            sandbox(picture_bytes=1_500_000, latency="0.5") as api,
            house(tmp_path, api.base_url, ROOM) as home,
        ):
            drop(home, 40)
            wait_for(lambda: "disk_full" in home.log_text(), 30, "the lane halts")
            assert f"{tmp_path}/outbox" in state_of(home)
            paid = api.stats()["calls"]
            assert 10 <= paid <= 24
            remount(tmp_path / "outbox", "size=96m")
            all_done(home, api, 40)

    in_own_mounts(body)


def test_outbox_read_only(tmp_path: Path) -> None:
    """An outbox that becomes read-only in the middle of a job fails no row and loses no picture."""

    def body() -> None:
        mount_small(tmp_path / "outbox", "64m")
        with (
            sandbox(picture_bytes=100_000, latency="0.3") as api,
            house(tmp_path, api.base_url, ROOM) as home,
        ):
            drop(home, 40)
            wait_for(lambda: home.events("item.delivered"), 30, "the first picture")
            remount(tmp_path / "outbox", "ro")
            wait_for(lambda: home.events("lane.halted"), 30, "the lane halts")
            assert "read-only" in state_of(home)
            remount(tmp_path / "outbox", "rw")
            all_done(home, api, 40)

    in_own_mounts(body)


def test_outbox_that_is_not_mounted(tmp_path: Path) -> None:
    """An outbox whose disk is away when the service starts: nothing is paid, nothing is written where it would
    be hidden, the disk is asked for; with it back all goes on by itself.
    """

    def body() -> None:
        outbox, on_disk = tmp_path / "outbox", tmp_path / "disk"
        mount_folder(outbox, on_disk)
        with sandbox() as api, house(tmp_path, api.base_url, ROOM) as home:
            drop(home, 1)
            all_done(home, api, 1)
            home.stop()
            unmount(outbox)
            home.start()
            home.drop("b.csv", prompts_csv(["a cat"]))
            halted = wait_for(lambda: home.events("lane.halted"), 30, "the lane halts")[0]
            assert f"truncate -s 0 {outbox}" in halted["what_to_do"]
            assert "The outbox is away" in state_of(home)
            wait_for(lambda: home.events("results.refused"), 30, "its results wait as well")
            wait_for(lambda: "The outbox is away" in home.note("b.csv"), 30, "its note says so")
            assert list(outbox.iterdir()) == []
            assert api.stats()["calls"] == 1
            mount_folder(outbox, on_disk)
            assert home.wait_over("b.csv", 90).statuses == ["done"]
            assert api.stats()["calls"] == 2

    in_own_mounts(body)


def test_outbox_on_a_disk_that_dies(tmp_path: Path) -> None:
    """Writing and syncing that fail in the middle of a job fail no row and lose no picture; each is paid once."""

    def body() -> None:
        mount_thin(tmp_path / "outbox", tmp_path / "under", "5m")
        with (
            sandbox(picture_bytes=300_000, latency="0.3") as api,
            house(tmp_path, api.base_url, ROOM) as home,
        ):
            drop(home, 20)
            halted = wait_for(lambda: home.events("lane.halted"), 30, "the lane halts")[0]
            assert halted["what"].startswith("The disk ")
            remount(tmp_path / "under", "size=64m")
            all_done(home, api, 20)

    in_own_mounts(body)


def test_inbox_read_only(tmp_path: Path) -> None:
    """An inbox whose disk becomes read-only is paused and said so; its job goes on, and ends when the disk is mended."""

    def body() -> None:
        inbox, image = tmp_path / "inbox", tmp_path / "image"
        breaks = mount_fragile(inbox, image)
        with (
            sandbox(picture_bytes=10_000, latency="0.3") as api,
            house(tmp_path, api.base_url, {**ROOM, **FAST}) as home,
        ):
            (inbox / "a.csv").write_text(prompts_csv([f"picture {at}" for at in range(12)]))
            wait_for(lambda: home.events("item.delivered"), 30, "the first picture")
            (inbox / "b.csv").write_text(prompts_csv(["a cat"]))
            subprocess.run(["sync", "-f", str(inbox)], check=True)
            breaks()
            paused = wait_for(lambda: home.events("inbox.paused"), 30, "the inbox is paused")[0]
            assert "read-only" in paused["what"]
            wait_for(lambda: len(home.events("item.delivered")) == 12, 30, "all pictures")
            unmount(inbox)
            shutil.copy(image, tmp_path / "mended")
            subprocess.run(["e2fsck", "-fy", str(tmp_path / "mended")], check=False)
            mount_image(inbox, tmp_path / "mended")
            assert home.wait_over("b.csv", 90).statuses == ["done"]
            assert home.wait_over("a.csv", 90).statuses == ["done"] * 12
            wait_for(lambda: len(list(inbox.glob("done/*/*/*"))) == 2, 30, "both are archived")
            assert api.stats()["calls"] == 13

    in_own_mounts(body)


def test_state_folder_full(tmp_path: Path) -> None:
    """A state folder without a byte left stops everything for a while, kills nothing, loses nothing."""

    def body() -> None:
        mount_small(tmp_path / "state", "24m")
        filler = tmp_path / "state" / "filler.bin"
        with (
            sandbox(picture_bytes=100_000, latency="0.3") as api,
            house(tmp_path, api.base_url, {**ROOM, **FAST}) as home,
        ):
            drop(home, 40)
            wait_for(lambda: home.events("item.delivered"), 30, "the first picture")
            fill(filler)
            wait_for(lambda: home.events("disk.refused") or home.events("lane.halted"), 30)
            drop(home, 2, "b.csv")
            wait_for(lambda: home.events("inbox.paused"), 30, "the inbox is paused")
            assert (home.inbox / "b.csv").exists()
            filler.unlink()
            assert home.wait_over("b.csv", 90).statuses == ["done"] * 2
            assert home.wait_over("a.csv", 90).statuses == ["done"] * 40
            assert home.events("item.failed") == []
            # What was in flight when the last byte went may be paid for a second time.
            assert 42 <= api.stats()["calls"] <= 42 + 4

    in_own_mounts(body)


def test_no_room_for_pictures_that_rows_name(tmp_path: Path) -> None:
    """A picture that is fetched for a row and cannot be stored fails no row: it waits until there is room."""

    def body() -> None:
        mount_small(tmp_path / "state" / "inputs", "1m")
        filler = tmp_path / "state" / "inputs" / "filler.bin"
        fill(filler)
        picture = PICTURES["png"]
        hosts = {"inboxes": {"main": {"allow_urls": True, "allowed_hosts": ["127.0.0.1"]}}}
        with (
            serving({}, {"/v1/a.png": picture}) as web,
            sandbox() as api,
            house(tmp_path, api.base_url, hosts) as home,
        ):
            home.drop("a.csv", f"prompt,image\nas a drawing,{web.base_url}/a.png\n")
            wait_for(lambda: home.events("disk.refused"), 30, "the disk refuses")
            assert home.events("item.broken") == []
            filler.unlink()
            all_done(home, api, 1)

    in_own_mounts(body)


def test_no_room_in_the_inbox(tmp_path: Path) -> None:
    """While the inbox's disk is full nothing is claimed; the drop lies where it was, and is taken when there is room."""

    def body() -> None:
        mount_small(tmp_path / "inbox", "8m")
        filler = tmp_path / "inbox" / "filler.bin"
        with sandbox() as api, house(tmp_path, api.base_url, {**ROOM, **FAST}) as home:
            filler.write_bytes(bytes(6 * MEGABYTE))
            (home.inbox / "a.csv").write_text(prompts_csv(["a cat"]))
            paused = wait_for(lambda: home.events("inbox.paused"), 30, "the inbox is paused")[0]
            assert f"The disk {home.inbox} (of {home.inbox}) has" in paused["what"]
            assert "4.0 MiB are to stay free" in paused["what"]
            assert (home.inbox / "a.csv").exists()
            filler.unlink()
            all_done(home, api, 1)
            wait_for(lambda: home.events("inbox.online")[1:], 30, "the inbox is online again")

    in_own_mounts(body)
