"""The door to the network: what it shows, who may order, and that nothing is let in or brought down."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.system.door import BEARER, TOKEN, Door, door, first_picture, page_address, read_all
from tests.system.house import house, prompts_csv, sandbox, wait_for

CSV = "prompt,name\nA cat,cat\n[fault:400] A dog,dog\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A daemon with one job that is over, one row of it failed."""
    with sandbox() as api, door(tmp_path_factory.mktemp("door"), api.base_url) as made:
        made.house.drop("cats.csv", CSV)
        made.house.wait_over("cats.csv")
        yield made


def _job(place: Door) -> str:
    job = place.house.job("cats.csv")
    assert job
    return str(job.summary["id"])


@contextmanager
def _logged_in(place: Door) -> Iterator[tuple[httpx.Client, str]]:
    """A browser's session, and what its forms carry."""
    with httpx.Client(base_url=place.url, follow_redirects=True, timeout=30) as client:
        page = client.post("/login", data={"token": TOKEN}).text
        yield client, page.partition('name="csrf" value="')[2].partition('"')[0]


def test_the_page_says_how_things_stand(place: Door) -> None:
    """Jobs, why rows failed and what to do, inboxes and how they are looked at, without any script."""
    page = place.client.get("/")
    assert page.status_code == 200
    for words in ("cats.csv", "Done with errors, 1 of 2 rows", "Correct the row", "Inbox main"):
        assert words in page.text


def test_what_rows_say_is_never_markup(tmp_path: Path) -> None:
    """Names of files and words of errors are text, whatever they hold."""
    with sandbox() as api, door(tmp_path, api.base_url) as made:
        made.house.drop("<script>alert(1)<_script>.csv", "prompt\n[fault:400] x\n")
        wait_for(lambda: "alert(1)" in made.client.get("/").text)
        page = made.client.get("/").text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_reading_is_open_and_orders_are_not(place: Door) -> None:
    """Without the token there is no button, and no order is taken."""
    page = place.client.get("/").text
    assert "Run failed rows again" not in page
    for order in ("pause", "resume", "approve", "cancel", "retry"):
        answer = place.client.post(f"/jobs/{_job(place)}/{order}")
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in answer.headers


def test_orders_with_the_token(tmp_path: Path) -> None:
    """Pause, resume and cancel take effect, from a program and from the page's own forms."""
    with sandbox(latency="0.2") as api, door(tmp_path, api.base_url) as made:
        made.house.drop("many.csv", "prompt\n" + "A cat\n" * 400)
        job = wait_for(lambda: made.house.job("many.csv"))
        order = f"/jobs/{job.summary['id']}/{{}}"
        paused = made.client.post(order.format("pause"), headers=BEARER).raise_for_status().json()
        assert paused["paused"] == "paused by hand"
        with _logged_in(made) as (client, csrf):
            page = client.post(order.format("resume"), data={"csrf": csrf})
            assert "The job goes on." in page.text
            assert "would not be asked for" in client.get(f"/cancel/{job.summary['id']}").text
            client.post(order.format("cancel"), data={"csrf": csrf}).raise_for_status()
        assert made.house.wait_over("many.csv").summary["state"] == "cancelled"
        again = made.client.post(order.format("cancel"), headers=BEARER)
        assert (again.status_code, again.json()["code"]) == (409, "over")


def test_a_job_that_waits_for_a_person_is_approved(tmp_path: Path) -> None:
    """What would cost more than budget.approve_above_usd says so on the page, and goes on once it is approved."""
    budget = {"budget": {"approve_above_usd": 0.001}}
    with sandbox() as api, door(tmp_path, api.base_url, budget) as made:
        made.house.drop("dear.csv", "prompt\nA cat\n")
        wait_for(lambda: "approve_above_usd" in made.client.get("/").text)
        with _logged_in(made) as (client, _):
            assert "Approve<" in client.get("/").text
        (job,) = made.client.get("/jobs").json()["jobs"]
        made.client.post(f"/jobs/{job['id']}/approve", headers=BEARER).raise_for_status()
        assert made.house.wait_over("dear.csv").summary["state"] == "done"


def test_failed_rows_run_again(tmp_path: Path) -> None:
    """Retry asks for the failed rows once more, and for no other."""
    with sandbox() as api, door(tmp_path, api.base_url) as made:
        made.house.drop("twice.csv", "prompt\n[fault:400x1] A dog\nA cat\n")
        job = made.house.wait_over("twice.csv")
        made.client.post(f"/jobs/{job.summary['id']}/retry", headers=BEARER).raise_for_status()
        wait_for(lambda: job.is_over and job.summary["state"] == "done")
        assert api.stats()["calls"] == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
    ],
)
def test_another_site_orders_nothing(place: Door, headers: dict[str, str]) -> None:
    """A form on another site is refused, even with the cookie and the right hidden field, or with the token."""
    with _logged_in(place) as (client, csrf):
        answer = client.post(f"/jobs/{_job(place)}/retry", data={"csrf": csrf}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    with_token = place.client.post(f"/jobs/{_job(place)}/retry", headers={**headers, **BEARER})
    assert (with_token.status_code, with_token.json()["code"]) == (403, "cross_site")


def test_a_form_without_its_hidden_field_is_refused(place: Door) -> None:
    """The cookie alone orders nothing."""
    with _logged_in(place) as (client, _):
        answer = client.post(f"/jobs/{_job(place)}/retry", data={"csrf": "guess"})
    assert (answer.status_code, answer.json()["code"]) == (403, "stale_form")


def test_the_session_cookie_is_out_of_reach(place: Door) -> None:
    """Script cannot read it and other sites do not send it; logging out ends it."""
    with httpx.Client(base_url=place.url) as client:
        cookie = client.post("/login", data={"token": TOKEN}).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
    with _logged_in(place) as (browser, csrf):
        kept = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        assert "Log out" in place.client.get("/", headers={"cookie": kept}).text
        browser.post("/logout", data={"csrf": csrf})
    assert "Log in to give orders" in place.client.get("/", headers={"cookie": kept}).text


def test_a_token_is_changed_without_a_gap(tmp_path: Path) -> None:
    """Two lines in its file: both are good. The old one taken out: it is good no more, and its session neither."""
    new = "another-token-that-only-tests-know"
    with sandbox() as api, door(tmp_path, api.base_url) as made:

        def code(token: str) -> int:
            headers = {"authorization": f"Bearer {token}"}
            return made.client.post("/jobs/x/retry", headers=headers).status_code

        with _logged_in(made) as (browser, _):
            (tmp_path / "token").write_text(f"{new}\n{TOKEN}\n")
            assert [code(token) for token in (new, TOKEN, "neither")] == [404, 404, 401]
            assert "Log out" in browser.get("/").text
            (tmp_path / "token").write_text(f"{new}\n")
            assert [code(token) for token in (new, TOKEN)] == [404, 401]
            assert "Log out" not in browser.get("/").text
        assert new not in made.house.log_text()


def test_guessing_the_token_is_slow(tmp_path: Path) -> None:
    """After ten wrong tokens from one address it has to wait; the page itself stays open."""
    with sandbox() as api, door(tmp_path, api.base_url) as made:
        wrong = {"authorization": "Bearer wrong"}
        codes = [made.client.post("/jobs/x/retry", headers=wrong).status_code for _ in range(12)]
        assert codes == [401] * 10 + [429] * 2
        assert made.client.get("/").status_code == 200


def test_without_a_token_it_is_for_reading(tmp_path: Path) -> None:
    """No token is set: nothing can be ordered, and the page says how to change that."""
    with sandbox() as api, door(tmp_path, api.base_url, token=False) as made:
        assert "web.token_file" in made.client.get("/").text
        empty = {"authorization": "Bearer"}
        assert made.client.post("/jobs/x/retry", headers=empty).status_code == 401
        assert made.client.post("/login", data={"token": ""}).status_code == 401


def test_reading_may_need_the_token_too(tmp_path: Path) -> None:
    """web.reading: token shows nothing to strangers but whether it is alive."""
    with (
        sandbox() as api,
        door(tmp_path, api.base_url, {"web": {"reading": "token"}}) as made,
    ):
        made.house.drop("cats.csv", "prompt\nA cat\n")
        picture = first_picture(made.house, "cats.csv")
        gallery = picture.partition("/images")[0] + "/index.html"
        for path in (picture, gallery, "/metrics", "/live"):
            assert made.client.get(path).status_code == 401, path
        assert "cats.csv" not in made.client.get("/").text
        assert made.client.get("/healthz").status_code == 200
        assert made.client.get(picture, headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost", 200),
        ("LOCALHOST.:1", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("evil.example:{port}", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("192.168.1.1", 421),
        ("", 421),
        ("[", 421),
    ],
)
def test_names_of_others_are_not_answered(place: Door, host: str, status: int) -> None:
    """A page of another site that points its own name at this machine gets nothing (DNS rebinding)."""
    asked = {"host": host.format(port=place.port)}
    for path in ("/", "/metrics", "/healthz", f"/jobs/{_job(place)}"):
        answer = place.client.get(path, headers=asked)
        assert (answer.status_code == 421) == (status == 421), path


def test_every_answer_says_what_a_browser_may_do(place: Door) -> None:
    """Pages run no script but their own, by its hash; nothing can be framed or sniffed."""
    picture = first_picture(place.house, "cats.csv")
    for path in ("/", "/login", "/healthz", "/nothing", picture, "/metrics"):
        headers = place.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    assert "script-src 'sha256-" in place.client.get("/").headers["content-security-policy"]


def test_pictures_whole_in_parts_and_from_the_cache(place: Door) -> None:
    """A picture comes byte for byte, in ranges, and not again while it is the same."""
    path = first_picture(place.house, "cats.csv")
    file = place.house.outbox / path.lstrip("/")
    whole = place.client.get(path)
    assert whole.content == file.read_bytes()
    assert whole.headers["content-type"] == "image/png"
    part = place.client.get(path, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    tail = place.client.get(path, headers={"range": "bytes=-5"})
    assert tail.content == whole.content[-5:]
    stale = {"range": "bytes=0-1", "if-range": '"other"'}
    assert place.client.get(path, headers=stale).status_code == 200
    beyond = place.client.get(path, headers={"range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == 416
    same = place.client.get(path, headers={"if-none-match": whole.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    head = place.client.head(path)
    assert (head.headers["content-length"], head.content) == (str(len(whole.content)), b"")


def test_tables_are_kept_and_not_shown(place: Door) -> None:
    """A table is saved under its name; what is of no known kind is never opened by a browser."""
    folder = first_picture(place.house, "cats.csv").partition("/images")[0]
    table = place.client.get(f"{folder}/results.csv")
    assert "attachment" in table.headers["content-disposition"]
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    page = place.house.outbox / folder.lstrip("/") / "evil.html"
    page.write_text("<script>alert(1)</script>")
    served = place.client.get(f"{folder}/evil.html")
    assert served.headers["content-type"] == "application/octet-stream"
    assert "attachment" in served.headers["content-disposition"]


def test_the_gallery_is_ours_and_not_the_file(place: Door) -> None:
    """The page of all pictures comes from the ledger: what somebody wrote into the share is not served."""
    folder = first_picture(place.house, "cats.csv").partition("/images")[0]
    (place.house.outbox / folder.lstrip("/") / "index.html").write_text("<script>alert(1)</script>")
    page = place.client.get(f"{folder}/index.html")
    assert "cats.csv" in page.text
    assert "alert(1)" not in page.text
    assert "script-src 'sha256-" in page.headers["content-security-policy"]


ESCAPES = (
    "{f}/../../../token",
    "{f}/..%2f..%2fstate/ledger.sqlite3",
    "{f}/images/..%2f..%2f..%2ftoken",
    "{f}/%2e%2e/%2e%2e/token",
    "{f}//etc/passwd",
    "{f}/images/\\..\\..\\token",
    "/..%2f..%2fetc/passwd",
    "/state/ledger.sqlite3",
    "/%2e%2e/state/ledger.sqlite3",
    "{f}/images/%00",
    "{f}/images",
    "{f}/",
    "{f}/images/pipe",
    "{f}/images/link.png",
    "{f}/linked/passwd",
    "/linked--0000000000000/passwd",
)


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out(place: Door, path: str) -> None:
    """Dots, links, pipes and encodings lead nowhere; nothing but files of jobs is served."""
    folder = "/" + first_picture(place.house, "cats.csv").split("/")[1]
    job = place.house.outbox / folder.lstrip("/")
    for link, target in (
        (job / "images" / "link.png", "/etc/passwd"),
        (job / "linked", "/etc"),
        (place.house.outbox / "linked--0000000000000", "/etc"),
    ):
        if not link.is_symlink():
            link.symlink_to(target)
    if not (job / "images" / "pipe").exists():
        os.mkfifo(job / "images" / "pipe")
    target = path.format(f=folder)
    raw = f"GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    answer = place.raw(raw.encode())
    assert answer.split(b" ")[1] in {b"404", b"400"}, answer[:200]
    assert b"root:" not in answer
    assert TOKEN.encode() not in answer


MALFORMED = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n",
    b"\r\n" * 100 + b"NONSENSE\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzz",
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nhost: evil.example\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /%ff%fe%00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /?\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\ncookie: image-watcher=\xff\xfe;;;=\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \xff\r\n\r\n",
)


@pytest.mark.parametrize("request_bytes", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_http_brings_nothing_down(place: Door, request_bytes: bytes) -> None:
    """Garbage gets a no, or the end of its connection; everybody else is served as before."""
    answer = place.raw(request_bytes, timeout=1.0)
    assert b"Traceback" not in answer
    assert not answer or answer.split(b" ")[1] != b"500"
    assert place.client.get("/healthz").status_code == 200
    assert [line for line in place.house.log() if line["event"] == "page.broken"] == []


def test_a_large_body_is_not_taken(place: Door) -> None:
    """A form of many megabytes is refused after some kilobytes, and its connection is ended."""
    head = b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 1000000000\r\n\r\n"
    sent = 0
    with closing(socket.create_connection(("127.0.0.1", place.port), 10)) as line:
        line.sendall(head)
        try:
            while sent < 200_000_000:
                sent += line.send(b"a" * 65536)
        except OSError:
            pass
    assert sent < 50_000_000


@pytest.mark.alone
def test_who_says_nothing_is_let_go(place: Door) -> None:
    """A head that drips, or never comes, ends in seconds; meanwhile everybody else is served at once."""
    lines = [socket.create_connection(("127.0.0.1", place.port), 40) for _ in range(60)]
    for at, line in enumerate(lines):
        line.sendall(b"GET / HTTP/1.1\r\nhost: loc"[: at % 20])
    began = time.monotonic()
    assert place.client.get("/healthz").status_code == 200
    assert time.monotonic() - began < 5
    assert [read_all(line) for line in lines] == [b""] * 60
    assert time.monotonic() - began < 35
    for line in lines:
        line.close()


def test_more_connections_than_there_is_room_for(place: Door) -> None:
    """Hundreds of open connections take no more than their share, and end without a trace."""
    lines = [socket.create_connection(("127.0.0.1", place.port), 40) for _ in range(400)]
    for line in lines:
        line.close()

    def served() -> bool:
        with suppress(httpx.TransportError):
            return place.client.get("/healthz").status_code == 200
        return False

    wait_for(served)


def test_a_hung_client_holds_up_no_stop(tmp_path: Path) -> None:
    """Clients that read nothing, and one that is told of everything, are left alone when the daemon stops."""
    with sandbox() as api, door(tmp_path, api.base_url) as made:
        made.house.drop("cats.csv", "prompt\nA cat\n")
        picture = first_picture(made.house, "cats.csv")
        (made.house.outbox / picture.lstrip("/")).write_bytes(b"x" * 50_000_000)
        lines = []
        for path in ("/live", picture):
            line = socket.create_connection(("127.0.0.1", made.port), 10)
            line.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.1 200")
            lines.append(line)
        assert made.house.stop(timeout=20) == 0
        for line in lines:
            line.close()


def test_a_taken_port_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """The daemon works on without the page, says so in words, and opens it once the port is free."""
    with socket.create_server(("127.0.0.1", 0)) as other, sandbox() as api:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with house(tmp_path, api.base_url, {"web": {"enabled": True, "listen": listen}}) as made:
            refused = wait_for(lambda: made.events("page.refused"))
            assert listen in refused[0]["what"]
            assert "web.listen" in refused[0]["what_to_do"]
            made.drop("cats.csv", "prompt\nA cat\n")
            assert made.wait_over("cats.csv").summary["state"] == "done"
            wait_for(lambda: "already in use" in (made.state / "daemon.json").read_text())
            assert "already in use" in made.command("status").stdout


def test_a_public_address_stays_shut_without_its_token(tmp_path: Path) -> None:
    """The file of the token went away: the page is not opened to everybody, and says why."""
    web = {"enabled": True, "listen": "0.0.0.0:0", "token_file": str(tmp_path / "token")}
    with sandbox() as api, house(tmp_path, api.base_url, {"web": web}) as made:
        refused = wait_for(lambda: made.events("page.refused"))
        assert "not opened at a public address" in refused[0]["what"]


def test_many_readers_at_once(place: Door) -> None:
    """A crowd of readers gets its pages."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: httpx.get(place.url, timeout=30), range(100)))
    assert {answer.status_code for answer in answers} == {200}


def test_ready_means_that_an_inbox_is_served(tmp_path: Path) -> None:
    """readyz says no, with the reason, while no inbox can be served; healthz stays yes."""
    with sandbox() as api, door(tmp_path, api.base_url) as made:
        wait_for(lambda: made.client.get("/readyz").status_code == 200)
        made.house.inbox.rename(tmp_path / "elsewhere")
        wait_for(lambda: made.client.get("/readyz").status_code == 503, timeout=90)
        assert "offline" in made.client.get("/readyz").json()["detail"]
        assert made.client.get("/healthz").status_code == 200


def test_nothing_secret_is_logged(place: Door) -> None:
    """The token stands in no line of the log."""
    place.client.get(f"/?token={TOKEN}")
    place.client.post("/login", data={"token": TOKEN})
    assert page_address(place.house)
    assert TOKEN not in place.house.log_text()


def test_an_inbox_that_is_paused_is_not_all_done(tmp_path: Path) -> None:
    """Where a disk is too full nothing is taken: the page says so at its top, not that all is done,
    and the note beside the drop does.
    """
    with sandbox() as api, door(tmp_path, api.base_url, {"disk": {"least_gb": 10**6}}) as page:
        page.house.drop("rows.csv", prompts_csv(["one"]))
        wait_for(lambda: page.house.events("inbox.paused"), 30, "the inbox is paused")
        assert "as soon as there is room" in page.house.note("rows.csv")
        assert "The inbox main is paused" in page.client.get("/").text
