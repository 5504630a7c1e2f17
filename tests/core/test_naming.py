"""Names of jobs, folders and pictures."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watcher.core.naming import (
    assign_stems,
    job_folder,
    job_id,
    kept_stems,
    picture_file,
    safe_stem,
    stem_at,
    thumbnail_file,
)

_HOSTILE = st.text(
    st.one_of(
        st.characters(), st.sampled_from('./\\:*?"<>|\0\n\r\t \u202e\u200fäé\u0301CONconaux-_1')
    ),
    max_size=150,
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@given(_HOSTILE, st.integers(40, 120))
@example("CON", 100)
@example("aux.h", 100)
@example("COM¹.txt", 100)
@example("CON." + "é" * 90, 100)
@example("x" * 300, 100)
@example("\u0301\u0301", 100)
def test_a_stem_is_always_safe(text: str, most: int) -> None:
    """Whatever a row says, the name is one that Windows and Unix take and that leads nowhere."""
    stem = safe_stem(text, fallback="row-1", max_bytes=most)
    assert 0 < len(stem.encode()) <= most
    assert stem == unicodedata.normalize("NFC", stem)
    assert not set(stem) & set("/\\:*?\"<>|;'`$&%# \0\n\t")
    assert not any(unicodedata.category(char)[0] in "CZ" for char in stem)
    assert stem[0] not in ".-"
    assert stem[-1] not in ". "
    assert not _RESERVED.fullmatch(unicodedata.normalize("NFKC", stem))


@given(_HOSTILE)
def test_a_safe_stem_stays_as_it_is(text: str) -> None:
    """Making a name safe twice changes nothing: a results file names what the folder holds."""
    once = safe_stem(text, fallback="row-1")
    assert safe_stem(once, fallback="other") == once


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("SKU_12.5(b)+c-1", "SKU_12.5(b)+c-1"),
        ("日本語カップ-2", "日本語カップ-2"),
        ("Müller & Söhne / été", "Müller-Söhne-été"),
        ("e\u0301", "é"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\0b\nc", "a-b-c"),
        ("abc\u202egpj.exe", "abcgpj.exe"),
        ("trailing. ", "trailing"),
        ("CON", "_CON"),
        ("lpt9.txt", "_lpt9.txt"),
        ("CON-1", "CON-1"),
        ("..", "row-7"),
        ("🙂", "row-7"),
        ("", "row-7"),
    ],
)
def test_a_stem_keeps_what_can_be_kept(text: str, stem: str) -> None:
    """Letters of all scripts and the punctuation of SKUs stay; the rest becomes one hyphen or goes."""
    assert safe_stem(text, fallback="row-7") == stem


def test_a_long_stem_keeps_both_ends() -> None:
    """A name that is too long loses its middle: the index at its end is what tells pictures apart."""
    stem = safe_stem("a" * 200 + "-12", fallback="row-1")
    assert stem == "a" * 82 + "--" + "a" * 13 + "-12"


def test_a_hostile_fallback_is_made_safe() -> None:
    """A fallback is a name like any other, and never empty."""
    assert safe_stem("", fallback="../x") == "x"
    assert safe_stem("", fallback="") == "unnamed"


_ROWS = st.lists(
    st.lists(
        st.one_of(
            st.sampled_from(["mug-1", "MUG-1", "mug", "mug-1-r2", "mug-1-r3", "é", "e\u0301"]),
            _HOSTILE,
        ),
        min_size=1,
        max_size=4,
    ),
    max_size=12,
)


@given(_ROWS)
def test_pictures_of_a_job_never_share_a_name(rows: list[list[str]]) -> None:
    """No two pictures of a job meet on any file system, whatever their rows are called."""
    assigned = list(assign_stems(enumerate(rows, start=1)))
    assert [(row, len(stems)) for row, stems in assigned] == [
        (row, len(rendered)) for row, rendered in enumerate(rows, start=1)
    ]
    stems = [stem for _, of_row in assigned for stem in of_row]
    assert len({unicodedata.normalize("NFKC", stem).casefold() for stem in stems}) == len(stems)
    assert all(len(stem.encode()) <= 100 for stem in stems)


@given(_ROWS, _ROWS)
def test_a_name_depends_on_earlier_rows_only(rows: list[list[str]], later: list[list[str]]) -> None:
    """The same rows get the same names after a restart, and whatever comes behind them."""
    some = list(assign_stems(enumerate(rows, start=1)))
    more = list(assign_stems(enumerate(rows + later, start=1)))
    assert more[: len(some)] == some


def test_the_later_of_two_equal_names_gets_its_row() -> None:
    """Two rows with one name: the first keeps it, all pictures of the later one carry its row number."""
    rows = [(1, ["mug-1", "mug-2"]), (2, ["Mug-1"]), (3, ["mug-1-r4"]), (4, ["mug-1"])]
    assert list(assign_stems(rows)) == [
        (1, ("mug-1", "mug-2")),
        (2, ("Mug-1-r2",)),
        (3, ("mug-1-r4",)),
        (4, ("mug-1-r4-2",)),
    ]


def test_a_template_without_an_index_gets_one_where_it_must() -> None:
    """Several pictures of a row whose template gives one name are told apart by their index."""
    assert list(assign_stems([(1, ["mug", "mug"]), (2, ["chair"])])) == [
        (1, ("mug-1", "mug-2")),
        (2, ("chair",)),
    ]


def test_many_rows_of_one_name_are_told_apart() -> None:
    """A thousand rows of one name (the table of names grows) end with a thousand names."""
    rows = [(row, ["mug-1"]) for row in range(1, 5001)]
    stems = dict(assign_stems(rows))
    assert stems[1] == ("mug-1",)
    assert stems[5000] == ("mug-1-r5000",)
    assert len(set(stems.values())) == 5000


def test_the_names_of_a_row_come_back_by_index() -> None:
    """What the ledger keeps of a row's names gives each of them back."""
    kept = kept_stems(("mug-1", "mug-2"))
    assert (stem_at(kept, 1), stem_at(kept, 2)) == ("mug-1", "mug-2")


@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(0, 2**64)), min_size=2))
def test_job_ids_sort_by_time(moments: list[tuple[int, int]]) -> None:
    """Ids have 13 plain characters without vowels and sort as their times do."""
    ids = [(millis, job_id(millis, chance)) for millis, chance in moments]
    assert all(re.fullmatch("[0-9bcdfghjkmnpqrstvwxyz]{13}", each) for _, each in ids)
    assert [millis for millis, _ in sorted(ids, key=lambda pair: pair[1][:9])] == sorted(
        millis for millis, _ in ids
    )


def test_a_job_folder_is_named_after_the_drop_and_the_job() -> None:
    """A person finds the folder by the drop's name, a program by the job after `--`."""
    assert job_folder("Mugs été/2026", "2r2kb9sgzdg69") == "Mugs-été-2026--2r2kb9sgzdg69"
    assert job_folder("...", "2r2kb9sgzdg69") == "drop--2r2kb9sgzdg69"


def test_files_are_named_by_their_real_format() -> None:
    """The extension says what the picture is; its thumbnail has the same stem."""
    assert picture_file("mug.v1-1", "jpeg") == "images/mug.v1-1.jpg"
    assert thumbnail_file("images/mug.v1-1.jpg") == "thumbnails/mug.v1-1.webp"
