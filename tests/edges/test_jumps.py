"""A clock that is set, or a machine that sleeps, is noticed; one that is kept right is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.cli.check import on_share
from watcher.daemon.jumps import Jumps


@pytest.mark.parametrize(
    ("wall", "monotonic", "jump"),
    [(2.0, 2.0, 0), (2.9, 2.0, 0), (3602.0, 2.0, 3600), (-3598.0, 2.0, -3600), (600.0, 0.0, 600)],
)
def test_a_jump_is_told_once(wall: float, monotonic: float, jump: float) -> None:
    """By how far the wall's clock went astray, in either direction, from a minute on; the next look is quiet again."""
    now = {"wall": 1_800_000_000.0, "monotonic": 50.0}
    jumps = Jumps(lambda: now["wall"], lambda: now["monotonic"])
    now = {"wall": now["wall"] + wall, "monotonic": now["monotonic"] + monotonic}
    assert jumps.since() == jump
    now = {"wall": now["wall"] + 2, "monotonic": now["monotonic"] + 2}
    assert jumps.since() == 0


@pytest.mark.parametrize(
    ("kind", "good"), [("nfs4", False), ("cifs", False), ("fuse.sshfs", False), ("ext4", True)]
)
def test_state_on_a_share_is_not_right(kind: str, good: bool) -> None:  # noqa: FBT001
    """`check` says so, with the kind of share and what to do."""
    found = list(on_share(Path("/mnt/state"), kind))
    assert (found == []) is good
    assert [one.ok for one in found if kind in one.what] == [False] * len(found)
