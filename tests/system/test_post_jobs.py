"""Jobs that come over HTTP: taken once, found again, waited for, called back, and refused in sentences."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.system.door import BEARER, TOKEN, Door, door
from tests.system.house import ROOT, Values, sandbox, wait_for

from watcher.core.webhooks import headers_of

INTAKE = {"web": {"intake": True, "posts_per_minute": 10_000, "callback_hosts": ["127.0.0.1"]}}
CATS = [{"prompt": "A cat", "name": "cat"}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with sandbox() as api, door(tmp_path_factory.mktemp("door"), api.base_url, INTAKE) as made:
        yield made


def _rows(name: str) -> list[dict[str, str]]:
    return [{"prompt": f"A {name}", "name": name}]


def _post(place: Door, path: str = "/jobs", **more: Any) -> httpx.Response:  # noqa: ANN401
    headers = {**BEARER, **more.pop("headers", {})}
    return place.client.post(path, headers=headers, timeout=90, **more)


def _ended(place: Door, job: str) -> Values:
    def over() -> Values | None:
        found: Values = place.client.get(f"/jobs/{job}").json()
        return found if found.get("over") else None

    return wait_for(over, what=f"job {job} is over")


def test_a_job_is_taken_and_its_addresses_hold(place: Door) -> None:
    """202 names the job before it is one; every address in the answer works, and goes on working."""
    answer = _post(place, json=CATS)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"]
    over = _ended(place, job["id"])
    assert (over["id"], over["state"], over["pictures"]) == (job["id"], "done", 1)
    (row,) = place.client.get(job["links"]["rows"]).json()["rows"]
    (url,) = row["result_urls"]
    assert place.client.get(url).headers["content-type"] == "image/png"
    assert place.client.get(over["links"]["gallery"]).status_code == 200
    assert job["id"] in [one["id"] for one in place.client.get("/jobs").json()["jobs"]]


def test_it_becomes_a_drop_like_any_other(place: Door) -> None:
    """The file that was posted is archived beside all others, byte for byte."""
    body = json.dumps(_rows("lighthouse")).encode()
    headers = {"content-type": "application/json"}
    job = _post(place, "/jobs?name=lamps", content=body, headers=headers).json()
    _ended(place, job["id"])
    (kept,) = place.house.inbox.glob(f"done/*/{job['id']}/*")
    assert (kept.name, kept.read_bytes()) == ("lamps.json", body)


def test_waiting_gives_the_pictures(place: Door) -> None:
    """With ?wait= the answer is the finished job with the addresses of its pictures."""
    answer = _post(place, "/jobs?wait=60", json=_rows("boat"))
    assert answer.status_code == 200
    (row,) = answer.json()["results"]
    assert place.client.get(row["result_urls"][0]).status_code == 200


def test_a_file_is_taken_as_it_is(place: Door) -> None:
    """Any kind that the inbox takes can be sent as a file; its name is kept."""
    files = {"file": ("Spring list.csv", b"prompt,name\nA tulip,tulip\n")}
    answer = _post(place, "/jobs?wait=60", files=files)
    assert answer.status_code == 200
    assert answer.json()["name"] == "Spring-list.csv"
    assert answer.json()["results"][0]["name"] == "tulip"


def test_the_same_key_is_the_same_job(place: Door) -> None:
    """A repeated request makes nothing anew, also at the same moment; another one under its key is refused."""
    headers = {"idempotency-key": "order-17"}
    first = _post(place, json=_rows("once"), headers=headers).json()
    again = [_post(place, json=_rows("once"), headers=headers).json()["id"] for _ in range(3)]
    assert again == [first["id"]] * 3
    other = _post(place, json=_rows("other"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    _ended(place, first["id"])
    assert len(list(place.house.inbox.glob(f"done/*/{first['id']}/*"))) == 1


def test_the_same_rows_are_not_paid_twice(place: Door) -> None:
    """Without a key the rule of all drops holds: equal bytes are an earlier job, whose id is answered."""
    first = _post(place, "/jobs?wait=60", json=_rows("twin")).json()
    second = _post(place, "/jobs?wait=60", json=_rows("twin")).json()
    assert second["id"] == first["id"]
    anew = _post(place, "/jobs?wait=60&again=true", json=_rows("twin")).json()
    assert anew["id"] != first["id"]


def test_a_signed_body_needs_no_header_token(place: Door) -> None:
    """The token as a signature (Standard Webhooks); a changed body, an old or unsigned one is refused."""
    body = json.dumps(_rows("signed")).encode()
    plain = {"content-type": "application/json"}
    signed = {**plain, **headers_of((TOKEN,), "msg_1", int(time.time()), body)}
    assert place.client.post("/jobs", content=body, headers=signed).status_code == 202
    forged = place.client.post("/jobs", content=body.replace(b"signed", b"forged"), headers=signed)
    assert (forged.status_code, forged.json()["code"]) == (401, "bad_signature")
    old = {**plain, **headers_of((TOKEN,), "msg_2", int(time.time()) - 1000, body)}
    assert place.client.post("/jobs", content=body, headers=old).json()["code"] == "stale"
    assert place.client.post("/jobs", content=body, headers=plain).status_code == 401
    wrong = {**plain, **headers_of(("another-token-altogether",), "msg_3", int(time.time()), body)}
    assert place.client.post("/jobs", content=body, headers=wrong).status_code == 401


@pytest.mark.parametrize(
    ("path", "more", "status", "words"),
    [
        ("/jobs", {"content": b"[{", "type": "application/json"}, 422, "before its end"),
        ("/jobs", {"content": b"", "type": "application/json"}, 422, "is empty"),
        ("/jobs", {"content": b"[]", "type": "application/json"}, 422, "no rows"),
        ("/jobs", {"content": b"x", "type": "text/plain"}, 415, "Send application/json"),
        ("/jobs", {"content": b"x", "type": "multipart/form-data"}, 400, "multipart"),
        ("/jobs", {"files": {"other": ("a.csv", b"prompt\na\n")}}, 422, "no file"),
        ("/jobs", {"files": {"file": ("a.exe", b"MZ")}}, 415, "no files of the kind"),
        ("/jobs", {"files": {"file": ("a.xlsx", b"no workbook")}}, 422, ""),
        ("/jobs", {"files": {"file": ("../../evil.csv", b"prompt\n")}}, 422, ""),
        ("/jobs?inbox=none", {"json": CATS}, 422, "one of main"),
        ("/jobs?wait=61", {"json": CATS}, 422, "0 to 60"),
        ("/jobs?wait=x", {"json": CATS}, 422, "0 to 60"),
        ("/jobs?callback_url=file:///etc/passwd", {"json": CATS}, 422, "plain http"),
        ("/jobs?callback_url=http://169.254.169.254/", {"json": CATS}, 422, "callback_hosts"),
        ("/jobs?callback_url=http://u:p@127.0.0.1/", {"json": CATS}, 422, "plain http"),
    ],
)
def test_what_cannot_be_taken_is_told(
    place: Door, path: str, more: dict[str, Any], status: int, words: str
) -> None:
    """Each no says what, where and what to do, as problem+json; nothing of it reaches the inbox."""
    kind = more.pop("type", None) if "type" in (more := dict(more)) else None
    headers = {"content-type": kind} if kind else {}
    answer = _post(place, path, headers=headers, **more)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]
    assert list((place.house.state / "posts").iterdir()) == []


def test_names_lead_nowhere_else(place: Door) -> None:
    """A name with a path in it is a name; the drop lies in the inbox and nowhere else."""
    files = {"file": ("../../../evil.csv", b"prompt\nA cat outside\n")}
    job = _post(place, files=files).json()
    assert job["name"] == "evil.csv"
    _ended(place, job["id"])
    assert not list(place.house.folder.parent.glob("evil*"))


def test_another_site_hands_in_nothing(place: Door) -> None:
    """A page of another site is refused, also where it knows the token; there is no answer to its question either (CORS)."""
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = _post(place, json=CATS, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = place.client.options("/jobs", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    own = _post(place, json=CATS, headers={"origin": place.url})
    assert own.status_code == 202


def test_a_body_that_drips_is_let_go(place: Door) -> None:
    """A body of which no piece comes for fifteen seconds is given up with 408; nothing of it is kept."""
    head = f"POST /jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n["
    assert place.raw(head.encode(), timeout=60).startswith(b"HTTP/1.1 408")
    assert list((place.house.state / "posts").iterdir()) == []


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A body beyond the inbox's limit is refused by its announced size, and in the middle where it lies."""
    settings = {**INTAKE, "inboxes": {"main": {"max_file_mb": 0.1}}}
    with sandbox() as api, door(tmp_path, api.base_url, settings) as made:
        large = _post(made, json=_rows("x" * 3_000_000))
        assert (large.status_code, large.json()["code"]) == (413, "too_large")
        head = f"POST /jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        with closing(socket.create_connection(("127.0.0.1", made.port), 10)) as line:
            line.sendall(head.encode())
            answer = b""
            try:
                for _ in range(200):
                    line.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
                answer = line.recv(1000)
            except OSError:
                answer = answer or b"HTTP/1.1 413"
        assert answer.startswith(b"HTTP/1.1 413")
        assert list((made.house.state / "posts").iterdir()) == []


def test_too_many_are_told_when_to_come_back(tmp_path: Path) -> None:
    """Beyond posts_per_minute the answer is 429 with Retry-After."""
    settings = {"web": {"intake": True, "posts_per_minute": 3}}
    with sandbox() as api, door(tmp_path, api.base_url, settings) as made:
        codes = [_post(made, json=_rows(f"row {at}")).status_code for at in range(4)]
        assert codes == [202, 202, 202, 429]
        assert int(_post(made, json=CATS).headers["retry-after"]) > 0


def test_it_is_off_unless_it_is_set(tmp_path: Path) -> None:
    """Without web.intake nothing is taken, with the token or without."""
    with sandbox() as api, door(tmp_path, api.base_url) as made:
        assert (_post(made, json=CATS).status_code, _post(made, json=CATS).json()["code"]) == (
            403,
            "intake_off",
        )


def test_a_promise_outlives_a_crash(tmp_path: Path) -> None:
    """kill -9 right after 202: the job that was promised is made under its id, once, and its key still holds."""
    with sandbox() as api, door(tmp_path, api.base_url, INTAKE) as made:
        headers = {"idempotency-key": "before the crash"}
        promised = [
            _post(made, json=_rows(f"row {at}"), headers={"idempotency-key": f"k{at}"}).json()["id"]
            for at in range(5)
        ]
        last = _post(made, json=CATS, headers=headers).json()["id"]
        listen = f"127.0.0.1:{made.port}"
        made.house.kill()
        made.house.configure(
            {**made.house.settings, "web": {**made.house.settings["web"], "listen": listen}}
        )
        made.house.start()
        wait_for(lambda: made.house.events("page.opened"))
        for job in (*promised, last):
            assert _ended(made, job)["id"] == job
        assert _post(made, json=CATS, headers=headers).json()["id"] == last
        assert len(made.client.get("/jobs").json()["jobs"]) == 6


def test_a_drop_that_was_taken_away_is_told_as_lost(tmp_path: Path) -> None:
    """Somebody removes the file before it is a job: the promise says so, and the same key sends it anew."""
    settings = {**INTAKE, "inboxes": {"main": {"settle": 300}}}
    with sandbox() as api, door(tmp_path, api.base_url, settings) as made:
        headers = {"idempotency-key": "k"}
        job = _post(made, json=CATS, headers=headers).json()
        assert made.client.get(f"/jobs/{job['id']}").json()["state"] == "accepted"
        (made.house.inbox / "post.json").unlink()
        assert made.client.get(f"/jobs/{job['id']}").json()["state"] == "lost"
        assert _post(made, json=CATS, headers=headers).json()["state"] == "accepted"
        assert (made.house.inbox / "post.json").exists()


class _Receiver(ThreadingHTTPServer):
    """Remembers what it was told; answers with the next of `answers`, then with 204."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.told: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/done"


class _Answer(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.told.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _receiver(*answers: int) -> Iterator[_Receiver]:
    with _Receiver(*answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_who_asked_is_called_back_signed(place: Door) -> None:
    """When the results are out, callback_url gets the job with its pictures, signed with the token."""
    with _receiver() as receiver:
        _post(place, "/jobs", params={"callback_url": receiver.url}, json=_rows("called"))
        wait_for(lambda: receiver.told)
        headers, body = receiver.told[0]
        told = json.loads(body)
        assert (told["type"], told["data"]["state"]) == ("job.ended", "done")
        assert told["data"]["results"][0]["result_urls"]
        wanted = headers_of(
            (TOKEN,), headers["webhook-id"], int(headers["webhook-timestamp"]), body
        )
        assert headers["webhook-signature"] == wanted["webhook-signature"]
        wait_for(lambda: place.house.events("callback.delivered"))
        assert len(receiver.told) == 1


def test_a_callback_is_tried_again_over_a_restart(tmp_path: Path) -> None:
    """A receiver that is broken hears of it again later, also when the daemon was killed meanwhile."""
    with (
        sandbox() as api,
        _receiver(500) as receiver,
        door(tmp_path, api.base_url, INTAKE) as made,
    ):
        _post(made, params={"callback_url": receiver.url}, json=CATS)
        wait_for(lambda: made.house.events("callback.deferred"))
        made.house.restart()
        wait_for(lambda: len(receiver.told) == 2, timeout=60)
        first, second = (headers["webhook-id"] for headers, _ in receiver.told)
        assert first == second


def test_a_callback_follows_nobody_and_gives_up_on_410(tmp_path: Path) -> None:
    """A redirect is no delivery; 410 means never again."""
    with (
        sandbox() as api,
        _receiver(302, 410) as receiver,
        door(tmp_path, api.base_url, INTAKE) as made,
    ):
        _post(made, params={"callback_url": receiver.url}, json=CATS)
        wait_for(lambda: made.house.events("callback.given_up"), timeout=60)
        assert len(receiver.told) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://[::1]/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]/",
        "http://0x7f000001/",
        "http://2130706433/",
        "ftp://example.com/",
        "http:///",
        "http://exa mple/",
    ],
)
def test_private_addresses_are_never_called(url: str, plain: Door) -> None:
    """Unless they are listed, private addresses are refused before anything is promised, or by their resolution."""
    answer = _post(plain, params={"callback_url": url}, json=_rows(url))
    if answer.status_code == 202:  # a name that only its resolution tells
        job = answer.json()["id"]
        given_up = wait_for(
            lambda: (
                [one for one in plain.house.events("callback.given_up") if one["job"] == job]
                or [one for one in plain.house.events("callback.deferred") if one["job"] == job]
            )
        )
        assert "private" in given_up[0]["what"] or "not found" in given_up[0]["what"]
    else:
        assert answer.status_code == 422


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """No callback_hosts: any public address may be called, and no other."""
    settings = {"web": {"intake": True, "posts_per_minute": 1000}}
    with sandbox() as api, door(tmp_path_factory.mktemp("plain"), api.base_url, settings) as made:
        yield made


def test_public_links_are_signed_and_end(tmp_path: Path) -> None:
    """With links_days result_urls open without the token until they end, and nothing else does."""
    web = {"intake": True, "reading": "token", "links_days": 1, "public_url": "http://localhost"}
    with sandbox() as api, door(tmp_path, api.base_url, {"web": web}) as made:
        job = _post(made, "/jobs?wait=60", json=CATS).json()
        url = job["results"][0]["result_urls"][0].removeprefix("http://localhost")
        assert "signature=" in url
        assert made.client.get(url).status_code == 200
        assert made.client.get(url.partition("?")[0]).status_code == 401
        assert made.client.get(url.replace("cat-1", "cat-2")).status_code == 401
        later = url.replace("expires=", "expires=9")
        assert made.client.get(later).status_code == 401
        assert made.client.get(url[:-1] + ("0" if url[-1] != "0" else "1")).status_code == 401
        row = made.house.wait_over("post.json").rows[0]
        assert (
            made.client.get(row["result_urls"].removeprefix("http://localhost")).status_code == 200
        )


def test_the_openapi_document_is_the_one_in_config(place: Door) -> None:
    """What is served is what config/openapi.json says, with the inboxes that there are."""
    served = place.client.get("/openapi.json").json()
    written = json.loads((ROOT / "config/openapi.json").read_text("utf-8"))
    for parameter in served["paths"]["/jobs"]["post"]["parameters"]:
        if parameter["name"] == "inbox":
            assert parameter["schema"].pop("enum") == ["main"]
    assert served == written


def test_the_examples_of_a_webhook_work(tmp_path: Path) -> None:
    """config/examples: the order is taken once, and its receiver prints the job with its pictures."""
    examples = ROOT / "config/examples"
    with sandbox() as api, door(tmp_path, api.base_url, INTAKE) as made:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [
            sys.executable,
            str(examples / "callback.py"),
            str(tmp_path / "token"),
            str(port),
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
            try:
                environ = {
                    "WATCHER": made.url,
                    "TOKEN_FILE": str(tmp_path / "token"),
                    "PATH": os.environ["PATH"],
                }
                told = subprocess.run(
                    ["sh", str(examples / "webhook.sh")],
                    env=environ, capture_output=True, text=True, check=True,
                ).stdout  # fmt: skip
                assert len({json.loads(line)["id"] for line in told.splitlines() if line}) == 1
                url = f"http://127.0.0.1:{port}/"
                _post(made, params={"callback_url": url}, json=CATS)
                assert receiver.stdout
                assert "done 1 pictures" in receiver.stdout.readline()
                assert "/images/cat-1.png" in receiver.stdout.readline()
            finally:
                receiver.kill()


@pytest.mark.alone
def test_the_openapi_document_holds(place: Door, tmp_path: Path) -> None:
    """schemathesis finds no answer that the document does not promise, and none that is a fault."""
    # Whether a file can be read is told by reading it: that part of what is valid stands in no schema.
    (tmp_path / "schemathesis.toml").write_text(
        f"""
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "415", "422", "429"]
[headers]
Authorization = "Bearer {TOKEN}"
"""
    )
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file"]
    run = ["run", f"{place.url}/openapi.json", "--max-examples", "60", "--seed", "7"]
    done = subprocess.run(
        [*program, str(tmp_path / "schemathesis.toml"), *run],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " failed" not in done.stdout
    assert place.house.events("page.broken") == []
    assert place.client.get("/healthz").status_code == 200
