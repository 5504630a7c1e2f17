"""Runs as root in the Debian that packaging/test-unit boots: the service under a real systemd, as an operator has it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

UNIT = "image-watcher.service"
KEY = "canary-9b1f4c7d2e"
SETTINGS = Path("/etc/image-watcher/watcher.yaml")
SHARED = Path("/srv/image-watcher")
INBOX, OUTBOX = SHARED / "inbox", SHARED / "outbox"
STATE = Path("/var/lib/image-watcher")
SANDBOX = (
    "image-watcher sandbox --latency 0.2"  # any key will do; its own would stand in the journal
)


def run(*command: str, user: str = "root", good: bool = True) -> str:
    words = (
        command
        if user == "root"
        else ("setpriv", "--reuid", user, "--regid", user, "--init-groups", *command)
    )
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not good or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}\n{log()[-3000:]}"
        time.sleep(0.1)


def shown(name: str, unit: str = UNIT) -> str:
    return run("systemctl", "show", unit, "--value", "--property", name).strip()


def log(*matches: str) -> str:
    return run("journalctl", "--no-pager", "--output", "cat", "--unit", UNIT, *matches)


def drop(name: str, *prompts: str, inbox: Path = INBOX) -> None:
    """As somebody of the group does, and nobody else may."""
    text = "prompt\\n" + "".join(f"{prompt}\\n" for prompt in prompts)
    run("sh", "-c", f"umask 007; printf '{text}' > {inbox}/{name}", user="alice")


def over(name: str, inbox: Path = INBOX) -> None:
    def archived() -> str:
        return run("sh", "-c", f"cat {inbox}/done/*/*/{name}", user="alice", good=False)

    wait_for(
        lambda: archived().startswith("prompt"), f"{name} is in done/, where its people can read it"
    )


def it_starts_and_works() -> None:
    run("systemctl", "enable", "--now", UNIT)
    assert shown("ActiveState") == "active"
    wait_for(lambda: "inbox.online" in log(), "the inbox is online")
    drop("first.csv", "a kite", "a lamp")
    over("first.csv")
    (folder,) = OUTBOX.glob("first--*")
    assert len(run("sh", "-c", f"ls {folder}/images", user="alice").split()) == 2


def nothing_more_than_it_needs_is_allowed() -> None:
    wrong = (STATE / "probe.txt").read_text()
    assert wrong == "", wrong
    exposure = run("systemd-analyze", "security", UNIT, "--no-pager").splitlines()[-1]
    assert float(exposure.split(": ")[1].split()[0]) <= 1.5, exposure


def the_journal_is_searched_by_field() -> None:
    (line,) = log("EVENT=job.accepted", "INBOX=products").splitlines()
    job = json.loads(line)["job"]
    assert "item.delivered" in log(f"JOB={job}", "ROW=2")
    assert job in run("image-watcher", "logs", "--job", job)


def commands_beside_it_find_everything() -> None:
    for words in (("status",), ("jobs",), ("check",), ("doctor",), ("config",), ("costs",)):
        run("image-watcher", *words)
    assert "there is one" in run("image-watcher", "check")
    with urlopen("http://127.0.0.1:8765/metrics") as figures:
        assert b"process_open_fds" in figures.read()
    told = run("image-watcher", "status", user="alice", good=False)
    assert "sudo" in told, told


def what_root_types_is_the_services() -> None:
    job = json.loads(run("image-watcher", "jobs", "--json"))[0]["id"]
    run("image-watcher", "redo", job, "1")
    run("image-watcher", "backup", "/root/trial/state.tar.gz")
    run("systemctl", "stop", UNIT)
    drop_file = Path("/srv/list.csv")
    drop_file.write_text("prompt\na boat\n")
    run("image-watcher", "process", str(drop_file))
    run("image-watcher", "restore", "/root/trial/state.tar.gz")
    run("image-watcher", "database", "downgrade", "0.1")
    run("image-watcher", "database", "upgrade")
    strange = run("find", str(STATE), str(OUTBOX), "-not", "-user", "image-watcher")
    assert strange == "", strange
    run("systemctl", "start", UNIT)
    drop("after.csv", "a mug")
    over("after.csv")


def a_reload_is_heard() -> None:
    SETTINGS.write_text(SETTINGS.read_text().replace("concurrency: 4", "concurrency: 3"))
    run("systemctl", "reload", UNIT)
    wait_for(
        lambda: "limits.concurrency" in log("EVENT=settings.reloaded"), "the settings are reloaded"
    )


def after_a_kill_it_is_started_again() -> None:
    _comes_back_from(signal.SIGKILL)


def a_process_that_hangs_is_ended_by_the_watchdog() -> None:
    _comes_back_from(signal.SIGSTOP)


def _comes_back_from(number: signal.Signals) -> None:
    before = int(shown("NRestarts"))
    os.kill(int(shown("MainPID")), number)
    wait_for(
        lambda: int(shown("NRestarts")) == before + 1 and shown("ActiveState") == "active",
        "it is started again",
        180,
    )
    drop(f"{number.name}.csv", f"a kite after {number.name}")
    over(f"{number.name}.csv")


def a_stop_waits_for_calls_that_are_paid_for() -> None:
    drop("slow.csv", "[fault:slow=8] a kite")

    def slow() -> dict[str, int]:
        jobs = json.loads(run("image-watcher", "status", "--json"))["jobs"]
        return next((job["counts"] for job in jobs if job["name"] == "slow.csv"), {})

    wait_for(lambda: slow().get("running"), "its call is in flight")
    run("systemctl", "stop", UNIT)
    assert (shown("Result"), shown("ExecMainStatus"), slow()["done"]) == ("success", "0", 1)
    run("systemctl", "start", UNIT)


def settings_that_cannot_be_used_are_not_tried_for_ever() -> None:
    good = SETTINGS.read_text()
    run("systemctl", "stop", UNIT)
    SETTINGS.write_text("inboxes: {products: {pth: x}}\n")
    run("systemctl", "start", UNIT, good=False)
    assert (shown("ExecMainStatus"), shown("ActiveState")) == ("78", "failed")
    SETTINGS.write_text(good)
    run("systemctl", "start", UNIT)


def an_instance_runs_beside_it() -> None:
    shop = SHARED / "shop"
    for folder in ("inbox", "outbox"):
        run(
            "install",
            "-d",
            "-m",
            "2770",
            "-o",
            "image-watcher",
            "-g",
            "image-watcher",
            str(shop / folder),
        )
    text = SETTINGS.read_text().replace(str(SHARED), str(shop)).replace("8765", "8766")
    SETTINGS.with_name("shop.yaml").write_text(text)
    run("install", "-m", "0600", "/etc/image-watcher/api-key", "/etc/image-watcher/shop.api-key")
    run("systemctl", "enable", "--now", "image-watcher@shop")
    drop("shop.csv", "a shop", inbox=shop / "inbox")
    over("shop.csv", shop / "inbox")
    config = ("--config", "/etc/image-watcher/shop.yaml")
    assert [job["name"] for job in json.loads(run("image-watcher", "jobs", "--json", *config))] == [
        "shop.csv"
    ]
    assert "there is one" in run("image-watcher", "check", *config)


def the_key_is_nowhere() -> None:
    run("journalctl", "--sync")
    places = [
        STATE,
        SHARED,
        Path("/var/log"),
        Path("/run/systemd/units"),
        Path(tempfile.gettempdir()),
    ]
    found = run(
        "grep", "--recursive", "--files-with-matches", "--text", KEY, *map(str, places), good=False
    )
    assert found == "", found
    pid = shown("MainPID")
    for name in ("environ", "cmdline"):
        assert KEY not in Path("/proc", pid, name).read_text(errors="replace")
    # Not even another program of the same user may look into it.
    refused = run("cat", f"/proc/{pid}/environ", user="image-watcher", good=False)
    assert "Permission denied" in refused, refused
    assert KEY not in log()
    for words in (("config",), ("doctor", "--json"), ("status", "--json"), ("logs", "--json")):
        assert KEY not in run("image-watcher", *words)


def without_its_key_it_waits() -> None:
    Path("/etc/image-watcher/api-key").unlink()
    run("systemctl", "restart", UNIT)
    drop("keyless.csv", "a key")
    wait_for(
        lambda: "no API key" in run("image-watcher", "status") or "key" in log("EVENT=lane.halted"),
        "it says so",
    )


def prepare() -> None:
    run("useradd", "alice", good=False)
    run("usermod", "--append", "--groups", "image-watcher", "alice")
    SETTINGS.write_text(
        SETTINGS.read_text().replace("https://api.openai.com/v1", "http://127.0.0.1:8999/v1")
    )
    Path("/root/trial/key").write_text(f"{KEY}\n")
    run("install", "-m", "0600", "/root/trial/key", "/etc/image-watcher/api-key")
    Path("/root/trial/key").unlink()
    drop_in = Path(f"/etc/systemd/system/{UNIT}.d/trial.conf")
    drop_in.parent.mkdir(parents=True)
    shutil.copy("/root/trial/probe.py", "/usr/local/lib/probe.py")
    drop_in.write_text(
        "[Service]\nExecStartPre=/usr/bin/python3 /usr/local/lib/probe.py\nWatchdogSec=8\n"
    )
    run("systemctl", "daemon-reload")
    run("systemd-run", "--unit", "sandbox", *SANDBOX.split())


def main() -> None:
    prepare()
    for step in (
        it_starts_and_works,
        nothing_more_than_it_needs_is_allowed,
        the_journal_is_searched_by_field,
        commands_beside_it_find_everything,
        what_root_types_is_the_services,
        a_reload_is_heard,
        after_a_kill_it_is_started_again,
        a_process_that_hangs_is_ended_by_the_watchdog,
        a_stop_waits_for_calls_that_are_paid_for,
        settings_that_cannot_be_used_are_not_tried_for_ever,
        an_instance_runs_beside_it,
        the_key_is_nowhere,
        without_its_key_it_waits,
    ):
        began = time.monotonic()
        step()
        tell(f"{time.monotonic() - began:6.1f} s  {step.__name__.replace('_', ' ')}")
    tell("All of it holds under a real systemd.")


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


main()
