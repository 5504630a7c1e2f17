"""What servers answer besides what the sandbox draws: through the real process, to the byte."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from PIL import Image, PngImagePlugin
from tests.system.house import House, house, wait_for

Answer: TypeAlias = Callable[[int, str], list[dict[str, Any]]]
SETTINGS = {
    "api": {"profile": "generic", "model": "house-model", "retry": {"base": 0.05, "longest": 0.2}},
    "limits": {"concurrency": 2},
}
SCRIPT = "<script>alert('from the picture')</script>"
HOSTILE = (
    f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" onload="alert(1)">{SCRIPT}'
    '<image href="http://192.0.2.1/pixel.png"/><circle r="9"/></svg>'
).encode()


def drawn(kind: str, **more: Any) -> bytes:  # noqa: ANN401 - whatever Pillow's writer takes
    sink = BytesIO()
    Image.linear_gradient("L").convert("RGB").save(sink, kind, **more)
    return sink.getvalue()


def signed_png() -> bytes:
    """A PNG with a chunk of content credentials (`caBX`), which no library knows, and a text."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "a model")
    png = drawn("PNG", pnginfo=text)
    kind, content = b"caBX", b"signed: " + bytes(range(200))
    chunk = struct.pack(">I", len(content)) + kind + content
    chunk += struct.pack(">I", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


def signed_jpeg() -> bytes:
    """A JPEG with a segment of content credentials (APP11)."""
    jpeg, content = drawn("JPEG", quality=91), b"JP" + bytes(range(100))
    return jpeg[:2] + b"\xff\xeb" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


PICTURES = {
    "png": signed_png(),
    "jpeg": signed_jpeg(),
    "webp": drawn("WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    "gif": drawn("GIF", save_all=True, append_images=[Image.new("RGB", (256, 256), "red")]),
    "svg": HOSTILE,
}


@dataclass(kw_only=True)
class Server:
    """An API whose answer depends on the prompt. `asked`: (prompt, n) of each POST; `fetched`: each GET;
    those of `failing` are answered 503.
    """

    answers: dict[str, Answer]
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    base_url: str = ""


@contextmanager
def serving(answers: dict[str, Answer], files: dict[str, bytes] | None = None) -> Iterator[Server]:
    server = Server(answers=answers, files=files or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            server.asked.append((body["prompt"], body.get("n", 1)))
            data = server.answers[body["prompt"]](body.get("n", 1), server.base_url)
            self._say(200, json.dumps({"created": 1, "data": data}).encode())

        def do_GET(self) -> None:
            server.fetched.append(self.path)
            content = server.files.get(self.path)
            status = 503 if self.path in server.failing else 404 if content is None else 200
            self._say(status, content or b"{}")

        def _say(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.base_url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join(10)


def coded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def b64(content: bytes) -> Answer:
    return lambda n, _base: [{"b64_json": coded(content)}] * n


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def drop(home: House, *rows: dict[str, Any]) -> None:
    home.drop("rows.json", json.dumps(rows))


def test_pictures_stay_as_they_came_to_the_byte(tmp_path: Path) -> None:
    """Each kind of picture is the very file that was sent, content credentials and all, and named after it."""
    answers = {kind: b64(content) for kind, content in PICTURES.items()}
    with serving(answers) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        drop(home, *({"name": kind, "prompt": kind} for kind in PICTURES))
        job = home.wait_over("rows.json")
        files = {file.name: file.read_bytes() for file in job.pictures}
        told = {pic["file"]: pic["sha256"] for row in job.records for pic in row["result_pictures"]}
    ends = {"jpeg": "jpg"}
    expected = {f"{kind}-1.{ends.get(kind, kind)}": one for kind, one in PICTURES.items()}
    assert expected == files
    assert told == {f"images/{name}": digest(content) for name, content in expected.items()}


def test_a_drawing_is_no_markup_of_the_gallery(tmp_path: Path) -> None:
    """SVG is somebody else's text: the gallery names the file as a picture and holds nothing of it."""
    with (
        serving({"svg": b64(HOSTILE)}) as api,
        house(tmp_path, api.base_url, SETTINGS) as home,
    ):
        drop(home, {"name": "logo", "prompt": "svg"})
        job = home.wait_over("rows.json")
        page = (job.folder / "index.html").read_text("utf-8")
    assert (job.folder / "images/logo-1.svg").read_bytes() == HOSTILE
    assert '<img src="./images/logo-1.svg"' in page
    for inside in ("alert(", "192.0.2.1", "onload="):
        assert inside not in page


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_the_picture_itself_before_its_address(tmp_path: Path, head: str) -> None:
    """Servers that send both: what came needs no fetching, and cannot have expired."""
    png = PICTURES["png"]

    def both(_n: int, base: str) -> list[dict[str, Any]]:
        return [{"url": f"{base}/files/other.png", "b64_json": head + coded(png)}]

    with serving({"both": both}) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        drop(home, {"prompt": "both"})
        job = home.wait_over("rows.json")
        assert [digest(file.read_bytes()) for file in job.pictures] == [digest(png)]
        assert [path for path in api.fetched if "files" in path] == []


def test_addresses_within_the_server_and_as_data(tmp_path: Path) -> None:
    """A relative address counts from the server, a data URL holds the picture: both to the byte."""
    webp, png = PICTURES["webp"], PICTURES["png"]
    answers: dict[str, Answer] = {
        "relative": lambda _n, _base: [{"url": "/v1/images/7/content?variant=0"}],
        "data": lambda _n, _base: [
            {"b64_json": None, "url": f"data:image/png;base64,{coded(png)}"}
        ],
    }
    files = {"/v1/images/7/content?variant=0": webp}
    with serving(answers, files) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        drop(home, {"name": "a", "prompt": "relative"}, {"name": "b", "prompt": "data"})
        job = home.wait_over("rows.json")
        assert {f.name: f.read_bytes() for f in job.pictures} == {"a-1.webp": webp, "b-1.png": png}


def test_an_address_that_expired_is_never_paid_again(tmp_path: Path) -> None:
    """It is fetched a few times, and then the row fails: asking for a new picture would cost again."""
    gone: Answer = lambda _n, base: [{"url": f"{base}/files/gone.png"}]  # noqa: E731
    with serving({"gone": gone}) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        drop(home, {"prompt": "gone"})
        (row,) = home.wait_over("rows.json").rows
        assert (row["result_status"], row["result_error_code"]) == ("failed", "link_expired")
        assert api.asked == [("gone", 1)]
        assert api.fetched.count("/v1/files/gone.png") == 4


def test_one_address_of_several_that_expired_is_not_paid_again_either(tmp_path: Path) -> None:
    """The picture that came is kept, and the row is partial by the other's fault: its picture is paid for too."""
    png = PICTURES["png"]
    two: Answer = lambda _n, base: [{"url": f"{base}/files/{at}.png"} for at in (1, 2)]  # noqa: E731
    with (
        serving({"two": two}, {"/v1/files/2.png": png}) as api,
        house(tmp_path, api.base_url, SETTINGS) as home,
    ):
        drop(home, {"name": "cup", "prompt": "two", "n": 2})
        job = home.wait_over("rows.json")
        (row,) = job.rows
        assert (row["result_status"], row["result_error_code"]) == ("partial", "link_expired")
        assert [file.name for file in job.pictures] == ["cup-1.png"]
        assert api.asked == [("two", 2)]


def test_an_address_that_fails_is_looked_at_again_later(tmp_path: Path) -> None:
    """What is paid for is fetched once its server is well, also after a crash in between: nothing is asked again,
    and what was fetched already is not fetched again.
    """
    first, second = "/v1/files/1.png", "/v1/files/2.png"
    two: Answer = lambda _n, base: [{"url": f"{base}/files/{at}.png"} for at in (1, 2)]  # noqa: E731
    files = dict.fromkeys((first, second), PICTURES["png"])
    with serving({"two": two}, files) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        api.failing.add(second)
        drop(home, {"name": "cup", "prompt": "two", "n": 2})
        wait_for(
            lambda: api.fetched.count(second) > 4, 30, "another look, after the first four tries"
        )
        home.restart()
        again = api.fetched.count(second)
        wait_for(lambda: api.fetched.count(second) > again, 30, "a look after the crash")
        api.failing.clear()
        job = home.wait_over("rows.json")
        assert job.statuses == ["done"]
        assert [file.name for file in job.pictures] == ["cup-1.png", "cup-2.png"]
        assert api.asked == [("two", 2)]
        assert api.fetched.count(first) == 1


def test_a_private_address_of_an_answer_is_not_gone_to(tmp_path: Path) -> None:
    """An answer cannot make us knock at doors of the own network; the row says so, and is not paid again."""
    with serving({}, {"/secret.png": PICTURES["png"]}) as inside:
        port = inside.base_url.rpartition(":")[2].partition("/")[0]
        answers: dict[str, Answer] = {
            "inward": lambda _n, _base: [{"url": f"http://127.0.0.1:{port}/secret.png"}]
        }
        with serving(answers) as api, house(tmp_path, api.base_url, SETTINGS) as home:
            drop(home, {"prompt": "inward"})
            (row,) = home.wait_over("rows.json").rows
            assert (row["result_status"], row["result_error_code"]) == ("failed", "download")
            assert api.asked == [("inward", 1)]
        assert inside.fetched == []


def test_fewer_pictures_are_asked_for_once_more(tmp_path: Path) -> None:
    """Of five come two, then one of the three that are missing: partial, with three pictures and the words for it."""

    def half(n: int, _base: str) -> list[dict[str, Any]]:
        made = [drawn("PNG", compress_level=level) for level in range(9)]
        return [{"b64_json": coded(made[n + at])} for at in range(n // 2)]

    with serving({"five": half}) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        drop(home, {"name": "cup", "prompt": "five", "n": 5})
        job = home.wait_over("rows.json")
        (row,) = job.rows
        assert api.asked == [("five", 5), ("five", 3)]
        assert (row["result_status"], row["result_error_code"]) == ("partial", "fewer_pictures")
        assert [file.name for file in job.pictures] == ["cup-1.png", "cup-2.png", "cup-3.png"]
        assert "3 of 5" in row["result_error"]


def test_one_spoiled_picture_of_several_counts_as_missing(tmp_path: Path) -> None:
    """The sound ones are kept, the other is asked for once more; what was sent besides is not taken."""
    png = PICTURES["png"]

    def spoiled(n: int, _base: str) -> list[dict[str, Any]]:
        if n == 1:
            return [{"b64_json": coded(png)}] * 4  # more than was asked for
        return [
            {"b64_json": coded(png)},
            {"b64_json": coded(b"no picture")},
            {"b64_json": coded(png)},
        ]

    with serving({"three": spoiled}) as api, house(tmp_path, api.base_url, SETTINGS) as home:
        drop(home, {"name": "cup", "prompt": "three", "n": 3})
        job = home.wait_over("rows.json")
        assert api.asked == [("three", 3), ("three", 1)]
        assert job.statuses == ["done"]
        assert [file.name for file in job.pictures] == ["cup-1.png", "cup-2.png", "cup-3.png"]
