"""`image-watcher check` as a service that may not do everything: what it says to run, helps."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.system.house import NO_RIGHTS, House, house

NOBODY = 65534
COMMAND = re.compile(r"Run: (?:sudo )?(.*)")


def theirs(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    folder.chmod(mode)
    return folder


def checked(home: House) -> tuple[int, str]:
    said = home.command("check", "--offline")
    assert "Traceback" not in said.stderr
    return said.returncode, said.stdout


def run_what_it_says(said: str) -> list[str]:
    """As the operator does, who may do everything; returns what was run."""
    commands = [found[1] for line in said.splitlines() if (found := COMMAND.search(line))]
    for command in commands:
        subprocess.run(["sh", "-c", command], check=True)
    return commands


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders of others")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="there is no setpriv (util-linux)")
def test_what_it_says_helps(tmp_path: Path) -> None:
    """Folders of others, a closed folder in the inbox, an outbox that cannot be made: one round of commands, then all is well."""
    with house(tmp_path, "http://127.0.0.1:9/v1", start=False) as home:
        home.wrapper = NO_RIGHTS
        theirs(home.inbox)
        theirs(home.state, 0o700)
        theirs(home.inbox / "clients" / "one", 0o700)
        os.chown(home.inbox / "clients", 0, 0)
        theirs(tmp_path / "deep")
        pictures = theirs(tmp_path / "pictures", 0o750)
        main = {"outbox": str(tmp_path / "deep" / "outbox"), "assets": [str(pictures)]}
        settings = {"inboxes": {"main": main}}
        home.configure(settings)
        code, said = checked(home)
        assert code != 0
        for path in (home.inbox, home.state, tmp_path / "deep" / "outbox", pictures):
            assert str(path) in said
        assert run_what_it_says(said)
        for _ in range(2):  # what lay behind a closed folder is seen when that is open
            run_what_it_says(checked(home)[1])
        assert (checked(home)[0], (tmp_path / "deep" / "outbox").is_dir()) == (0, True)


def test_all_is_well(tmp_path: Path) -> None:
    """Where everything may be used, nothing is to be run and nothing is left behind."""
    with house(tmp_path, "http://127.0.0.1:9/v1", start=False) as home:
        home.inbox.mkdir()
        home.outbox.mkdir()
        code, said = checked(home)
        assert code == 0
        assert "Run:" not in said
        assert [*home.inbox.iterdir(), *home.outbox.iterdir()] == []


def test_assets_that_are_not_there(tmp_path: Path) -> None:
    """A folder that rows may take pictures from is missed by name, or told to be readable."""
    settings = {"inboxes": {"main": {"assets": [str(tmp_path / "pictures")]}}}
    with house(tmp_path, "http://127.0.0.1:9/v1", settings, start=False) as home:
        home.inbox.mkdir()
        code, said = checked(home)
        assert code != 0
        assert f"assets of main: {tmp_path / 'pictures'} is not there" in said
        (tmp_path / "pictures").mkdir()
        code, said = checked(home)
        assert code == 0
        assert f"{tmp_path / 'pictures'} can be read" in said


def test_no_room(tmp_path: Path) -> None:
    """Too little room is told with what is free and what is to stay free."""
    with house(tmp_path, "http://127.0.0.1:9/v1", {"disk": {"least_gb": 900000}}, start=False) as home:  # fmt: skip
        home.inbox.mkdir()
        code, said = checked(home)
        assert code != 0
        assert "900000.0 GiB are to stay free" in said
