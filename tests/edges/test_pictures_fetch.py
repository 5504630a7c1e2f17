"""Pictures that rows name by address: fetched without the key, from public hosts or the listed ones, never paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.edges.api_server import Act, answer, flood, head, raw, serving, stall
from tests.edges.test_api_fetch import names

from watcher.api import Endpoint, ImageApi
from watcher.core.jobs import No, Refusal
from watcher.core.profiles import load_profiles

KEY = "sk-test-0123456789abcdef-canary"
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 2000
LOOPBACK = ("127.0.0.1",)
ELSEWHERE = "https://api.example.com/v1"


async def no_wait(_seconds: float) -> None:
    """Waits between tries take no time in tests."""


def fetch(
    url: str,
    into: Path,
    *,
    hosts: Collection[str] = (),
    base: str = ELSEWHERE,
    **more: Any,  # noqa: ANN401
) -> bytes | Refusal:
    endpoint = Endpoint(
        base_url=base,
        key=KEY,
        profile=load_profiles()["openai"],
        timeouts={"connect": 2.0, "download": more.pop("patience", 0.4)},
    )

    async def main() -> bytes | Refusal:
        settings = {"sleep": no_wait, "random": Random(7), **more}  # noqa: S311
        api = ImageApi(endpoint, **settings)
        try:
            return await api.fetch_input(url, into, hosts)
        finally:
            await api.aclose()

    return asyncio.run(main())


def refused(url: str, into: Path, **more: Any) -> Refusal:  # noqa: ANN401
    said = fetch(url, into, **more)
    assert isinstance(said, Refusal)
    assert (said.code, said.paid_maybe) == ("picture_unreachable", False)
    assert list(into.parent.iterdir()) == []
    assert KEY not in repr(said)
    return said


def test_a_listed_host_may_be_private(tmp_path: Path) -> None:
    """The operator named it; it is asked without the key, and stored whole."""
    with serving(answer(200, PNG)) as server:
        url = f"http://127.0.0.1:{server.port}/a.png"
        assert fetch(url, tmp_path / "1", hosts=LOOPBACK) == PNG
    assert (tmp_path / "1").read_bytes() == PNG
    assert "authorization" not in server.requests[0].headers


def test_the_apis_own_host_gets_no_key_from_a_row(tmp_path: Path) -> None:
    """What a stranger writes into a table must not read files of the account."""
    with serving(answer(200, PNG)) as server:
        assert fetch(f"{server.base}/files/1/content", tmp_path / "1", base=server.base) == PNG
    assert "authorization" not in server.requests[0].headers


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "192.168.0.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_never_asked(address: str, tmp_path: Path) -> None:
    """However its name looks; one private address among public ones is enough."""
    resolve = names(pictures__example=("93.184.216.34", address))
    said = refused("http://pictures.example/a.png", tmp_path / "1", resolve=resolve)
    assert said.no is No.NEVER
    assert "private network" in said.what


def test_only_listed_hosts_where_any_are_listed(tmp_path: Path) -> None:
    """Also at a redirect."""
    assert refused("http://other.example/a.png", tmp_path / "1", hosts=LOOPBACK).no is No.NEVER
    with serving(answer(302, Location="http://other.example/b.png")) as server:
        url = f"http://127.0.0.1:{server.port}/a.png"
        said = refused(url, tmp_path / "1", hosts=LOOPBACK)
    assert "allowed_hosts" in said.what


def test_no_other_port_than_the_webs_unless_the_host_is_listed(tmp_path: Path) -> None:
    """A table is no port scanner."""
    resolve = names(pictures__example=("93.184.216.34",))
    said = refused("http://pictures.example:22/a.png", tmp_path / "1", resolve=resolve)
    assert "port 22" in said.what


@pytest.mark.parametrize("url", ["ftp://x/a.png", "http://user:pw@x/a.png", "file:///etc/passwd"])
def test_only_plain_addresses(url: str, tmp_path: Path) -> None:
    """Nothing but http(s), and no password in it."""
    assert refused(url, tmp_path / "1").no is No.NEVER


ENDS: dict[str, tuple[Act, No]] = {
    "gone": (answer(404), No.NEVER),
    "failing": (answer(503), No.LATER),
    "broken": (raw(), No.LATER),
    "silent": (stall(), No.LATER),
    "endless": (flood(head(200, None), bytes(1 << 20)), No.NEVER),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_cannot_be_fetched_is_told_by_its_class(how: str, tmp_path: Path) -> None:
    """What may work later is tried later; the rest is the row's error. Nothing was paid either way."""
    act, no = ENDS[how]
    with serving(act) as server:
        url = f"http://127.0.0.1:{server.port}/a.png"
        patience = 30.0 if how == "endless" else 0.4
        assert refused(url, tmp_path / "1", hosts=LOOPBACK, patience=patience).no is no
