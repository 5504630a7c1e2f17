"""An inbox that is served by another daemon, or goes away and comes back: nothing is doubled, nothing replayed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.mounts import in_own_mounts, mount_small
from tests.system.house import (
    SLOW_MODES,
    House,
    Values,
    house,
    merged,
    noticing,
    prompts_csv,
    sandbox,
    wait_for,
)

SMALL_DISK = {"disk": {"least_gb": 0.001, "least_percent": 0}}


@pytest.fixture(params=SLOW_MODES)
def quick(request: pytest.FixtureRequest) -> Values:
    """Settings with which changes are noticed soon, in both ways."""
    return noticing(request.param, {"inboxes": {"main": {"rescan_interval": 1.0}}})


def served_states(home: House) -> str:
    return home.command("status").stdout


def done(home: House, name: str) -> None:
    assert home.wait_over(name).statuses == ["done"]


def accepted(home: House) -> list[str]:
    return [line["file"] for line in home.events("job.accepted")]


def test_a_second_daemon_stands_by(quick: Values, tmp_path: Path) -> None:
    """Of two daemons on one inbox one stands by, says so and by whom, and takes over when the other ends."""
    with (
        sandbox() as api,
        house(tmp_path / "one", api.base_url, quick) as one,
    ):
        done_by_one = one.drop("a.csv", prompts_csv(["a cat"]))
        done(one, "a.csv")
        shared = {"path": str(one.inbox), "outbox": str(tmp_path / "two" / "outbox")}
        settings = merged(quick, {"inboxes": {"main": shared}})
        with house(tmp_path / "two", api.base_url, settings) as two:
            wait_for(lambda: two.events("inbox.standby"), 30, "the second stands by")
            what = two.events("inbox.standby")[0]["what"]
            assert f"process {one.pid}" in what
            wait_for(lambda: "stand" in served_states(two), 30, "status says so")
            one.drop("b.csv", prompts_csv(["a dog"]))
            done(one, "b.csv")
            assert accepted(two) == []
            # What is claimed still would be taken up by the second, whose ledger is another.
            wait_for(lambda: list(one.inbox.glob("done/*/*/b.csv")), 30, "b.csv is archived")
            one.kill()
            (one.inbox / "c.csv").write_text(prompts_csv(["a bird"]))
            done(two, "c.csv")
            assert accepted(two) == ["c.csv"]
            assert not done_by_one.exists()
        assert api.stats()["calls"] == 3


def test_an_inbox_that_goes_away_and_comes_back(quick: Values, tmp_path: Path) -> None:
    """Moved away, replaced by an empty folder, back again: offline and said so, then served; nothing is replayed."""
    with sandbox() as api, house(tmp_path, api.base_url, quick) as home:
        home.drop("a.csv", prompts_csv(["a cat"]))
        done(home, "a.csv")
        away = home.inbox.rename(tmp_path / "away")
        wait_for(lambda: home.events("inbox.offline"), 30, "it is offline")
        home.inbox.mkdir()
        (home.inbox / "stray.csv").write_text(prompts_csv(["never"]))
        (away / "b.csv").write_text(prompts_csv(["a dog"]))
        wait_for(lambda: "offline" in served_states(home), 30, "status says so")
        wait_for(
            lambda: "marker" in home.events("inbox.offline")[-1]["what"], 30, "the marker is missed"
        )
        assert accepted(home) == ["a.csv"]
        shutil.rmtree(home.inbox)
        away.rename(home.inbox)
        done(home, "b.csv")
        assert accepted(home) == ["a.csv", "b.csv"]
        assert home.events("inbox.online")[1:]
        home.drop("c.csv", prompts_csv(["a bird"]))
        done(home, "c.csv")
        assert api.stats()["calls"] == 3


def is_deleted(folder: Path) -> bool:
    """As people do it, who say it again when a program has put a file there meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_an_inbox_that_is_deleted_and_made_anew(quick: Values, tmp_path: Path) -> None:
    """Deleted with everything in it and made anew by hand, with the command that the log names: served again."""
    with sandbox() as api, house(tmp_path, api.base_url, quick) as home:
        home.drop("a.csv", prompts_csv(["a cat"]))
        done(home, "a.csv")
        wait_for(lambda: is_deleted(home.inbox), 30, "nothing was put into it meanwhile")
        wait_for(lambda: home.events("inbox.offline"), 30, "it is offline")
        marker = home.inbox / ".image-watcher" / "inbox.id"
        marker.parent.mkdir(parents=True)
        marker.touch()
        wait_for(lambda: home.events("inbox.online")[1:], 30, "it is online again")
        home.drop("b.csv", prompts_csv(["a dog"]))
        done(home, "b.csv")
        assert api.stats()["calls"] == 2


def test_a_share_that_is_unmounted(quick: Values, tmp_path: Path) -> None:
    """Under a running daemon the share is unmounted, and another daemon's start finds it away as well."""

    def body() -> None:
        share = tmp_path / "share"
        mount_small(share, "16m")
        (share / "inbox").mkdir()
        (tmp_path / "inbox").mkdir()
        subprocess.run(["mount", "--bind", share / "inbox", tmp_path / "inbox"], check=True)
        with sandbox() as api, house(tmp_path, api.base_url, {**quick, **SMALL_DISK}) as home:
            (home.inbox / "a.csv").write_text(prompts_csv(["a cat"]))
            done(home, "a.csv")
            subprocess.run(["umount", "--lazy", tmp_path / "inbox"], check=True)
            wait_for(lambda: home.events("inbox.offline"), 30, "it is offline")
            home.restart()
            wait_for(lambda: home.events("inbox.offline"), 30, "it is offline at the next start")
            assert list((tmp_path / "inbox").iterdir()) == []
            (share / "inbox" / "b.csv").write_text(prompts_csv(["a dog"]))
            subprocess.run(["mount", "--bind", share / "inbox", tmp_path / "inbox"], check=True)
            done(home, "b.csv")
            assert accepted(home) == ["b.csv"]
            assert api.stats()["calls"] == 2

    in_own_mounts(body)


def test_a_disk_below_the_inbox(tmp_path: Path) -> None:
    """A drop on another disk that is mounted inside the inbox is not taken, and told why; all others are."""

    def body() -> None:
        mount_small(tmp_path / "inbox" / "other", "1m")
        with sandbox() as api, house(tmp_path, api.base_url) as home:
            (home.inbox / "other" / "a.csv").write_text(prompts_csv(["a cat"]))
            note = wait_for(lambda: home.note("other/a.csv"), 30, "the note beside it")
            assert "lies on another file system than the inbox" in note
            (home.inbox / "b.csv").write_text(prompts_csv(["a dog"]))
            done(home, "b.csv")
            assert (home.inbox / "other" / "a.csv").exists()

    in_own_mounts(body)


@pytest.mark.parametrize(("limit", "setting"), [("watches 5", "max_user_watches"), ("instances 0", "max_user_instances")])  # fmt: skip
def test_a_kernel_that_gives_no_watches(limit: str, setting: str, tmp_path: Path) -> None:
    """Where a limit of the kernel is reached the inbox is polled, told with the command that helps; nothing is missed."""
    what, most = limit.split()
    own_limits = f'echo {most} > /proc/sys/user/max_inotify_{what} && exec "$@"'
    wrapper = ("unshare", "--user", "--map-root-user", "sh", "-c", own_limits, "sh")
    if subprocess.run([*wrapper, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespace to be had")
    quick = {"inboxes": {"main": {"poll_interval": 0.3}}}
    with sandbox() as api, house(tmp_path, api.base_url, quick, start=False) as home:
        for number in range(8):
            (home.inbox / f"{number}").mkdir(parents=True)
        home.wrapper = wrapper
        home.start()
        told = wait_for(lambda: home.events("inbox.deaf"), 30, "the limit is told")[0]
        assert f"sysctl fs.inotify.{setting}=" in told["what"]
        home.drop("7/a.csv", prompts_csv(["a cat"]))
        done(home, "a.csv")
        wait_for(lambda: "polling" in served_states(home), 30, "status says so")
