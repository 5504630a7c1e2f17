"""What people write into cells, read as what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.jobs import Json
from watcher.core.planning.values import (
    as_integer,
    as_parameter,
    as_references,
    as_size,
    as_text,
    as_truth,
    shown,
)

_PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("value", "number"),
    [("1", 1), (" 12 ", 12), ("1.0", 1), ("1,0", 1), (3.0, 3), (-2, -2), ("+4", 4), ("1.5", None),
     (1.5, None), (True, None), ("one", None), ("", None), (None, None), ([1], None), ("1e3", None),
     (float("nan"), None), (float("inf"), None), (10**400, None), ("9" * 5000, None), ("１", None)],
)  # fmt: skip
def test_whole_numbers(value: Json, number: int | None) -> None:
    """Whole numbers as people and spreadsheets write them; nothing else, and no truth."""
    assert as_integer(value) == number


@pytest.mark.parametrize(
    ("value", "truth"),
    [("no", False), ("Yes", True), (0, False), (1.0, True), (False, False), ("FALSE", False),
     ("maybe", None), (2, None), (None, None), ([], None)],
)  # fmt: skip
def test_truths(value: Json, truth: bool | None) -> None:  # noqa: FBT001
    """Yes and no in the ways of tables."""
    assert as_truth(value) is truth


@pytest.mark.parametrize(
    ("value", "text"),
    [(" a b ", "a b"), (3.0, "3"), (3.5, "3.5"), (12345678901234567890, "12345678901234567890"),
     (True, None), (None, None), (["a"], None), ({}, None), (10**50, None)],
)  # fmt: skip
def test_texts(value: Json, text: str | None) -> None:
    """Numbers are texts as people write them; lists, groups and truths are none."""
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("value", "read"),
    [("42", 42), ("-7.5", -7.5), ("true", True), (" False ", False), ("euler a", "euler a"),
     ("1e5", "1e5"), ("1.5e3", 1500.0), ("9" * 20, "9" * 20), ("nan", "nan"), (5, 5)],
)  # fmt: skip
def test_parameters_of_servers(value: Json, read: Json) -> None:
    """Text that looks like a number or a truth becomes one; other text stays."""
    assert as_parameter(value) == read
    assert type(as_parameter(value)) is type(read)


@pytest.mark.parametrize(
    ("value", "references"),
    [
        ("a.png", ("a.png",)),
        ("a.png; b.jpg ;c d.webp", ("a.png", "b.jpg", "c d.webp")),
        ("a.png\nb.jpg\r\n", ("a.png", "b.jpg")),
        ("a.png, b.JPG,c.webp", ("a.png", "b.JPG", "c.webp")),
        ("red, green.png", ("red, green.png",)),
        ("Doe, J, portrait.png", ("Doe, J, portrait.png",)),
        ("a.png,", ("a.png",)),
        (_PNG, (_PNG,)),
        (f"{_PNG};{_PNG}", (_PNG, _PNG)),
        (f"{_PNG}, a.png", (_PNG, "a.png")),
        (f"a.png; {_PNG}\nb.png", ("a.png", _PNG, "b.png")),
        ("data:image/svg+xml;charset=utf-8;base64,AA==", ("data:image/svg+xml;charset=utf-8;base64,AA==",)),
        ("https://h/a,b.png", ("https://h/a,b.png",)),
        ("https://h/a.png,https://h/b", ("https://h/a.png", "https://h/b")),
        ("https://h/a.png, b.png", ("https://h/a.png", "b.png")),
        (["a.png", " ", "b,c.png"], ("a.png", "b,c.png")),
        ("", ()),
        (" ; \n", ()),
        (3, None),
        ([1], None),
        ({"url": "a"}, None),
        (True, None),
    ],
)  # fmt: skip
def test_references(value: Json, references: tuple[str, ...] | None) -> None:
    """Pictures by `;`, newline, or a comma that can be nothing else; data URLs stay whole."""
    assert as_references(value) == references


@given(names=st.lists(st.text(alphabet="abc d-_ü", min_size=1, max_size=8).map("x{}.png".format).map(str.strip), max_size=8), between=st.sampled_from([";", "\n", "; ", ", ", ","]))  # fmt: skip
def test_references_are_all_there(names: list[str], between: str) -> None:
    """Plain file names come back one for one, whatever stands between them."""
    assert as_references(between.join(names)) == tuple(names)


@given(value=st.text())
def test_sizes_are_canonical(value: str) -> None:
    """Any text is no size, or one of the two forms that the API knows."""
    size = as_size(value)
    assert size is None or size == "auto" or all(map(str.isdecimal, size.split("x")))


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_quotations_are_short_and_on_one_line(value: Json) -> None:
    """What a sentence quotes of a value is one short line."""
    assert len(shown(value)) <= 60
    assert len(shown(value).splitlines()) <= 1
