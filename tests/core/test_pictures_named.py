"""Pictures of an item by name and as parts of its call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.jobs import Item, Operation, Part
from watcher.core.pictures import KeptPicture, is_address, is_listed, kept_picture
from watcher.core.profiles import Profile, load_profiles
from watcher.core.wire import call_for

PICTURE = Part(name="image", content=b"1", content_type="image/png")
OVERLAY = Part(name="image", content=b"2", content_type="image/png")
EDIT = Item(operation=Operation.EDIT, model="m", prompt="p", images=("a",), markup="b")


@given(name=st.text(), sha256=st.text("0123456789abcdef", min_size=64, max_size=64))
def test_a_kept_picture_is_read_as_it_was_written(name: str, sha256: str) -> None:
    """Whatever its author called it."""
    kept = KeptPicture(sha256=sha256, format="jpeg", name=name)
    assert kept_picture(str(kept)) == kept
    assert not is_address(str(kept))


@given(st.text())
def test_other_references_are_no_kept_pictures(reference: str) -> None:
    """Short of that very form; an address is told by how it begins."""
    assert kept_picture(reference) is None
    assert kept_picture("https://example.com/blob:a.png") is None
    assert is_address(f"HTTPS://{reference}")


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("Example.com", True),
        ("example.com.", True),
        ("a.example.com", False),
        ("a.cdn.net", True),
        ("cdn.net", False),
        ("evilcdn.net", False),
        ("", False),
    ],
)
def test_hosts_by_their_whole_name(host: str, *, listed: bool) -> None:
    """Without case; only a star stands for more than one."""
    assert is_listed(host, ["example.com", "*.cdn.net"]) is listed


def test_a_markup_has_its_own_part() -> None:
    """A file named markup beside the picture's, or its data URL in JSON; nothing where it is dropped."""
    openai = load_profiles()["openai"]
    call = call_for(EDIT, openai, images=[PICTURE], markup=OVERLAY)
    files = {part.name: (part.content, part.filename) for part in call.parts if part.filename}
    assert files == {"image": (b"1", "image-1.png"), "markup": (b"2", "markup.png")}
    by_json = Profile(name="j", edit_transport="json")
    body = call_for(EDIT, by_json, images=[PICTURE], markup=OVERLAY).body
    assert body["markup"] == {"image_url": "data:image/png;base64,Mg=="}
    dropping = Profile(name="d", drops=frozenset({"markup", "mask"}))
    call = call_for(EDIT, dropping, images=[PICTURE], mask=OVERLAY, markup=OVERLAY)
    assert [part.name for part in call.parts if part.filename] == ["image"]
