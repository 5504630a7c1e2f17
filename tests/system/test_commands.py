"""What a person types, through the real process: pages, sentences and exit codes, never a traceback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.system.house import (
    ROOT,
    House,
    clean_environ,
    default_settings,
    house,
    merged,
    prompts_csv,
    sandbox,
    wait_for,
)

QUICK = {"api": {"retry": {"base": 0.05, "longest": 0.2}}}
COMMANDS = ("run", "check", "config", "status", "process", "sandbox", "demo")


def watcher(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """`image-watcher …` in a folder, with nothing in its environment but `environ`."""
    return subprocess.run(
        [sys.executable, "-m", "watcher", *arguments],
        cwd=cwd, env=clean_environ(**environ), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def assert_in_words(found: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It ended with that code, and standard error holds sentences and no traceback."""
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stdout + found.stderr
    for word in words:
        assert word in found.stderr
    said = [line for line in found.stderr.splitlines() if line.startswith("image-watcher: ")]
    assert said, found.stderr


# Pages


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page(tmp_path: Path, command: str) -> None:
    """`--help` of each command says what it does and names every option, without settings or rights."""
    found = watcher(command, "--help", cwd=tmp_path)
    assert found.returncode == 0
    assert "Usage: image-watcher" in found.stdout.replace("python -m watcher", "image-watcher")
    assert command in found.stdout
    assert len(found.stdout.splitlines()) >= 8
    assert "--help" in found.stdout


def test_the_first_page_names_every_command(tmp_path: Path) -> None:
    """`image-watcher --help` is where a person begins."""
    found = watcher("--help", cwd=tmp_path)
    assert found.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in found.stdout


def test_the_version(tmp_path: Path) -> None:
    """`--version` prints one line."""
    found = watcher("--version", cwd=tmp_path)
    assert (found.returncode, found.stdout.split()[0]) == (0, "image-watcher")


@pytest.mark.parametrize("arguments", [["runn"], ["run", "--onse"], ["process"]])
def test_a_slip_of_the_keyboard(tmp_path: Path, arguments: list[str]) -> None:
    """A command or option that does not exist is a usage error, in words."""
    found = watcher(*arguments, cwd=tmp_path)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert found.stderr.strip()


# Settings that cannot be used


@pytest.mark.parametrize("command", ["run", "check", "config", "status", "process x.csv"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: {concurrency: many}\napi: {modle: x}\n", ("limits.concurrency", "api.modle")),
        ("inboxes: [", ("watcher.yaml",)),
        ("inboxes: {a: {path: ./in, outbox: ./in/out}}", ("inboxes.a.outbox",)),
    ],
)
def test_settings_that_cannot_be_used(
    tmp_path: Path, command: str, text: str, words: tuple[str, ...]
) -> None:
    """Exit code 78, every finding with its key, for each command alike."""
    (tmp_path / "watcher.yaml").write_text(text)
    found = watcher(*command.split(), "--config", "watcher.yaml", cwd=tmp_path)
    assert_in_words(found, 78, *words)


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    """A file that was named and is not there: said so, with its name."""
    found = watcher("run", "--config", "nowhere.yaml", cwd=tmp_path)
    assert_in_words(found, 78, "nowhere.yaml")


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    """Said when somebody looks, and the path (which may be a pasted key) is not shown."""
    settings = merged(default_settings("http://127.0.0.1:9/v1"), {"api": {"key_file": "sk-pasted"}})
    (tmp_path / "watcher.yaml").write_text(yaml.safe_dump(settings))
    found = watcher("check", "--config", "watcher.yaml", cwd=tmp_path)
    assert_in_words(found, 78, "api.key_file")
    assert "sk-pasted" not in found.stderr


def test_config_masks_secrets(tmp_path: Path) -> None:
    """`config` prints what is in force and who said it; the key is nowhere in it."""
    found = watcher(
        "config", cwd=tmp_path, OPENAI_API_KEY="sk-very-secret", WATCHER_LIMITS__CONCURRENCY="7"
    )
    assert found.returncode == 0
    assert yaml.safe_load(found.stdout)["limits"]["concurrency"] == 7
    assert "WATCHER_LIMITS__CONCURRENCY" in found.stdout
    assert "sk-very-secret" not in found.stdout + found.stderr


# State and inboxes


def test_status_before_the_first_start(tmp_path: Path) -> None:
    """No ledger yet is no fault of anybody: exit code 74, and what to do."""
    found = watcher("status", cwd=tmp_path)
    assert_in_words(found, 74, "There is no ledger", "image-watcher run")
    assert watcher("status", "--json", cwd=tmp_path).returncode == 74


def test_an_inbox_that_is_not_known(tmp_path: Path) -> None:
    """`process --inbox` with a wrong name lists the right ones, and takes nothing."""
    (tmp_path / "x.csv").write_text("prompt\nx\n")
    found = watcher("process", "x.csv", "--inbox", "nope", cwd=tmp_path)
    assert_in_words(found, 78, "There is no inbox nope.", "products")
    assert (tmp_path / "x.csv").exists()


def test_two_daemons_at_one_state(tmp_path: Path) -> None:
    """The second one names the first, ends with 75 and disturbs nothing."""
    with house(tmp_path, "http://127.0.0.1:9/v1") as home:
        assert_in_words(home.command("run"), 75, "state_dir", str(home.pid))
        assert_in_words(home.command("run", "--once"), 75)
        assert home.stop() == 0


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the state folder should be: one sentence with its path."""
    (tmp_path / "state").write_text("a file")
    for command in ("run", "run --once"):
        found = watcher(*command.split(), cwd=tmp_path)
        assert_in_words(found, 74, "state")


def test_a_damaged_ledger(tmp_path: Path) -> None:
    """A ledger that is none is said so, by every command that opens it; it is never deleted."""
    ledger = tmp_path / "state" / "ledger.sqlite3"
    ledger.parent.mkdir()
    ledger.write_bytes(b"this is no database, and was here before" * 200)
    for command in ("status", "run --once", "database show", "database downgrade 0.1"):
        found = watcher(*command.split(), cwd=tmp_path)
        assert_in_words(found, 74, str(ledger.parent))
    assert ledger.read_bytes().startswith(b"this is no database")


def test_a_pipe_that_closes(tmp_path: Path) -> None:
    """`image-watcher config | head -1` ends quietly."""
    found = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m watcher config | head -1"],
        cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert found.returncode == 0
    assert "Traceback" not in found.stderr


# process


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good.csv").write_text(prompts_csv(["good one", "good two"]))
    (folder / "bad.csv").write_text("sku,prompt\n1,bad one\n2,\n")
    (folder / "broken.json").write_text("{[}")
    return folder


@pytest.mark.parametrize("running", [False, True])
def test_process_says_by_its_exit_code_whether_all_is_done(
    tmp_path: Path, files: Path, *, running: bool
) -> None:
    """With a daemon or without one: 0 when every row is done, else 1; one line a file."""
    with (
        sandbox() as api,
        house(tmp_path / "house", api.base_url, QUICK, start=running) as home,
    ):
        good = home.command("process", str(files / "good.csv"))
        assert good.returncode == 0, good.stderr
        job = home.wait_over("good.csv")
        assert good.stdout == f"good.csv: done, {job.folder}\n"
        assert job.statuses == ["done", "done"]
        bad = home.command("process", str(files / "bad.csv"))
        assert (bad.returncode, bad.stdout.split(",")[0]) == (1, "bad.csv: partial")
        broken = home.command("process", str(files / "broken.json"))
        assert (broken.returncode, broken.stdout.split(",")[0]) == (1, "broken.json: failed")
        assert len(list(files.iterdir())) == 3
        assert api.stats()["calls"] == 3
        again = home.command("process", str(files / "good.csv"))
        assert (again.returncode, again.stdout) == (0, good.stdout)
        assert api.stats()["calls"] == 3
        for found in (good, bad, broken, again):
            assert "Traceback" not in found.stdout + found.stderr


def test_process_several_files_as_json(tmp_path: Path, files: Path) -> None:
    """`--json` prints one object a file, as job.json has it."""
    (files / "more.txt").write_text("more one\n")
    with sandbox() as api, house(tmp_path / "house", api.base_url, QUICK, start=False) as home:
        found = home.command("process", "--json", str(files / "good.csv"), str(files / "more.txt"))
        assert found.returncode == 0, found.stderr
        told = [json.loads(line) for line in found.stdout.splitlines()]
        assert [(job["name"], job["state"], job["rows"]) for job in told] == [
            ("good.csv", "done", 2), ("more.txt", "done", 1),
        ]  # fmt: skip


def test_process_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Said before anything is dropped."""
    with house(tmp_path, "http://127.0.0.1:9/v1", start=False) as home:
        found = home.command("process", "nowhere.csv")
        assert_in_words(found, 1, "nowhere.csv")
        assert not home.inbox.exists() or not list(home.inbox.glob("*.csv"))


def test_process_a_kind_that_is_not_known(tmp_path: Path) -> None:
    """A file that no inbox would take is refused at once, not waited for."""
    (tmp_path / "letter.docx").write_text("whatever")
    with house(tmp_path / "house", "http://127.0.0.1:9/v1", start=False) as home:
        found = home.command("process", str(tmp_path / "letter.docx"))
        assert_in_words(found, 1, "letter.docx", ".csv")


def test_process_without_a_key(tmp_path: Path, files: Path) -> None:
    """Nothing can be sent: it says why and ends, and the rows stay queued."""
    with sandbox() as api, house(tmp_path / "house", api.base_url, start=False, environ={}) as home:
        found = home.command("process", str(files / "good.csv"))
        assert_in_words(found, 1, "There is no API key.")
        assert api.stats()["calls"] == 0
        home.environ = {"OPENAI_API_KEY": "any"}
        home.start()
        assert home.wait_over("good.csv").statuses == ["done", "done"]


# run --once


def test_once_takes_what_lies_there_and_ends(tmp_path: Path) -> None:
    """Exit code 0 when every job is over; nothing lying there is no error."""
    with sandbox() as api, house(tmp_path, api.base_url, QUICK, start=False) as home:
        empty = home.command("run", "--once")
        assert empty.returncode == 0, empty.stderr
        home.drop("one.csv", prompts_csv(["once one"]))
        home.drop("two.txt", "once two\nonce three\n")
        found = home.command("run", "--once")
        assert found.returncode == 0, found.stderr
        assert [job.statuses for job in home.jobs()] in (
            [["done"], ["done"] * 2],
            [["done"] * 2, ["done"]],
        )
        assert not list(home.inbox.glob("*.csv"))
        assert api.stats()["calls"] == 3


def test_once_says_when_not_every_job_is_over(tmp_path: Path) -> None:
    """No money left: exit code 1, rows stay queued for the next time."""
    with (
        sandbox(faults=["quota"]) as api,
        house(tmp_path, api.base_url, QUICK, start=False) as home,
    ):
        home.drop("one.csv", prompts_csv(["once one", "once two"]))
        found = home.command("run", "--once")
        assert_in_words(found, 1, "image-watcher status")
        api.misbehave()
        assert home.command("run", "--once").returncode == 0
        assert home.wait_over("one.csv").statuses == ["done"] * 2


# check and status


def test_check_finds_nothing_wrong(tmp_path: Path) -> None:
    """Exit code 0 and one line a finding, with the API asked."""
    with sandbox() as api, house(tmp_path, api.base_url, start=False) as home:
        found = home.command("check")
        assert found.returncode == 0, found.stdout
        assert all(line.startswith(("ok ", "?  ")) for line in found.stdout.splitlines())
        assert "reached" in found.stdout
        assert "API key" in found.stdout
        assert api.stats()["pictures"] == 0


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    """Each fault on a line that begins with NOT, with what to do; exit code 1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with house(tmp_path, closed, start=False, environ={}) as home:
        home.outbox.write_text("a file where a folder should be")
        found = home.command("check")
        wrong = [line for line in found.stdout.splitlines() if line.startswith("NOT ")]
        assert found.returncode == 1
        assert len(wrong) == 3, found.stdout
        assert any("refused the connection" in line for line in wrong)
        assert any("API key" in line for line in wrong)
        assert any("outbox" in line for line in wrong)
        assert home.command("check", "--offline").stdout.count("NOT ") == 2


def test_check_a_key_that_is_refused(tmp_path: Path) -> None:
    """A wrong key is found before the first drop, and not shown."""
    with sandbox(key="sk-right") as api, house(tmp_path, api.base_url, start=False) as home:
        found = home.command("check")
        assert found.returncode == 1
        assert "NOT  API" in found.stdout
        assert "test-key" not in found.stdout


def shown(home: House) -> str:
    found = home.command("status")
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_status_tells_what_runs(tmp_path: Path) -> None:
    """The page and its JSON tell the daemon, its inboxes and the newest jobs; also when it has ended."""
    with sandbox() as api, house(tmp_path, api.base_url, QUICK) as home:
        home.drop("one.csv", prompts_csv(["status one", "status two"]))
        job = home.wait_over("one.csv")
        page = wait_for(lambda: text if "online" in (text := shown(home)) else "")
        assert "The daemon is running" in page
        assert "one.csv" in page
        assert "2/2" in page
        told = json.loads(home.command("status", "--json").stdout)
        assert told["running"] is True
        assert told["jobs"][0]["id"] == job.summary["id"]
        assert told["jobs"][0]["counts"]["done"] == 2
        assert home.stop() == 0
        assert "not running" in shown(home)
        assert json.loads(home.command("status", "--json").stdout)["running"] is False


# What nobody foresaw


def test_a_fault_of_our_own_is_a_sentence(tmp_path: Path) -> None:
    """An exception that nobody foresaw ends in words and with 70, and tells what to report."""
    (tmp_path / "watcher").mkdir()
    broken = (
        "import watcher.cli.app as app\n@app.app.command()\ndef broken(): {}['x']\napp.main()\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", broken, "broken"],
        cwd=tmp_path, env=clean_environ(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert_in_words(found, 70, "fault in image-watcher itself", "KeyError at <string>:3")


def test_what_the_system_does_not_allow(tmp_path: Path) -> None:
    """The system's own no is a sentence too, with the path that it is about."""
    (tmp_path / "x.csv").write_text("prompt\nx\n")
    (tmp_path / "plain").write_text("a file")
    with house(tmp_path / "house", "http://127.0.0.1:9/v1", start=False) as home:
        home.configure({"inboxes": {"main": {"path": str(tmp_path / "plain" / "inbox")}}})
        found = home.command("process", str(tmp_path / "x.csv"))
        assert_in_words(found, 74, "Not a directory", str(tmp_path / "plain"))


def test_the_example_settings_are_good() -> None:
    """The file that people begin with is accepted as it is."""
    found = watcher("config", "--config", "config/watcher.yaml", cwd=ROOT)
    assert found.returncode == 0, found.stderr
