"""Public addresses of pictures, and who may open them for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.links import PublicLinks, is_signed, signature

KEY = b"k" * 32
LINKS = PublicLinks(base="https://pics.example/o/", key=KEY, expires=1_800_000_000)


def test_an_address_without_a_key_is_plain() -> None:
    """The folder and the file, quoted, below the base."""
    links = PublicLinks(base="https://pics.example/o/")
    assert links.to("a b--1", "images/ü.png") == "https://pics.example/o/a%20b--1/images/%C3%BC.png"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_signed_link_is_known_again(folder: str, file: str) -> None:
    """What we signed is ours until its end, and not a second longer."""
    signed = signature(KEY, folder, file, LINKS.expires)
    known = {"expires": str(LINKS.expires), "signed": signed}
    assert is_signed(KEY, folder, file, **known, now=LINKS.expires - 1)
    assert not is_signed(KEY, folder, file, **known, now=LINKS.expires)


@given(st.text(), st.text())
def test_nothing_else_is(expires: str, signed: str) -> None:
    """No other end and no other signature opens anything."""
    assert not is_signed(KEY, "f", "x.png", expires=expires, signed=signed, now=0)


@pytest.mark.parametrize(("folder", "file"), [("f", "y.png"), ("g", "x.png"), ("f/x", ".png")])
def test_a_link_opens_its_own_file_only(folder: str, file: str) -> None:
    """The signature of one file opens no other."""
    signed = signature(KEY, "f", "x.png", LINKS.expires)
    assert not is_signed(KEY, folder, file, expires=str(LINKS.expires), signed=signed, now=0)


def test_without_a_key_nothing_is_signed() -> None:
    """An empty key signs nothing that would open something."""
    assert not is_signed(b"", "f", "x", expires="9", signed=signature(b"", "f", "x", 9), now=0)
