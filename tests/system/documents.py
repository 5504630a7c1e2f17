"""The pages of the project as tests see them: their commands, links and words, and a place to run commands in."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_READY = 60.0  # seconds that a server gets to be ready


def commands(page: Path) -> list[str]:
    """Every command of a page in its order: the lines of its console blocks that begin with `$ `."""
    blocks = (block for kind, block in _FENCE.findall(page.read_text("utf-8")) if kind == "console")
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: their kinds, and what is in them."""
    return _FENCE.findall(page.read_text("utf-8"))


def fences(page: Path) -> set[str]:
    """The kinds of fenced blocks of a page."""
    return {kind for kind, _ in blocks(page)}


def links(page: Path) -> list[str]:
    return _LINK.findall(_FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say after `#`."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def project_files() -> list[Path]:
    """Every file that is, or would be, committed; all files where this is no git tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    found = [ROOT / name for name in names] or list(ROOT.rglob("*"))
    return [path for path in found if path.is_file() and ".venv" not in path.parts]


class Terminal:
    """A shell in a copy of the project, in which commands run one after the other, as a reader would.

    Servers run on beside it, as in further terminals; one that is started again replaces its like.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = _free_port()
        self._page = _free_port()
        self._servers: dict[str, subprocess.Popen[str]] = {}
        self._environ = {
            **clean_environment(),
            "WATCHER": f"http://127.0.0.1:{self._page}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            # Whatever a page says: nothing but the sandbox is ever asked, and no real key is used.
            "WATCHER_API__BASE_URL": f"http://127.0.0.1:{self._port}/v1",
            "OPENAI_API_KEY": "any",
            "WATCHER_WEB__LISTEN": f"127.0.0.1:{self._page}",
        }
        self._copy_project()

    def run(self, command: str) -> str:
        """Run a command to its end; what it printed. Fails when it does."""
        if command.startswith("export "):
            self._environ |= dict(word.split("=", 1) for word in command.split()[1:])
            return ""
        done = subprocess.run(
            ["bash", "-c", self._here(command)],
            cwd=self.folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def serve(self, command: str, program: str) -> None:
        """Start a command that runs until it is stopped, and wait until it is ready.

        `program` is run or sandbox.
        """
        self.end(program)
        log = self.folder / f"{program}.log"
        told = self.folder / "state" / "daemon.json"
        told.unlink(missing_ok=True)
        with log.open("w") as out:
            self._servers[program] = subprocess.Popen(
                ["bash", "-c", f"exec env {self._here(command)}"],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )
        # A daemon is ready when its page is, or when it says why there is none.
        self.wait_for(
            lambda: (
                (told.exists() and '"page": ""' not in told.read_text("utf-8"))
                if program == "run"
                else log.stat().st_size > 0
            )
        )

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Look again until the condition holds; fails after a minute, or when a server ends."""
        deadline = time.monotonic() + _READY
        while not condition():
            ended = [name for name, one in self._servers.items() if one.poll() is not None]
            assert ended == [], self._logs()
            assert time.monotonic() < deadline, self._logs()
            time.sleep(0.05)

    def end(self, program: str) -> None:
        server = self._servers.pop(program, None)
        if server is not None:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) in (0, -signal.SIGTERM), self._logs()

    def close(self) -> None:
        for program in list(self._servers):
            with suppress(AssertionError, subprocess.TimeoutExpired):
                self.end(program)

    def _logs(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))

    def _here(self, command: str) -> str:
        """The usual ports may be somebody else's here."""
        command = command.replace("127.0.0.1:8999", f"127.0.0.1:{self._port}")
        command = command.replace("127.0.0.1:8765", f"127.0.0.1:{self._page}")
        sandbox = "image-watcher sandbox"
        return command.replace(sandbox, f"{sandbox} --port {self._port}")

    def _copy_project(self) -> None:
        for name in ("config", "Makefile", "pyproject.toml", "requirements"):
            source, target = ROOT / name, self.folder / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
        # An environment that is ready, so that make has nothing to install, here or anywhere else.
        stamps = self.folder / ".venv"
        stamps.mkdir()
        (stamps / "bin").symlink_to(Path(sys.executable).parent)
        for stamp in (".build", ".runtime", ".package", ".dev"):
            (stamps / stamp).touch()


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    one = Terminal(folder)
    try:
        yield one
    finally:
        one.close()


def clean_environment() -> dict[str, str]:
    """This process's, without what is set for the real thing, and without make's own variables."""
    ours = ("WATCHER_", "OPENAI_", "MAKE", "MFLAGS", "IMAGE_API_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
