"""The image as compose.yaml runs it: works, is healthy, stops when it is told to. Has a network of its own without anybody in it.

container.py FOLDER CONTAINER   (where packaging/test-container keeps its images)
"""

import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PLACE, CONTAINER = Path(sys.argv[1]), sys.argv[2]
USER = 10001
BUILDAH = ["buildah", "--root", str(PLACE / "storage"), "--runroot", str(PLACE / "runroot")]
_UP, _SET_FLAGS = 0x1, 0x8914  # netdevice(7)


def wait_for(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, f"not within a minute: {what}"
        time.sleep(0.1)


def loopback() -> None:
    with socket.socket() as one:
        fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def image() -> dict[str, object]:
    told = subprocess.run([*BUILDAH, "inspect", CONTAINER], capture_output=True, check=True)
    found: dict[str, object] = json.loads(told.stdout)["Docker"]["config"]
    return found


def files() -> Path:
    """What compose.yaml wants beside it."""
    here = PLACE / "here"
    shutil.rmtree(here, ignore_errors=True)
    for name in ("inbox", "outbox", "state"):
        (here / name).mkdir(parents=True)
    shutil.copy(ROOT / "container/watcher.yaml", here)
    (here / "api-key").write_text("canary-9b1f4c7d2e\n")
    (here / "token").write_text("a" * 48)
    for path in (here, *here.rglob("*")):
        os.chown(path, USER, USER)
    return here


def options(here: Path) -> list[str]:
    service = yaml.safe_load((ROOT / "container/compose.yaml").read_text("utf-8"))["services"][
        "image-watcher"
    ]
    said = [f"--env={name}={value}" for name, value in service["environment"].items()]
    said += [f"--volume={here}/{name}:/run/secrets/{name}:ro" for name in service["secrets"]]
    said += [f"--volume={here}/{volume.removeprefix('./')}" for volume in service["volumes"]]
    return ["--network=host", *said, "--env=WATCHER_API__BASE_URL=http://127.0.0.1:8999/v1"]


def run(words: list[str], here: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*BUILDAH, "run", *options(here), CONTAINER, "--", *words], stderr=sys.stderr
    )


def works(words: list[str], here: Path) -> bool:
    command = [*BUILDAH, "run", *options(here), CONTAINER, "--", *words]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def daemon() -> int:
    """The daemon in the container, which `buildah run` passes no signals on to."""
    found = subprocess.run(
        ["pgrep", "--uid", str(USER), "--newest", "--full", "image-watcher run"],
        capture_output=True,
        check=True,
    )
    return int(found.stdout)


def main() -> None:
    loopback()
    here, made = files(), image()
    for volume in made["Volumes"]:  # type: ignore[attr-defined]  # else they lie over what is mounted there
        subprocess.run([*BUILDAH, "config", "--volume", f"{volume}-", CONTAINER], check=True)
    healthy = list(made["Healthcheck"]["Test"][1:])  # type: ignore[index]
    sandbox = subprocess.Popen(
        [Path(sys.executable).with_name("image-watcher"), "sandbox"], stdout=subprocess.PIPE
    )
    assert sandbox.stdout
    assert sandbox.stdout.readline()
    one = run([*made["Entrypoint"], *made["Cmd"]], here)  # type: ignore[misc]
    try:
        wait_for(lambda: works(healthy, here), "it is healthy")
        (here / "inbox/list.csv").write_text("prompt\na kite\na lamp\n")
        wait_for(
            lambda: len(list(here.glob("outbox/list--*/images/*.png"))) == 2,
            "its pictures are there",
        )
        wait_for(lambda: list(here.glob("inbox/done/*/*/list.csv")), "its drop is archived")
        os.kill(daemon(), signal.SIGTERM)
        assert one.wait(60) == 0
        assert not works(healthy, here)
    finally:
        sandbox.kill()
        if one.poll() is None:
            os.kill(daemon(), signal.SIGKILL)
    owners = {path.stat().st_uid for path in (here / "outbox").rglob("*")}
    assert owners == {USER}
    sys.stdout.write("The image is built, works, is healthy and stops.\n")


main()
