"""The log: one line an event, the same for libraries, and no secret or control character in it."""

from __future__ import annotations

import io
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from watcher import logs
from watcher.core.log import Log
from watcher.core.masking import MASK

CANARY = "canary/4f1d+0b7e=x\\y"
NOON = 1_800_000_000.25


class Lines:
    """A log that writes into memory, and what it wrote."""

    def __init__(
        self, *, form: logs.Format = "json", is_tty: bool = False, level: logs.Level = "info"
    ) -> None:
        self.stream = io.StringIO()
        logs.configure(
            level=level, format=form, stream=self.stream, is_tty=is_tty, clock=lambda: NOON
        )
        self.log: Log = logs.get_logger()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def fail(error: Exception, because: Exception | None = None) -> NoReturn:
    raise error from because


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging belongs to the process: every test leaves it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = handlers, level
    logs.forget_secrets()
    structlog.reset_defaults()


def test_json_line() -> None:
    """JSON: time, level and event first, then the keys; time in UTC."""
    lines = Lines()
    lines.log.bind(inbox="products").info("job.accepted", job="x1", rows=12)
    assert lines.text == (
        '{"time": "2027-01-15T08:00:00.250Z", "level": "info", "event": "job.accepted", '
        '"inbox": "products", "job": "x1", "rows": 12}\n'
    )


def test_console_line() -> None:
    """Console: a line for people, in colour on a terminal only."""
    plain, coloured = Lines(form="console"), Lines(form="console", is_tty=True)
    logs.get_logger().info("job.accepted", rows=12)
    assert plain.text == ""
    assert "\x1b[" in coloured.text
    plain = Lines(form="console")
    plain.log.info("job.accepted", rows=12)
    assert plain.text == "2027-01-15T08:00:00.250Z [info     ] job.accepted             rows=12\n"


@pytest.mark.parametrize(("is_tty", "first"), [(True, "\x1b"), (False, "{")])
def test_auto(is_tty: bool, first: str) -> None:  # noqa: FBT001
    """auto: for people on a terminal, JSON otherwise."""
    lines = Lines(form="auto", is_tty=is_tty)
    lines.log.info("job.accepted")
    assert lines.text.startswith(first)


def test_level() -> None:
    """What is below the level is not written; the level can be changed while loggers are in use."""
    lines = Lines(level="warning")
    lines.log.info("job.accepted")
    lines.log.warning("lane.halted")
    again = Lines(level="info")
    lines.log.info("job.done")
    assert [event["event"] for event in lines.events] == ["lane.halted"]
    assert [event["event"] for event in again.events] == ["job.done"]


def test_libraries_write_the_same() -> None:
    """The lines of libraries look like ours and say who wrote them; chatter about requests is left out."""
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.addHandler(logging.StreamHandler(io.StringIO()))
    lines = Lines()
    uvicorn.warning("port %d is taken", 8765)
    logging.getLogger("httpx").info("HTTP Request: GET https://h/p?sig=1")
    logging.getLogger("httpx").warning("slow: %s", "https://h/p?sig=1")
    assert lines.events == [
        {
            "time": "2027-01-15T08:00:00.250Z",
            "level": level,
            "event": event,
            "logger": logger,
        }
        for level, event, logger in (
            ("warning", "port 8765 is taken", "uvicorn.error"),
            ("warning", "slow: https://h/p?********", "httpx"),
        )
    ]
    assert uvicorn.handlers == []


@pytest.mark.parametrize("form", ["json", "console"])
def test_registered_secret(form: logs.Format) -> None:
    """A registered secret is masked in every place, however deep, quoted, encoded or raised."""
    logs.register_secret(CANARY)
    lines = Lines(form=form)
    error = httpx.InvalidURL(f"bad {CANARY}")
    try:
        fail(ValueError({"key": CANARY}), because=error)
    except ValueError:
        lines.log.exception("call.broken", file=Path(f"/x/{CANARY}"), error=error)
        logging.getLogger("lib").exception("failed with %r", CANARY)
    lines.log.info(CANARY, keys={CANARY: [(CANARY, {"a": {CANARY}})]}, raw=CANARY.encode())
    lines.log.info("url.built", url=str(httpx.URL("https://h/", params={"q": CANARY})))
    assert lines.text.count("\n") >= 4
    assert "4f1d" not in lines.text


def test_digits_may_be_a_secret() -> None:
    """A secret of digits is masked as a number too; what is too short for a secret masks nothing."""
    logs.register_secret("123456")
    logs.register_secret("12")
    lines = Lines()
    lines.log.info("token.seen", token=123456, rows=12)
    (event,) = lines.events
    assert (event["token"], event["rows"]) == ("********", 12)


def test_unregistered_secrets() -> None:
    """Keys, Bearer tokens and signed addresses are masked without having been registered."""
    lines = Lines()
    lines.log.error(
        "call.refused",
        body="Incorrect API key: sk-proj-abc***xyz",
        headers={"authorization": "Bearer abcdefgh12345"},
        url="https://h/p.png?Signature=abc",
    )
    (event,) = lines.events
    assert event["body"] == "Incorrect API key: ********"
    assert event["headers"] == {"authorization": "Bearer ********"}
    assert event["url"] == "https://h/p.png?********"


def test_tracebacks_hold_no_locals() -> None:
    """A traceback names files and lines, never the values of variables."""
    lines = Lines()
    hidden = "value-of-a-variable"
    try:
        fail(RuntimeError(len(hidden)))
    except RuntimeError:
        lines.log.exception("thread.broke")
    (event,) = lines.events
    assert event["exception"].endswith("RuntimeError: 19")
    assert hidden not in lines.text


nasty = st.text(st.characters(codec=None), min_size=1)


@given(nasty)
def test_no_control_character_gets_out(text: str) -> None:
    """Whatever a file is called, a line stays one line and nothing moves a terminal's cursor."""
    for form in ("json", "console"):
        lines = Lines(form=form)
        lines.log.info("drop.seen", file=text, event_of=text)
        lines.log.info(text or "x")
        body = lines.text.removesuffix("\n")
        lines.stream.getvalue().encode()
        assert body.count("\n") == 1
        assert body.replace("\n", "").isprintable()


def test_console_traceback_is_safe() -> None:
    """A traceback keeps its lines on the console; what stands in them cannot command the terminal."""
    lines = Lines(form="console")
    try:
        fail(ValueError("\x1b]0;owned\x07\u202e"))
    except ValueError:
        lines.log.exception("thread.broke")
    assert lines.text.count("\n") > 3
    assert lines.text.replace("\n", "").isprintable()


def test_json_keeps_names() -> None:
    """JSON keeps every file name exactly, so that programs can find the file."""
    lines = Lines()
    lines.log.info("drop.seen", file="a\n\x1b\udcff\u202eé.csv")
    assert lines.events[0]["file"] == "a\n\x1b\udcff\u202eé.csv"


def test_a_fault_that_repeats_itself_fills_no_disk() -> None:
    """Five lines a minute for one fault; the next one says how many were left out. Others have their own."""
    now = [0.0]
    stream = io.StringIO()
    logs.configure(
        level="info", format="json", stream=stream, is_tty=False, monotonic=lambda: now[0]
    )
    log = logs.get_logger()
    for second in range(0, 120, 2):
        now[0] = float(second)
        log.warning("disk.refused", what="The disk is full.")
        log.warning("disk.refused", what=f"The disk {second} is full.")
        log.warning("item.failed", row=second, what="No.")
        log.info("item.delivered", what="same")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    same = [line for line in lines if line.get("what") == "The disk is full."]
    assert len(same) == 10
    assert [line["repeated"] for line in same if "repeated" in line] == [25]
    assert len([line for line in lines if line["event"] == "disk.refused"]) == 10 + 60
    assert (
        len([line for line in lines if line["event"] in {"item.failed", "item.delivered"}]) == 120
    )


def test_faults_that_never_repeat_cost_no_memory() -> None:
    """What is remembered of faults is bounded."""
    lines = Lines()
    for number in range(1000):
        lines.log.warning("disk.refused", what=f"{number}")
    (repeats,) = (one for one in structlog.get_config()["processors"] if hasattr(one, "_seen"))
    assert (len(repeats._seen), len(lines.events)) == (256, 1000)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd's journal listens to; its name is that of its place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(str(tmp_path / "journal"))
        yield place


def _to_journal(place: socket.socket) -> io.StringIO:
    """The stream that is written to where the journal does not take a line."""
    stream = io.StringIO()
    logs.configure(
        level="info",
        format="auto",
        stream=stream,
        is_tty=False,
        journal=Path(place.getsockname()),
        clock=lambda: NOON,
    )
    return stream


def test_the_journal_gets_fields_to_search_by(journal: socket.socket) -> None:
    """JOB=, ROW=, INBOX= and EVENT= beside the line itself, with its priority; no field holds a secret or a line break."""
    logs.register_secret(CANARY)
    stream = _to_journal(journal)
    logs.get_logger().warning("item.failed", job="2r2k", row=12, inbox=f"a\nMESSAGE={CANARY}é")
    entry = journal.recv(10_000).decode("ascii")
    fields = dict(line.split("=", 1) for line in entry.splitlines())
    line = json.loads(fields.pop("MESSAGE"))
    assert (line["event"], line["row"], line["time"]) == (
        "item.failed", 12, "2027-01-15T08:00:00.250Z",
    )  # fmt: skip
    assert fields == {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "image-watcher",
        "JOB": "2r2k",
        "ROW": "12",
        "INBOX": f"a\\nMESSAGE={MASK}\\u00e9",
        "EVENT": "item.failed",
    }
    assert stream.getvalue() == ""


def test_what_the_journal_does_not_take_is_not_lost(journal: socket.socket) -> None:
    """A line that is too long for it, or all lines while it is away, are written as without a journal."""
    stream = _to_journal(journal)
    logs.get_logger().info("job.accepted", name="x" * 1_000_000)
    assert len(json.loads(stream.getvalue())["name"]) == 1_000_000
    Path(journal.getsockname()).unlink()
    logs.get_logger().info("job.done")
    assert json.loads(stream.getvalue().splitlines()[1])["event"] == "job.done"
