"""Pictures that an answer only names: fetched from where they may be, four times at most, never asked for again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.edges.api_server import Act, answer, drip, flood, head, raw, serving, stall

from watcher.api import Endpoint, ImageApi
from watcher.core.jobs import No, Refusal
from watcher.core.profiles import load_profiles

KEY = "sk-test-0123456789abcdef-canary"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 2000
PEM = Path(__file__).parent / "pictures.example.pem"


async def no_wait(_seconds: float) -> None:
    """Waits between tries take no time in tests."""


def fetch(url: str, into: Path, base: str, **more: Any) -> bytes | Refusal:  # noqa: ANN401
    timeouts = {"connect": 2.0, "download": 0.4, **more.pop("timeouts", {})}
    profile = load_profiles()["openai"]
    endpoint = Endpoint(base_url=base, key=KEY, profile=profile, timeouts=timeouts)

    async def main() -> bytes | Refusal:
        settings = {"sleep": no_wait, "random": Random(7), **more}  # noqa: S311
        api = ImageApi(endpoint, **settings)
        try:
            return await api.fetch(url, into)
        finally:
            await api.aclose()

    return asyncio.run(main())


def refused(url: str, into: Path, base: str, **more: Any) -> Refusal:  # noqa: ANN401
    said = fetch(url, into, base, **more)
    assert isinstance(said, Refusal)
    assert (said.no, said.paid_maybe) == (No.AMBIGUOUS, True)
    assert list(into.parent.iterdir()) == []
    assert KEY not in repr(said)
    return said


def names(**table: Sequence[str]) -> Any:  # noqa: ANN401
    """A name service of one's own: dots as double underscores."""
    known = {name.replace("__", "."): found for name, found in table.items()}

    async def resolve(host: str, _port: int) -> Sequence[str]:
        if host not in known:
            raise OSError(host)
        return known[host]

    return resolve


@pytest.mark.parametrize(
    "url",
    [
        "/v1/images/7/content?variant=0",
        "images/7/content?variant=0",
        "{base}/images/7/content?variant=0",
    ],
)
def test_a_picture_of_the_api_itself(url: str, tmp_path: Path) -> None:
    """Relative or whole: fetched with the key, stored whole, given back."""
    with serving(answer(200, PNG, Content_Type="image/png")) as server:
        got = fetch(url.replace("{base}", server.base), tmp_path / "1", server.base)
    assert got == PNG
    assert (tmp_path / "1").read_bytes() == PNG
    assert list(tmp_path.iterdir()) == [tmp_path / "1"]
    request = server.requests[0]
    assert request.path == "/v1/images/7/content?variant=0"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


def test_links_that_work_only_after_a_while(tmp_path: Path) -> None:
    """A 404 of the first seconds is tried again, with growing waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    with serving(answer(404), answer(503), raw(), answer(200, PNG)) as server:
        assert fetch("/1", tmp_path / "1", server.base, sleep=sleep) == PNG
    assert len(server.requests) == 4
    assert len(waits) == 3
    assert all(0 <= wait <= limit for wait, limit in zip(waits, (0.5, 1, 2), strict=True))


def test_what_was_fetched_is_not_fetched_again(tmp_path: Path) -> None:
    """It is whole on the disk, and its address may have expired since: after a crash it is simply there."""
    with serving(answer(200, PNG), answer(404)) as server:
        assert fetch("/1", tmp_path / "1", server.base) == PNG
        assert fetch("/1", tmp_path / "1", server.base) == PNG
    assert len(server.requests) == 1


BAD: dict[str, tuple[Act, str]] = {
    "gone": (answer(404), "link_expired"),
    "expired": (answer(403, b"<Error>AccessDenied</Error>"), "link_expired"),
    "failing": (answer(500), "link_unreachable"),
    "empty": (answer(200), "link_unreachable"),
    "a web page": (
        answer(200, b"<html>Please log in</html>", Content_Type="text/html"),
        "link_unreachable",
    ),
    "cut short": (raw(head(200, 5000), PNG), "link_unreachable"),
    "silent": (stall(), "link_unreachable"),
    "dripping": (drip(head(200, 5000), 0.05), "link_unreachable"),
    "partial": (answer(206, PNG), "link_unreachable"),
    "in circles": (answer(302, Location="/1"), "link_unreachable"),
}


@pytest.mark.parametrize("how", BAD)
def test_links_that_do_not_work(how: str, tmp_path: Path) -> None:
    """After four tries: a doubt about money, and nothing on the disk."""
    act, code = BAD[how]
    with serving(act) as server:
        said = refused("/1?signature=secret", tmp_path / "1", server.base)
    assert said.code == code
    assert "secret" not in repr(said)
    assert len(server.requests) == (16 if how == "in circles" else 4)


def test_a_picture_without_end_is_cut(tmp_path: Path) -> None:
    """64 MiB is the end, and one try is enough to know."""
    with serving(flood(head(200, None), b"x" * (1 << 20))) as server:
        said = refused("/1", tmp_path / "1", server.base, timeouts={"download": 20.0})
    assert said.code == "download"
    assert "larger than 64 MiB" in said.what
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{other}/1", "http://localhost:{other}/1", "http://0x7f.1:{other}/1",
        "http://2130706433:{other}/1", "http://[::1]:{other}/1", "http://[::ffff:127.0.0.1]:{other}/1",
        "http://169.254.169.254/latest/meta-data", "http://evil.example/1", "http://mixed.example/1",
        "http://nat64.example/1", "http://sixtofour.example/1", "http://multicast.example/1",
        "file:///etc/passwd", "ftp://public.example/1", "//169.254.169.254/1", "gopher://x/",
        "http://user:pass@127.0.0.1:{own}/v1/1", "http://[", "\x00",
    ],
)  # fmt: skip
def test_private_addresses_are_not_gone_to(url: str, tmp_path: Path) -> None:
    """A link in an answer is a stranger's word: nobody in our network hears from it."""
    resolve = names(
        **{
            "evil__example": ("10.0.0.7",),
            "mixed__example": ("93.184.215.14", "127.0.0.1"),
            "nat64__example": ("64:ff9b::7f00:1",),
            "sixtofour__example": ("2002:7f00:1::",),
            "multicast__example": ("224.0.0.1",),
            "public__example": ("93.184.215.14",),
            "localhost": ("127.0.0.1",),
            "0x7f.1": ("127.0.0.1",),
            "2130706433": ("127.0.0.1",),
            "127.0.0.1": ("127.0.0.1",),
            "169.254.169.254": ("169.254.169.254",),
            "::1": ("::1",),
            "::ffff:127.0.0.1": ("::ffff:127.0.0.1",),
        }
    )
    with serving(answer(200, PNG)) as own, serving(answer(200, PNG)) as other:
        asked = url.replace("{other}", str(other.port)).replace("{own}", str(own.port))
        said = refused(asked, tmp_path / "1", own.base, resolve=resolve)
        assert (own.requests, other.requests) == ([], [])
    assert said.code == ("link_unreachable" if url == "http://[" else "download")  # a name, unknown


def test_the_systems_own_resolver_is_judged_too(tmp_path: Path) -> None:
    """Without a name service of the test's: localhost at another port is not gone to."""
    with serving(answer(200, PNG)) as own, serving(answer(200, PNG)) as other:
        said = refused(f"http://localhost:{other.port}/1", tmp_path / "1", own.base)
        assert other.requests == []
    assert "private network" in said.what


def test_redirects_are_judged_one_by_one(tmp_path: Path) -> None:
    """From the API's own host into the network behind it: not followed."""
    with serving(answer(200, PNG)) as other:
        act = answer(302, Location=f"http://127.0.0.1:{other.port}/secret")
        with serving(act) as own:
            refused("/1", tmp_path / "1", own.base)
        assert other.requests == []


def test_redirects_on_the_own_host_are_followed(tmp_path: Path) -> None:
    """Three of them at most."""
    act = answer(307, Location="/v1/next")
    with serving(act, act, act, answer(200, PNG)) as server:
        assert fetch("/1", tmp_path / "1", server.base) == PNG
    assert [r.path for r in server.requests] == ["/1", "/v1/next", "/v1/next", "/v1/next"]


def test_an_unknown_name_is_tried_again(tmp_path: Path) -> None:
    """A name service that stumbles is no last word."""
    calls: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        calls.append(host)
        if len(calls) < 3:
            raise OSError(host)
        return ("127.0.0.1",)

    with serving(answer(200, PNG)) as server:
        base = f"http://api.example:{server.port}/v1"
        assert fetch("/1", tmp_path / "1", base, resolve=resolve) == PNG
    assert server.requests[0].headers["host"] == f"api.example:{server.port}"
    assert calls == ["api.example"] * 3


def test_each_try_takes_the_next_address(tmp_path: Path) -> None:
    """A host with a dead address is reached at its other one."""
    with serving(answer(200, PNG)) as server:
        base = f"http://api.example:{server.port}/v1"
        resolve = names(api__example=("127.0.0.99", "127.0.0.1"))
        assert fetch("/1", tmp_path / "1", base, resolve=resolve) == PNG


def test_the_key_stays_with_its_origin(tmp_path: Path) -> None:
    """Another scheme on the same host and port, or another host: no key."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    trusting = ssl.create_default_context(cafile=PEM)
    with serving(answer(200, PNG), tls=tls) as server:
        base = f"http://pictures.example:{server.port}/v1"
        url = f"https://pictures.example:{server.port}/1"
        resolve = names(pictures__example=("127.0.0.1",))
        assert fetch(url, tmp_path / "1", base, resolve=resolve, tls=trusting) == PNG
    assert "authorization" not in server.requests[0].headers


def test_tls_is_checked_against_the_name_not_the_address(tmp_path: Path) -> None:
    """Connected to the judged address, greeted by the host's own name (SNI), certificate and all."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    asked: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    trusting = ssl.create_default_context(cafile=PEM)
    resolve = names(pictures__example=("127.0.0.1",), other__example=("127.0.0.1",))
    with serving(answer(200, PNG), tls=tls) as server:
        for host in ("pictures", "other"):
            base = f"https://{host}.example:{server.port}/v1"
            got = fetch("/1", tmp_path / host, base, resolve=resolve, tls=trusting)
            assert (got == PNG) is (host == "pictures")
        untrusting = fetch(
            "/1", tmp_path / "3", f"https://pictures.example:{server.port}", resolve=resolve
        )
        assert isinstance(untrusting, Refusal)
    assert asked[:2] == ["pictures.example", "other.example"]
    assert len(server.requests) == 1
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
