"""Drops that are traps: each gets its note, and none stops the daemon, swells it, or holds up another drop."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from tests.system.hostile import LEFT, NAMES, REFUSED, ROWS, Trap
from tests.system.house import NO_RIGHTS, House, house, prompts_csv, sandbox, wait_for

SETTINGS = {
    "inboxes": {
        "main": {
            "images": {"operation": "edit", "prompt": "brighter"},
            "empty_grace": 1,
            "rescan_interval": 5,
        }
    }
}
MOST_MEMORY = 300_000_000
HANG = 1.0  # seconds that another drop may be held up

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make devices"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="there is no setpriv (util-linux)"),
]


@contextmanager
def guarded(folder: Path) -> Iterator[House]:
    """A daemon that may do no more than anybody else, so that a mode counts."""
    with sandbox() as api, house(folder, api.base_url, SETTINGS, start=False) as home:
        home.wrapper = NO_RIGHTS
        home.inbox.mkdir()
        home.start()
        yield home


def drop_traps(home: House) -> None:
    """All of them, made beside the inbox and renamed in; what cannot be made on this machine is left out."""
    traps: dict[str, Trap] = {name: trap for name, (trap, _) in {**LEFT, **REFUSED}.items()} | ROWS
    beside = home.folder / "beside"
    beside.mkdir()
    for name, make in traps.items():
        make(beside / name)
    for name in traps:
        (beside / name).rename(home.inbox / name)


def worst_wait(home: House, name: str, count: int) -> float:
    """Plain drops, one after the other: the longest time from a rename to its job, in seconds."""
    worst = 0.0
    for number in range(count):
        file = f"{name}-{number}.prompt"
        dropped = time.time()
        home.drop(file, f"a plain picture, {name} {number}")
        worst = max(worst, wait_for(lambda file=file: accepted_at(home, file), 60, f"{file} is a job") - dropped)  # type: ignore[misc]  # fmt: skip
    return worst


def accepted_at(home: House, file: str) -> float | None:
    times = (line["time"] for line in home.events("job.accepted") if line["file"] == file)
    return next((datetime.fromisoformat(at).timestamp() for at in times), None)


def reason(home: House, name: str) -> str:
    found = list(home.inbox.glob(f"failed/*/*/{name}.error.txt"))
    return found[0].read_text() if found else ""


@pytest.mark.slow
def test_traps(tmp_path: Path) -> None:
    """Every one is told of in words; plain drops go on meanwhile; nothing is followed, opened or read that must not be."""
    with guarded(tmp_path) as home:
        before = worst_wait(home, "before", 5)
        drop_traps(home)
        (home.inbox / "unknown.psd").write_text("x")
        meanwhile = worst_wait(home, "meanwhile", 20)
        assert meanwhile <= 4 * before + HANG, before  # 2-core machines have other things to do
        for name, (_, word) in REFUSED.items():
            wait_for(lambda name=name: reason(home, name), 120, f"{name} is refused")  # type: ignore[misc]
            assert word in reason(home, name), (name, reason(home, name))
            wait_for(lambda name=name: "refused" in home.note(name), 60, f"its note, {name}")  # type: ignore[misc]
            assert not (home.inbox / name).exists()
        for name, (_, word) in LEFT.items():
            note = wait_for(lambda name=name: home.note(name), 120, f"a note beside {name}")  # type: ignore[misc]
            assert word in note, (name, note)
            assert os.path.lexists(home.inbox / name)
        for name in ROWS:
            assert home.wait_over(name).statuses == ["failed"]
        folder_note = wait_for(lambda: home.note("_image-watcher"), 60, "the folder's note")
        assert "unknown.psd" in folder_note
        goes_on(home)


def goes_on(home: House) -> None:
    """A plain drop is worked to its end; the daemon is no larger than it may be, met no fault, and ends when asked."""
    home.drop("last.csv", prompts_csv(["a cat"]))
    assert home.wait_over("last.csv").statuses == ["done"]
    assert home.peak_rss_bytes() < MOST_MEMORY
    assert [line["event"] for line in home.log() if line["event"].endswith(".broken")] == []
    everything = home.log_text() + "".join(
        note.read_text() for note in home.inbox.rglob("*.txt") if note.is_file()
    )
    assert "Traceback" not in everything
    assert "root:" not in everything  # of /etc/passwd
    assert home.stop() == 0


def test_names(tmp_path: Path) -> None:
    """Names that mean something to other systems, to terminals or to shells are names: each drop is done, once."""
    with guarded(tmp_path) as home:
        for number, name in enumerate(NAMES):
            (home.folder / "part").write_text(prompts_csv([f"a cat, number {number}"]))
            (home.folder / "part").rename(home.inbox / os.fsdecode(name))

        def done() -> bool:
            return len(home.jobs()) == len(NAMES) and all(job.is_over for job in home.jobs())

        wait_for(done, 60, "all are over")
        assert [job.statuses for job in home.jobs()] == [["done"]] * len(NAMES)
        wait_for(lambda: len(list(home.inbox.glob("done/*/*/*"))) == len(NAMES), 60, "archived")
        archived = {os.fsencode(file.name) for file in home.inbox.glob("done/*/*/*")}
        assert archived == set(NAMES)
        goes_on(home)


def test_nothing_in_it_yet(tmp_path: Path) -> None:
    """A file of 0 bytes that gets something in it within its grace is taken like every other."""
    with guarded(tmp_path) as home:
        empty = home.inbox / "empty.csv"
        with empty.open("w") as file:
            home.drop("a.csv", prompts_csv(["a dog"]))
            assert home.wait_over("a.csv").statuses == ["done"]
            file.write(prompts_csv(["a cat"]))
        assert home.wait_over("empty.csv").statuses == ["done"]
