"""An inbox on a real Samba server on loopback, used by a real client: `make test-samba` installs both.

The client is smbclient: mounting a share needs a kernel with cifs, and there the server is the same.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.system.house import (
    SLOW_MODES,
    House,
    clean_environ,
    house,
    noticing,
    prompts_csv,
    sandbox,
    wait_for,
)

_WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
SMBD, CLIENT = shutil.which("smbd", path=_WHERE), shutil.which("smbclient", path=_WHERE)

pytestmark = pytest.mark.skipif(
    not (SMBD and CLIENT and os.geteuid() == 0),
    reason="needs smbd and smbclient, and root to run them: `make test-samba` installs them",
)

_ROWS = 200
_REMARK = "x" * 60_000  # of each row: the client sends nothing before it has read 8 MiB
_CONFIG = """
[global]
    smb ports = {port}
    interfaces = lo
    bind interfaces only = yes
    server role = standalone server
    map to guest = Bad User
    disable spoolss = yes
    load printers = no
    log file = {own}/log
    pid directory = {own}
    lock directory = {own}
    state directory = {own}
    cache directory = {own}
    private dir = {own}
    ncalrpc dir = {own}/ncalrpc
    passdb backend = tdbsam:{own}/passdb.tdb
[inbox]
    path = {inbox}
    guest ok = yes
    read only = no
    force user = {user}
"""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A folder as Samba serves it."""

    port: int
    config: Path

    def command(self, orders: str) -> list[str]:
        """`smbclient` with orders of its own language, separated by `;`."""
        return [str(CLIENT), "//127.0.0.1/inbox", "-p", str(self.port), "-N",
                "-s", str(self.config), "-c", orders]  # fmt: skip

    def does(self, orders: str, *, where: Path | None = None) -> str:
        """What the client says; it must succeed."""
        done = subprocess.run(
            self.command(orders), cwd=where, env=clean_environ(),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def answers(self) -> bool:
        done = subprocess.run(
            self.command("ls"), env=clean_environ(), capture_output=True, timeout=60, check=False
        )
        return done.returncode == 0


@contextmanager
def share(inbox: Path, own: Path) -> Iterator[Share]:
    """`smbd` on a free port of the loopback; everything it writes besides the inbox is in `own`."""
    own.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = own / "smb.conf"
    user = pwd.getpwuid(os.getuid()).pw_name
    config.write_text(_CONFIG.format(port=port, own=own, inbox=inbox, user=user))
    command = [str(SMBD), "--foreground", f"--configfile={config}"]
    with (own / "out").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as smbd:
        try:
            served = Share(port=port, config=config)
            wait_for(served.answers, 30, "the share answers")
            yield served
        finally:
            smbd.terminate()


def takes_another(home: House, name: str) -> None:
    """A drop that is whole is taken: the daemon has looked, after its settle time, since this was called."""
    (home.inbox / name).write_text(f"the picture {name}\n")
    wait_for(lambda: name in accepted(home), 60, f"{name} is accepted")


def says_done(home: House, name: str) -> bool:
    return "done" in home.note(name)


def accepted(home: House) -> list[str]:
    return [str(line["file"]) for line in home.events("job.accepted")]


@pytest.fixture(params=SLOW_MODES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A daemon whose inbox people reach through Samba."""
    with (
        sandbox() as api,
        house(tmp_path / "house", api.base_url, noticing(request.param, {})) as made,
    ):
        yield made


def test_a_slow_upload_is_not_taken_half(home: House, tmp_path: Path) -> None:
    """A file that smbd holds open stays where it is, however long nothing is written; then it is taken, once."""
    rows = [f"product number {row},{_REMARK}\n" for row in range(_ROWS)]
    whole = "".join(["prompt,remark\n", *rows]).encode()
    with (
        share(home.inbox, tmp_path / "samba") as served,
        subprocess.Popen(
            served.command("iosize 65536; put - big.csv"),
            stdin=subprocess.PIPE,
            env=clean_environ(),
        ) as client,
    ):
        assert client.stdin is not None
        file = home.inbox / "big.csv"
        wait_for(file.exists, 30, "the upload has begun")
        takes_another(home, "1.prompt")
        assert file.exists()  # it stood at nothing for longer than the settle time
        client.stdin.write(whole[: -len(_REMARK)])  # it ends within its last row
        client.stdin.flush()
        wait_for(lambda: file.stat().st_size > 0, 30, "a part has come")
        takes_another(home, "2.prompt")
        assert file.exists()
        client.stdin.write(whole[-len(_REMARK) :])
        client.stdin.close()
        wait_for(lambda: "big.csv" in accepted(home), 60, "it is taken when it is whole")
        takes_another(home, "3.prompt")
    assert sorted(accepted(home)) == ["1.prompt", "2.prompt", "3.prompt", "big.csv"]
    job = wait_for(lambda: home.job("big.csv"), 120, "its first results are out")
    assert job.summary["rows"] == _ROWS


def test_what_is_renamed_in_and_copied_in_folders(home: House, tmp_path: Path) -> None:
    """Each is taken once; and whoever dropped it reads through the share what became of it."""
    drops = ["a.csv", "season/b.csv", "season/c.csv", "season/deep/d.csv"]
    beside = tmp_path / "client"
    (beside / "season" / "deep").mkdir(parents=True)
    for name in drops:
        (beside / name).write_text(prompts_csv([f"the cat of {name}", f"the dog of {name}"]))
    with share(home.inbox, tmp_path / "samba") as served:
        served.does("put a.csv a.csv.part; rename a.csv.part a.csv", where=beside)
        served.does("recurse; prompt; mput season", where=beside)
        for name in drops:
            assert home.wait_over(Path(name).name).statuses == ["done", "done"]
            wait_for(partial(says_done, home, name), 30, "its note says so")
        takes_another(home, "last.prompt")
        assert "done" in served.does("get a.csv.STATUS.txt -")
        left = served.does("ls; cd season; ls; cd deep; ls").split()
    names = [Path(name).name for name in drops]
    assert sorted(accepted(home)) == [*names, "last.prompt"]
    assert [name for name in ("a.csv.part", *names) if name in left] == []
