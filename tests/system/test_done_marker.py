"""Inboxes that ask for a file that says that a drop is whole (`require_done_marker`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.house import (
    SLOW_MODES,
    House,
    Values,
    house,
    noticing,
    prompts_csv,
    sandbox,
    wait_for,
)

AskingFor = Callable[[str], Values]


@pytest.fixture(params=SLOW_MODES)
def asking_for(request: pytest.FixtureRequest) -> AskingFor:
    """Settings of an inbox that asks for a marker of that name; drops are noticed in both ways."""
    mode: str = request.param

    def settings(marker: str) -> Values:
        return noticing(mode, {"inboxes": {"main": {"require_done_marker": marker}}})

    return settings


def archived(home: House, name: str) -> set[str]:
    (job,) = (file.parent for file in home.inbox.glob(f"done/*/*/{name}"))
    return {file.name for file in job.iterdir()}


def lying(home: House) -> set[str]:
    """What people see in the inbox, without notes and archives."""
    return {
        entry.name
        for entry in home.inbox.iterdir()
        if entry.name not in {".image-watcher", "done", "failed"}
        and not entry.name.endswith(".STATUS.txt")
    }


def test_a_drop_waits_for_its_marker(asking_for: AskingFor, tmp_path: Path) -> None:
    """However long it lies there; with the marker it is a job, and both are archived. No marker is ever called unknown."""
    with sandbox() as api, house(tmp_path, api.base_url, asking_for("{name}.done")) as home:
        home.drop("early.csv.done", "")  # before its drop
        home.drop("a.csv", prompts_csv(["a cat"]))
        home.drop("b.csv", prompts_csv(["a dog"]))
        home.drop("b.csv.done", "")
        assert home.wait_over("b.csv").statuses == ["done"]
        assert api.stats()["calls"] == 1
        assert "a.csv" in lying(home)
        home.drop("stranger.psd", "x")
        wait_for(lambda: home.events("drop.unknown"), 60, "what is unknown is named")
        assert [event["files"] for event in home.events("drop.unknown")] == [["stranger.psd"]]
        home.drop("a.csv.done", "")
        assert home.wait_over("a.csv").statuses == ["done"]
        home.drop("early.csv", prompts_csv(["a bird"]))
        assert home.wait_over("early.csv").statuses == ["done"]
        for name in ("a.csv", "b.csv", "early.csv"):
            wait_for(lambda name=name: list(home.inbox.glob(f"done/*/*/{name}")), what="archived")  # type: ignore[misc]
            assert archived(home, name) == {name, f"{name}.done"}
        assert lying(home) == {"stranger.psd"}


def test_a_marker_that_looks_like_a_drop(asking_for: AskingFor, tmp_path: Path) -> None:
    """`{name}.txt` marks a.csv; notes.txt, which marks nothing, waits for a marker of its own, as every drop does."""
    with sandbox() as api, house(tmp_path, api.base_url, asking_for("{name}.txt")) as home:
        home.drop("a.csv", prompts_csv(["a cat"]))
        home.drop("notes.txt", "a house\n")
        home.drop("a.csv.txt", "")
        assert home.wait_over("a.csv").statuses == ["done"]
        home.drop("notes.txt.txt", "")
        assert home.wait_over("notes.txt").statuses == ["done"]
        assert api.stats()["calls"] == 2


def test_a_refused_drop_takes_its_marker_along(asking_for: AskingFor, tmp_path: Path) -> None:
    """Into `failed`, with the reason beside it; the same name can be dropped again at once."""
    with sandbox() as api, house(tmp_path, api.base_url, asking_for("{name}.done")) as home:
        home.drop("a.json", "[1, 2}")
        home.drop("a.json.done", "")
        wait_for(lambda: list(home.inbox.glob("failed/*/*/a.json")), what="it is archived")
        (job,) = (file.parent for file in home.inbox.glob("failed/*/*/a.json"))
        assert {file.name for file in job.iterdir()} == {
            "a.json",
            "a.json.done",
            "a.json.error.txt",
        }
        assert lying(home) == set()


def test_one_marker_for_a_folder(asking_for: AskingFor, tmp_path: Path) -> None:
    """A marker without {name} lets in what lies beside it, and stays."""
    with sandbox() as api, house(tmp_path, api.base_url, asking_for("READY")) as home:
        home.drop("week/a.csv", prompts_csv(["a cat"]))
        home.drop("b.csv", prompts_csv(["a dog"]))
        home.drop("week/READY", "")
        assert home.wait_over("a.csv").statuses == ["done"]
        assert (home.inbox / "week" / "READY").exists()
        assert (home.inbox / "b.csv").exists()
        assert api.stats()["calls"] == 1
        refused = home.command("process", str(tmp_path / "watcher.yaml"))
        assert refused.returncode != 0
        assert "waits for the file READY" in " ".join(refused.stderr.split())


def test_process_makes_the_marker(asking_for: AskingFor, tmp_path: Path) -> None:
    """`process FILE` says itself that the file is whole, with and without a daemon."""
    with sandbox() as api, house(tmp_path, api.base_url, asking_for("{name}.done")) as home:
        file = tmp_path / "mine.csv"
        file.write_text(prompts_csv(["a cat"]))
        assert home.command("process", str(file)).returncode == 0
        home.stop()
        file.write_text(prompts_csv(["a dog"]))
        assert home.command("process", str(file)).returncode == 0
        assert lying(home) == set()
        assert api.stats()["paid"] == 2
