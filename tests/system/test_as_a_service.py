"""What holds under systemd and beside it; a real systemd tries the whole of it in `make test-unit`."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

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
