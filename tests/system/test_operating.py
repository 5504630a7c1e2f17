"""What an operator types beside the daemon: jobs, show, logs, doctor, init; through the real process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.house import House, clean_environ, house, prompts_csv, sandbox, wait_for

from watcher.cli.pages import pages

PROGRAM = [sys.executable, "-m", "watcher"]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A daemon that has done one job well and another not."""
    folder = tmp_path_factory.mktemp("operating") / "house"
    with sandbox() as api, house(folder, api.base_url) as one:
        one.drop("good.csv", prompts_csv(["a kite", "a lamp"]))
        one.drop("bad.csv", prompts_csv(["a boat", "[fault:400] a mug"]))
        one.wait_over("good.csv")
        one.wait_over("bad.csv")
        yield one


def _id(one: House, name: str) -> str:
    found = one.job(name)
    assert found is not None
    return str(found.summary["id"])


def test_jobs_lists_what_was_dropped(worked: House) -> None:
    """The newest first, all or those of one state or inbox, for people and for programs."""
    page = worked.command("jobs")
    assert (page.returncode, "good.csv" in page.stdout, "bad.csv" in page.stdout) == (0, True, True)
    found = json.loads(worked.command("jobs", "--json").stdout)
    assert {(job["name"], job["state"]) for job in found} == {
        ("good.csv", "done"), ("bad.csv", "partial")
    }  # fmt: skip
    (one,) = json.loads(worked.command("jobs", "--json", "--state", "done").stdout)
    assert one["name"] == "good.csv"
    assert json.loads(worked.command("jobs", "--json", "--inbox", "nowhere").stdout) == []
    assert len(json.loads(worked.command("jobs", "--json", "--most", "1").stdout)) == 1
    wrong = worked.command("jobs", "--state", "happy")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False)


def test_show_tells_why_a_row_failed(worked: House) -> None:
    """Where the results are, what it cost, and each row that did not end well, with what to do."""
    job = _id(worked, "bad.csv")
    page = worked.command("show", job)
    assert page.returncode == 0
    for words in ("Row 2: failed.", "image-watcher retry", "partial", str(worked.outbox)):
        assert words in page.stdout.replace("\n", ""), page.stdout
    found = json.loads(worked.command("show", job, "--json").stdout)
    (row,) = found["rows_to_look_at"]
    assert (row["number"], row["state"]) == (2, "failed")
    assert row["what"]
    assert Path(found["results"]).is_dir()
    missing = worked.command("show", "nothing")
    assert (missing.returncode, "There is no job nothing." in missing.stderr) == (1, True)


def test_logs_are_found_and_read_by_job(worked: House) -> None:
    """Where the daemon writes into a file it is found by itself; one job's lines, and the worse ones."""
    job = _id(worked, "bad.csv")
    lines = [json.loads(line) for line in worked.command("logs", "--json").stdout.splitlines()]
    assert {"daemon.started", "job.accepted"} <= {line["event"] for line in lines}
    mine = worked.command("logs", "--json", "--job", job).stdout.splitlines()
    assert mine
    assert {json.loads(line)["job"] for line in mine} == {job}
    assert len(worked.command("logs", "--lines", "2").stdout.splitlines()) == 2
    assert worked.command("logs", "--level", "error").stdout == ""
    assert "job.accepted" in worked.command("logs", "--file", str(worked.log_file)).stdout
    wrong = worked.command("logs", "--level", "loud")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False)
    missing = worked.command("logs", "--file", "/nowhere")
    assert (missing.returncode, "cannot be read" in missing.stderr) == (1, True)


def hear_interrupts() -> None:
    """As on a terminal: who runs these tests in the background has interrupts ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_logs_go_on_until_interrupted(worked: House) -> None:
    """--follow shows what comes, and Ctrl-C ends it without a traceback."""
    command = [*PROGRAM, "logs", "--follow", "--lines", "1", "--config", str(worked.config)]
    with subprocess.Popen(
        command, cwd=worked.folder, env=clean_environ(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - nothing else runs in the child yet
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline()
        worked.drop("later.csv", prompts_csv(["a late boat"]))
        seen = ""
        while "later.csv" not in seen:
            seen = child.stdout.readline()
            assert seen
        child.send_signal(signal.SIGINT)
        assert (child.wait(30), child.communicate()[1]) == (130, "")
    worked.wait_over("later.csv")


def test_doctor_finds_nothing_where_nothing_is(worked: House) -> None:
    """Each thing has its line; nothing is changed by looking."""
    found = worked.command("doctor")
    assert found.returncode == 0, found.stdout
    for words in ("daemon: running", "every page read and whole", "clock", "reached"):
        assert words in found.stdout
    assert {one["ok"] for one in json.loads(worked.command("doctor", "--json").stdout)} <= {
        True, None
    }  # fmt: skip


def test_doctor_tells_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    """A damaged database, a full disk's rule, an API that is away, copies left over: each with its way out."""
    with house(tmp_path / "house", "http://127.0.0.1:9/v1") as one:
        one.drop("some.csv", prompts_csv([f"a kite {row} {'x' * 500}" for row in range(200)]))
        wait_for(lambda: one.events("job.accepted"))
        one.stop()
        copy = one.state / "ledger-0.1.0-0001-20261121T030000Z.sqlite3"
        shutil.copy(one.state / "ledger.sqlite3", copy)
        half = one.state / "backing-up-123"
        half.mkdir()
        os.utime(half, (time.time() - 86_400,) * 2)
        before = one.command("doctor")
        assert before.returncode == 1
        for words in (
            "daemon: not running",
            f"left over: {half}",
            f"kept aside: {copy}",
            "NOT  API",
        ):
            assert words in before.stdout, before.stdout
        file = one.state / "ledger.sqlite3"
        with file.open("r+b") as raw:
            raw.seek(file.stat().st_size // 2)
            raw.write(b"\xff" * 20_000)
        damaged = one.command("doctor", "--offline")
        assert damaged.returncode == 1
        assert "is damaged" in damaged.stdout
        assert "image-watcher restore FILE" in damaged.stdout


def _init(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "init", *arguments],
        cwd=folder, env=clean_environ(**more), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_init_makes_what_a_first_start_needs(tmp_path: Path) -> None:
    """Settings with comments that load, folders, a unit that systemd takes; and a picture by it alone."""
    with sandbox() as api:
        made = _init(tmp_path, "--folder", "here", "--base-url", api.base_url, "--name", "shop")
        assert made.returncode == 0, made.stderr
        here = tmp_path / "here"
        assert {path.name for path in here.iterdir()} == {
            "inbox", "outbox", "watcher.yaml", "watcher.schema.json", "image-watcher.service"
        }  # fmt: skip
        assert "# prompt_template" in (here / "watcher.yaml").read_text("utf-8")
        (here / "inbox/first.txt").write_text("a kite\n")
        done = subprocess.run(
            [*PROGRAM, "run", "--once", "--config", str(here / "watcher.yaml")],
            cwd=tmp_path, env=clean_environ(OPENAI_API_KEY="sandbox-key"),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(list(here.glob("outbox/first--*/images/*.png"))) == 1
    if shutil.which("systemd-analyze"):
        verified = subprocess.run(
            ["systemd-analyze", "verify", str(here / "image-watcher.service")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "image-watcher.service" not in verified.stderr, verified.stderr


def test_check_says_that_what_init_made_is_not_read(tmp_path: Path) -> None:
    """Without --config the settings that lie in this folder are not in force: `check` names them."""
    for is_there in (False, True):
        found = subprocess.run(
            [*PROGRAM, "check", "--offline"], cwd=tmp_path, env=clean_environ(),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ("watcher.yaml here is not read" in found.stdout) is is_there, found.stdout
        assert _init(tmp_path, "--yes").returncode == 0


def test_init_never_overwrites(tmp_path: Path) -> None:
    """A second run says what is there and leaves every byte as it is."""
    assert _init(tmp_path, "--yes").returncode == 0
    (tmp_path / "watcher.yaml").write_text("# mine\n")
    again = _init(tmp_path, "--yes", "--json")
    told = json.loads(again.stdout)
    assert set(told.values()) == {False}
    assert (tmp_path / "watcher.yaml").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--profile", "magic"), "no profile magic"),
        (("--name", "Not A Name"), "inboxes"),
        (("--inbox", "x", "--outbox", "x/out"), "outbox"),
        (("--base-url", "ftp://x"), "base_url"),
    ],
)
def test_init_refuses_what_could_not_start(
    tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    """Settings that would be refused are not written at all."""
    wrong = _init(tmp_path, "--yes", *arguments)
    assert (wrong.returncode, word in wrong.stderr) == (78, True), wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert list(tmp_path.iterdir()) == []


def test_init_asks_where_somebody_answers(tmp_path: Path) -> None:
    """On a terminal each question has a default, and an answer is taken."""
    script = f"cd {tmp_path} && exec {' '.join(PROGRAM)} init"
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"],
        input="openai\ndrop-here\n\nshop\n\n",
        env=clean_environ(TERM="xterm"), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Where do people drop files" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "drop-here").is_dir()
    assert "  shop:" in (tmp_path / "watcher.yaml").read_text("utf-8")


def test_colour_and_width_follow_the_terminal(worked: House) -> None:
    """No escape sequence where nobody sees colour; none with NO_COLOR; long lines fit narrow terminals."""
    assert "\x1b" not in worked.command("status").stdout
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        done = subprocess.run(
            ["script", "-qec", f"{' '.join(PROGRAM)} jobs --config {worked.config}", "/dev/null"],
            cwd=worked.folder, env=clean_environ(TERM="xterm-256color", COLUMNS="60", **more),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ("\x1b[3" in done.stdout) is coloured, done.stdout
        if not coloured:
            shown = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
            assert max(len(line.rstrip()) for line in shown.splitlines()) <= 60


def test_a_narrow_terminal_shows_all_of_it(worked: House) -> None:
    """At forty columns nothing is cut off: ids and paths can be copied, folded where they do not fit."""
    job = _id(worked, "bad.csv")
    for words, wanted in (
        (("jobs",), (job, "bad.csv", "partial  2/2  1 failed")),
        (("status",), (job, str(worked.inbox))),
        (("show", job), (job, str(worked.outbox), "bad.csv")),
        (("costs",), ("calls  images   cost",)),
    ):
        done = subprocess.run(
            [*PROGRAM, *words, "--config", str(worked.config)],
            cwd=worked.folder, env=clean_environ(COLUMNS="40"),
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert max(map(len, lines)) <= 40, done.stdout
        assert "…" not in done.stdout, done.stdout
        assert [one for one in wanted if one not in _unfolded(lines)] == [], done.stdout
        assert "e+0" not in done.stdout


def _unfolded(lines: list[str]) -> str:
    """Each column of a table, put together again from its lines; they are two spaces apart."""
    parts = [re.split(r"\s{2,}", line) for line in lines]
    flat = "".join(line.strip() for line in lines)
    return flat + "|" + "|".join("".join(p[at] for p in parts if at < len(p)) for at in range(8))


def test_the_shell_completes_commands_and_jobs(worked: House) -> None:
    """Completion offers every command, and the jobs of the settings that are in force."""
    more = {"_IMAGE_WATCHER_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    program = str(Path(sys.executable).parent / "image-watcher")
    words = subprocess.run(
        [program], env=clean_environ(**more, COMP_WORDS="image-watcher d"),
        capture_output=True, text=True, check=False, timeout=60,
    ).stdout.split()  # fmt: skip
    assert {"database", "demo", "doctor"} == set(words)
    more = {**more, "COMP_CWORD": "2", "WATCHER_CONFIG": str(worked.config)}
    ids = subprocess.run(
        [program], env=clean_environ(**more, COMP_WORDS="image-watcher show "),
        cwd=worked.folder, capture_output=True, text=True, check=False, timeout=60,
    ).stdout.split()  # fmt: skip
    assert _id(worked, "good.csv") in ids


def test_the_manual_is_made_from_the_help(tmp_path: Path) -> None:
    """One page for the program and one a command; troff finds nothing to complain of."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "docs/manual.py", str(tmp_path)],
        cwd=root, env=clean_environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.iterdir()}
    assert {"image-watcher.1", "image-watcher-run.1", "image-watcher-database-show.1"} <= names
    if shutil.which("groff"):
        for page in tmp_path.iterdir():
            checked = subprocess.run(
                ["groff", "-man", "-Tutf8", "-ww", "-z", str(page)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (checked.returncode, checked.stderr) == (0, "")


def test_json_where_programs_read_it(worked: House) -> None:
    """check and config print nothing but JSON when asked, with the same exit codes."""
    findings = json.loads(worked.command("check", "--json").stdout)
    assert all(one["what"] for one in findings)
    found = json.loads(worked.command("config", "--json").stdout)
    assert found["limits.concurrency"]["value"] == 4
    assert "watcher.yaml" in found["limits.concurrency"]["from"]
    assert "test-key" not in json.dumps(found)


def test_process_drops_and_waits_or_not(worked: House, tmp_path: Path) -> None:
    """--wait ends with the job, without a bar where no terminal is; --no-wait says where the file lies."""
    for name in ("waited.csv", "left.csv"):
        (tmp_path / name).write_text(prompts_csv([f"a kite of {name}"]))
    done = worked.command("process", str(tmp_path / "waited.csv"), "--wait", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["state"] == "done"
    left = worked.command("process", str(tmp_path / "left.csv"), "--no-wait", "--json")
    assert left.returncode == 0, left.stderr
    (path,) = json.loads(left.stdout)
    assert Path(path).parent == worked.inbox
    worked.wait_over("left.csv")


def test_every_command_speaks_json(tmp_path: Path) -> None:
    """Each but `run`, whose log does, prints JSON and nothing else when it is asked to, beside the daemon and without it."""
    examples = tmp_path / "examples"
    examples.mkdir()
    (examples / "one.txt").write_text("a kite\n")
    backup, list_file = str(tmp_path / "state.backup"), str(examples / "one.txt")
    copies = {"inboxes": {"main": {"renditions": [{"name": "web"}]}}}
    with sandbox() as api, house(tmp_path / "house", api.base_url, copies) as one:
        one.drop("bad.csv", prompts_csv(["a boat", "[fault:400] a mug"]))
        one.drop("long.csv", prompts_csv(["[fault:slow=600] a lamp"]))
        one.wait_over("bad.csv")
        wait_for(lambda: one.job("long.csv"))
        over, open_job = _id(one, "bad.csv"), _id(one, "long.csv")
        beside = {
            "alert-test": (), "approve": (open_job,), "backup": (backup,), "check": (), "config": (), "costs": (),
            "database show": (), "doctor": (), "estimate": (list_file,), "jobs": (), "logs": ("--lines", "1"),
            "models": (), "pause": (open_job,), "priority": (open_job, "high"), "process": (list_file, "--no-wait"),
            "redo": (over, "1"), "renditions": (over,), "resume": (open_job,), "retry": (over,), "show": (over,),
            "status": (), "cancel": (open_job,),
        }  # fmt: skip
        found = {name: _json_of(one, name, *words) for name, words in beside.items()}
        one.kill()
        alone = {"restore": (backup,), "database downgrade": ("0.1",), "database upgrade": ()}
        found |= {name: _json_of(one, name, *words) for name, words in alone.items()}
    for name, words in (
        ("init", ("--folder", str(tmp_path / "new"))),
        ("demo", ("--folder", str(tmp_path / "demo"), "--examples", str(examples))),
    ):
        done = subprocess.run(
            [*PROGRAM, name, "--json", *words],
            cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        found[name] = json.loads(done.stdout)
    with subprocess.Popen(
        [*PROGRAM, "sandbox", "--json", "--port", "0"], env=clean_environ(), stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        found["sandbox"] = json.loads(child.stdout.readline())
        child.kill()
    assert set(found) == {page.name for page in pages()} - {"run"}


def _json_of(one: House, name: str, *words: str) -> object:
    done = one.command(*name.split(), *words, "--json")
    assert done.returncode == 0, (name, done.stdout, done.stderr)
    return json.loads(done.stdout)
