"""Calling back: only where it is allowed, at the address that was judged, and following nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from watcher.api import Callbacks, NotTaken


def _resolves(*found: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return found

    return resolve


def _why(callbacks: Callbacks, url: str) -> NotTaken:
    async def call() -> None:
        try:
            await callbacks.post(url, b"{}", {})
        finally:
            await callbacks.aclose()

    with pytest.raises(NotTaken) as raised:
        asyncio.run(call())
    return raised.value


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1", "169.254.169.254", "fd00::1"])
def test_a_name_that_leads_home_is_not_called(address: str) -> None:
    """A public name may not lead into a private network, also not as one of several addresses."""
    for found in ((address,), ("93.184.216.34", address)):
        error = _why(Callbacks((), _resolves(*found)), "https://hooks.example/x")
        assert "private network" in str(error)
        assert error.final


def test_a_name_that_is_not_found_is_tried_again() -> None:
    """It may be there tomorrow."""
    error = _why(Callbacks((), _resolves()), "https://hooks.example/x")
    assert "not found" in str(error)
    assert not error.final


def test_only_listed_hosts_are_called_where_any_are_listed() -> None:
    """web.callback_hosts is the whole list."""
    error = _why(
        Callbacks(("hooks.example",), _resolves("93.184.216.34")), "https://other.example/"
    )
    assert "callback_hosts" in str(error)


def test_a_listed_host_may_be_private() -> None:
    """It is called, and does not answer here: that is no verdict."""
    error = _why(Callbacks(("hooks.example",), _resolves("127.0.0.1")), "http://hooks.example:1/")
    assert "cannot be reached" in str(error)
    assert not error.final


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://hooks.example/", "http://u:p@hooks.example/", "http://" + "a" * 3000, "http:///x",
     "http://localhost/", "http://127.1/", "http://[::1]/", "http://2130706433/", "http://\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    """Before anything is promised."""
    with pytest.raises(NotTaken):
        Callbacks().check(url)
