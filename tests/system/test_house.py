"""The house as a whole: its rule, its pages, its commands, its locks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest
from tests.edges.old_ledger import migrated, missing_lines, shape
from tests.system import documents
from tests.system.documents import PAGES, ROOT, Terminal, commands, terminal

from watcher.ledger.database import open_database
from watcher.settings import load
from watcher.settings.not_yet import NOT_YET
from watcher.settings.show import schema_text

README = ROOT / "README.md"
MOST_WORDS = 600
MOST_LINES = 400
BIN = Path(sys.executable).parent

# Commands of pages that are not run here, by how they begin, and why.
NOT_RUN = {
    "make test": "this is a part of it",
    "sudo ": "changes the machine",
    "image-watcher database downgrade": "only for a daemon that is stopped; test_database runs it",
    "image-watcher restore": "only for a daemon that is stopped; test_backup runs it",
    "journalctl ": "needs a running systemd",
    "image-watcher status --watch": "never ends; the page is that of `status`",
}
# Commands that run until they are stopped, by what they contain.
SERVERS = {"image-watcher sandbox": "sandbox", "image-watcher run": "run"}
# Where packages come from is the machine's business. In two pieces, so that this file names none.
INDEXES = ("pypi." + "org", "pythonhosted." + "org", "--index" + "-url", "--extra-index" + "-url")


def test_imports_go_down_never_up_never_across() -> None:
    """The rule of docs/architecture.md holds for every module."""
    done = subprocess.run(
        [BIN / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_every_room_is_on_the_map() -> None:
    """The table of rooms in docs/architecture.md names every package and module below watcher."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    names = {path.name.removesuffix(".py") for path in (ROOT / "src/watcher").iterdir()}
    rooms = {name if name.startswith("_") else name.partition("_")[0] for name in names}
    rooms -= {"__init__", "__main__", "__pycache__", "py.typed"}
    assert {room for room in rooms if f"| `{room}` |" not in page} == set()


def test_files_stay_short() -> None:
    """No source file is longer than a person reads at once."""
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in ROOT.glob("src/**/*.py")}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_the_readme_is_short() -> None:
    """It can be read in three minutes."""
    assert len(README.read_text("utf-8").split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link between pages leads to a file, and to a heading in it where it names one."""
    lost = []
    for link in documents.links(page):
        if link.startswith(("https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in documents.anchors(target)):
            lost.append(link)
    assert lost == []


def test_what_is_said_of_security_names_the_tests_that_show_it() -> None:
    """Each test that docs/security.md names is there."""
    named = re.findall(
        r"`((?:core|edges|system)/\w+\.py)`", (ROOT / "docs/security.md").read_text("utf-8")
    )
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_where_they_are_found(page: Path) -> None:
    """A command stands in a console block: no other kind of block holds one that nobody tries."""
    assert documents.fences(page) <= {"console", "", "ini", "yaml", "json"}


EXAMPLES = [(page, *block) for page in PAGES for block in documents.blocks(page)]


@pytest.mark.parametrize(
    "text", [text for _, kind, text in EXAMPLES if kind == "yaml"], ids=lambda text: text[:12]
)
def test_settings_on_pages_can_be_used(text: str, tmp_path: Path) -> None:
    """What a page tells a person to write into the settings is accepted as it stands."""
    (tmp_path / "watcher.yaml").write_text(text)
    assert load(tmp_path / "watcher.yaml", {}, tmp_path).sources


def test_other_examples_on_pages_are_what_they_say() -> None:
    """JSON can be read, and every line of a drop-in stands in the unit's own comment."""
    unit = (ROOT / "systemd/image-watcher.service").read_text("utf-8")
    for page, kind, text in EXAMPLES:
        if kind == "json":
            assert json.loads(text), page
        if kind == "ini":
            assert [line for line in text.splitlines() if f"#   {line}\n" not in unit] == []


def test_what_is_not_run_has_a_reason_that_is_still_needed() -> None:
    """The list of commands that are not run names no command that no page has."""
    named = [command for page in PAGES for command in commands(page)]
    assert [start for start in NOT_RUN if not any(one.startswith(start) for one in named)] == []


@pytest.mark.alone
@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.name)
def test_every_command_of_a_page_works(page: Path, tmp_path: Path) -> None:
    """What a page tells a person to type works, in the order in which it tells it."""
    with terminal(tmp_path) as shell:
        shell.serve("image-watcher sandbox", "sandbox")
        shell.serve("image-watcher run", "run")
        for command in commands(page):
            _type(shell, command)
        if page == README:
            _drop_is_done(shell)
            assert list(tmp_path.glob("demo/outbox/products--*/images/*.png"))


def _type(shell: Terminal, command: str) -> None:
    if command.startswith(tuple(NOT_RUN)):
        return
    server = next((name for start, name in SERVERS.items() if start in command), "")
    if "--once" in command:
        shell.end("run")  # only one works with a state folder
        shell.run(command)
    elif server:
        shell.serve(command, server)
    else:
        shell.run(re.sub(r"(?<=[ /])JOB", _job_for(shell, command), command))


def _drop_is_done(shell: Terminal) -> None:
    """The file that the page drops ends in pictures, a table and a page."""
    shell.wait_for(lambda: _jobs(shell).get("products.csv", {}).get("state") == "done")
    (results,) = shell.folder.glob("outbox/products--*/results.csv")
    assert "done" in results.read_text("utf-8")
    assert list(results.parent.glob("images/*.png"))


def _job_for(shell: Terminal, command: str) -> str:
    """A job in the state that an order is for: over with a failed row, or still running."""
    if not re.search(r"[ /]JOB", command):
        return ""
    name, prompt, state, rows = "slow.csv", "[fault:slow=5] A lighthouse", "running", 200
    if " retry " in command or " show " in command:
        name, prompt, state, rows = "refused.csv", "[fault:400] A lighthouse", "failed", 20
    if name not in _jobs(shell):
        part = shell.folder / name
        part.write_text("prompt\n" + "".join(f"{prompt} {row}\n" for row in range(rows)))
        part.rename(shell.folder / "inbox" / name)
        shell.wait_for(lambda: _jobs(shell).get(name, {}).get("state") == state)
    return str(_jobs(shell)[name]["id"])


def _jobs(shell: Terminal) -> dict[str, dict[str, object]]:
    told = json.loads(shell.run("image-watcher status --json"))
    return {job["name"]: job for job in told["jobs"]}


def test_every_command_is_described() -> None:
    """Each command of the program stands on some page."""
    shown = subprocess.run(
        [BIN / "image-watcher", "--help"], capture_output=True, text=True, check=True
    )
    names = re.findall(r"^  ([a-z]+) ", shown.stdout.partition("Commands:")[2], re.MULTILINE)
    text = "".join(page.read_text("utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    assert len(names) > 5
    assert [name for name in names if f"image-watcher {name}" not in text and name != "demo"] == []


@pytest.mark.parametrize("name", ["commands", "models", "settings"])
def test_pages_that_are_made_are_fresh(name: str) -> None:
    """They say what the code says; else: make docs."""
    made = run_path(str(ROOT / f"docs/make_{name}.py"))
    assert made["page"]() == made["PAGE"].read_text("utf-8")


def test_the_schema_for_editors_is_fresh() -> None:
    """config/watcher.schema.json says what the code says; else: make docs."""
    assert schema_text() == (ROOT / "config/watcher.schema.json").read_text("utf-8")


def test_what_is_not_there_yet_is_marked() -> None:
    """Each kind of thing that is refused as not available yet is marked so in the page of settings."""
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert [
        purpose
        for key, purpose in NOT_YET.items()
        if purpose not in page and key != "inboxes.*.outbox"
    ] == []


def test_the_tables_and_their_migrations_say_the_same(tmp_path: Path) -> None:
    """What `ledger/schema.py` has, databases of earlier versions get too."""
    made = open_database(tmp_path / "new")
    made.close()
    brought_up = migrated(tmp_path / "old")
    lines = missing_lines(brought_up)
    assert not lines, (
        "src/watcher/ledger/schema.py has what src/watcher/ledger/migrations/versions/tables_0002.py"
        f" does not make. Add to its upgrade():\n{lines}\n(a NOT NULL column that is added needs"
        " server_default= there), and the reverse to its downgrade(), first what was added last."
    )
    assert shape(brought_up) == shape(made.file), "as above: in tables_0002.py, what differs here"


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is said by the machine, never by the project."""
    found = [
        path
        for path in documents.project_files()
        if any(index.encode() in path.read_bytes() for index in INDEXES)
    ]
    assert found == []


def test_every_package_is_locked_by_hash() -> None:
    """What pyproject.toml asks for stands in requirements/, and everything there has its hashes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    for name, wanted in (
        ("runtime", project["project"]["dependencies"]),
        ("build", groups["build"]),
        ("dev", [*project["project"]["dependencies"], *groups["dev"]]),
    ):
        locked = dict(_locked(ROOT / "requirements" / f"{name}.txt"))
        assert {_package(one) for one in wanted} - locked.keys() == set()
        assert [package for package, hashes in locked.items() if not hashes] == []


def _locked(file: Path) -> Iterator[tuple[str, int]]:
    """(package, number of its hashes)"""
    text = re.sub(r"^\s*#.*\n", "", file.read_text("utf-8"), flags=re.MULTILINE)
    for entry in re.split(r"\n(?=\S)", text):
        if entry.strip():
            yield _package(entry), entry.count("--hash=sha256:")


def _package(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_ci_runs_what_the_readme_says() -> None:
    """CI has no commands of its own: it runs those that people run."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text("utf-8").splitlines() if line.startswith("make ")]
    assert [line.split()[:2] for line in lines] == [["make", "demo"], ["make", "test"]]
    assert {"make demo", "make test"} <= set(commands(README))


def test_make_needs_a_python_that_is_new_enough(tmp_path: Path) -> None:
    """An old Python is told in one line, before anything is made."""
    old = tmp_path / "python3"
    old.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 9); exec(sys.argv[2])" "$@"\n'
    )
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "demo", f"PYTHON={old}", f"VENV={tmp_path}/venv"],
        cwd=ROOT, env=documents.clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "needs 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()
