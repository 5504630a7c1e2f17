"""What holds under systemd and beside it; a real systemd tries the whole of it in `make test-unit`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from tests.edges.inbox_room import NOBODY
from tests.system.house import house, prompts_csv, sandbox, wait_for

RESTRICTED = (sys.executable, str(Path(__file__).with_name("restricted.py")))


def test_a_group_can_use_the_archive_where_no_set_bits_may_be_set(tmp_path: Path) -> None:
    """RestrictSUIDSGID= refuses every mode with that bit: what is made in a shared inbox is the group's all the same."""
    with sandbox() as api, house(tmp_path / "house", api.base_url, start=False) as one:
        one.wrapper = RESTRICTED
        one.inbox.mkdir()
        one.inbox.chmod(0o2770)
        one.start()
        one.drop("sub/list.csv", prompts_csv(["a kite"]))
        wait_for(lambda: list(one.inbox.glob("done/*/*/sub/list.csv")))
        one.stop()
        made = [one.inbox / "done", *(p for p in (one.inbox / "done").rglob("*") if p.is_dir())]
        assert len(made) == 4
        assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o770 != 0o770] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_types_leaves_the_service_what_it_needs(tmp_path: Path) -> None:
    """Root restores, downgrades and upgrades the state of a service that runs as another user: it stays that user's."""
    with sandbox() as api, house(tmp_path / "house", api.base_url) as one:
        one.drop("list.csv", prompts_csv(["a kite"]))
        one.wait_over("list.csv")
        one.stop()
        for path in (one.state, *one.state.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        backup = str(tmp_path / "state.backup")
        for words in (
            ("backup", backup),
            ("restore", backup),
            ("database", "downgrade", "0.1"),
            ("database", "upgrade"),
            ("status",),
        ):
            done = one.command(*words)
            assert done.returncode == 0, (words, done.stderr)
        kept = list(one.state.rglob("*"))
        assert any("before-restore-" in str(path) for path in kept)
        assert [path for path in kept if path.stat().st_uid != NOBODY] == []
