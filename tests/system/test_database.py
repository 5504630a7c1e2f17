"""The database of a service that is upgraded and downgraded, through the real process."""

from __future__ import annotations

import json
from pathlib import Path

from tests.edges.old_ledger import ledger_of_0_1
from tests.system.house import house


def test_an_upgraded_program_brings_the_database_up_and_says_so(tmp_path: Path) -> None:
    """The first start after an upgrade copies the database, brings it up, and names the copy in the log."""
    with house(tmp_path / "house", "http://127.0.0.1:9/v1", start=False) as one:
        ledger_of_0_1(one.state)
        early = one.command("status")
        assert early.returncode == 74
        assert "made by image-watcher 0.1.0" in early.stderr
        one.start()
        (told,) = one.events("ledger.upgraded")
        assert Path(told["backup"]).is_file()
        assert json.loads(one.command("database", "show", "--json").stdout)["fits"] is True
        assert one.command("status").returncode == 0
        one.stop()


def test_downgrade_by_command(tmp_path: Path) -> None:
    """Refused while a daemon works; then it leaves a copy, and `upgrade` comes back from it."""
    with house(tmp_path / "house", "http://127.0.0.1:9/v1") as one:
        busy = one.command("database", "downgrade", "0.1")
        assert busy.returncode == 75
        assert "Stop that one first" in busy.stderr
        one.stop()
        done = one.command("database", "downgrade", "0.1")
        assert done.returncode == 0, done.stderr
        assert "Install image-watcher 0.1" in done.stdout
        shown = one.command("database", "show")
        assert "do not fit" in shown.stdout
        assert one.command("database", "upgrade").stdout.startswith("Upgraded from")
        assert one.command("database", "upgrade").stdout == "The database is up to date.\n"
        assert len(list(one.state.glob("ledger-*.sqlite3"))) >= 2


def test_a_version_that_never_was(tmp_path: Path) -> None:
    """A typing mistake is told in a sentence, and nothing changes."""
    with house(tmp_path / "house", "http://127.0.0.1:9/v1") as one:
        one.stop()
        wrong = one.command("database", "downgrade", "0.0.7")
        assert (wrong.returncode, "Traceback" in wrong.stderr) == (74, False)
        assert "no tables of version 0.0.7" in wrong.stderr
