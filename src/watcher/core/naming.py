"""Names for jobs, folders and pictures: safe on Windows and Unix, unique by rule, the same after
every restart. Pictures of one job never share a name, whatever their rows say and end like.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain, count

# No vowels, so that no id spells a word; no e, so that no spreadsheet reads an id as a number;
# no l, so that nobody reads it as a 1. In the order of ASCII, so that ids sort by time.
_DIGITS = "0123456789bcdfghjkmnpqrstvwxyz"
_TIME_DIGITS, _RANDOM_DIGITS = 9, 4

_KEPT = frozenset("._-()+")
_MENDED = re.compile(r"-*\x00[-\x00]*")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file (COM¹ counts as COM1)
# What needs no mending and is no reserved name: most names there are.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+()-]{5,48}[A-Za-z0-9)]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin|conout|clock)", re.IGNORECASE)
_CUT = "--"
_TAIL_BYTES = 16

PICTURE_BYTES = 100
_OWN_BYTES = PICTURE_BYTES - 24  # leaves room for an index and a row number
FOLDER_BYTES = 60  # with the job, "thumbnails" and a picture: 200 of the 260 that Windows allows
EXTENSIONS = {"png": "png", "jpeg": "jpg", "webp": "webp", "gif": "gif", "svg": "svg"}


def job_id(millis: int, random_bits: int) -> str:
    """13 characters that sort by time: `millis` since the epoch (until the year 2593), then chance."""
    time, chance = (
        _written(millis, _TIME_DIGITS),
        _written(random_bits % len(_DIGITS) ** _RANDOM_DIGITS, _RANDOM_DIGITS),
    )
    return time + chance


def _written(number: int, digits: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text.rjust(digits, "0")


def job_folder(stem: str, job: str) -> str:
    """The job's folder in the outbox: `<stem>--<job>`; `stem` is the drop's name without extension."""
    return f"{safe_stem(stem, fallback='drop', max_bytes=FOLDER_BYTES)}--{job}"


def safe_stem(text: str, *, fallback: str, max_bytes: int = PICTURE_BYTES) -> str:
    """A name without extension that every file system takes, or `fallback` where nothing is left.

    NFC; letters, marks and numbers of all scripts and `. _ - ( ) +` stay, anything else becomes one
    hyphen; no reserved name, no dot or hyphen at either end, at most `max_bytes` (≥ 40) in UTF-8.
    A long name loses its middle, since indexes and variants stand at the end.
    """
    if _SAFE.fullmatch(text) and len(text) <= max_bytes:
        return text
    for candidate in (text, fallback):
        if stem := _cut(_mended(candidate), max_bytes):
            return _cut(f"_{stem}", max_bytes) if _reserved(stem) else stem
    return "unnamed"


def _mended(text: str) -> str:
    marked = "".join(map(_kept, unicodedata.normalize("NFC", text)))
    mended = unicodedata.normalize("NFC", _MENDED.sub("-", marked))
    return _bare(mended)


def _kept(char: str) -> str:
    """The character itself, nothing (invisible format characters, so no one can reorder a name), or NUL."""
    category = unicodedata.category(char)
    if char in _KEPT or category[0] in "LMN":
        return char
    return "" if category == "Cf" else "\0"


def _bare(text: str) -> str:
    """Without dots and hyphens at the ends, nor a mark that has no letter to stand on."""
    stripped = text.strip(".-")
    while stripped and unicodedata.category(stripped[0])[0] == "M":
        stripped = stripped[1:].lstrip(".-")
    return stripped


def _reserved(stem: str) -> bool:
    return bool(_RESERVED.fullmatch(unicodedata.normalize("NFKC", stem.partition(".")[0])))


def _cut(stem: str, max_bytes: int) -> str:
    raw = stem.encode()
    if len(raw) <= max_bytes:
        return stem
    head = raw[: max_bytes - _TAIL_BYTES - len(_CUT)].decode(errors="ignore")
    tail = raw[-_TAIL_BYTES:].decode(errors="ignore")
    return _bare(head.rstrip(".-") + _CUT + (_bare(tail) or "_"))


def assign_stems(
    rows: Iterable[tuple[int, Sequence[str]]],
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The names of all pictures of one job, safe and unique, in one pass over its rows.

    `rows`: row number and the rendered `filename` template for index 1, 2, … n. Given the rows in
    row order, the result depends on nothing else: a later row whose names meet an earlier row's
    (compared without case and form) gets `-r<row>` on all of them; a template without an index gets
    `-<index>` where a row has several pictures. Memory: about 16 bytes a picture.
    """
    taken = _Taken()
    for row, rendered in rows:
        yield row, _assigned(row, rendered, taken)


def _assigned(row: int, rendered: Sequence[str], taken: _Taken) -> tuple[str, ...]:
    stems = [safe_stem(text, fallback=f"row-{row}", max_bytes=_OWN_BYTES) for text in rendered]
    keys = list(map(_key, stems))
    if len(keys) > 1 and len(set(keys)) < len(keys):
        stems = [f"{stem}-{index}" for index, stem in enumerate(stems, start=1)]
        keys = list(map(_key, stems))
    plain = stems
    suffixes = chain((f"-r{row}",), (f"-r{row}-{more}" for more in count(2)))
    while any(map(taken.holds, keys)):
        suffix = next(suffixes)
        stems = [stem + suffix for stem in plain]
        keys = list(map(_key, stems))
    for key in keys:
        taken.add(key)
    return tuple(stems)


def kept_stems(stems: Sequence[str]) -> str:
    """The names of one row's pictures as one text, for the ledger."""
    return "/".join(stems)


def stem_at(kept: str, index: int) -> str:
    """The name of a row's picture `index` (from 1) in what `kept_stems` made."""
    return kept.split("/")[index - 1]


def _key(stem: str) -> int:
    """Equal for names that any file system may take for the same; equal by chance once in 2⁶⁴."""
    plain = stem.lower().encode() if stem.isascii() else _plain(stem)
    return int.from_bytes(blake2b(plain, digest_size=8).digest()) or 1


def _plain(stem: str) -> bytes:
    folded = unicodedata.normalize("NFKC", stem).upper().casefold()
    return unicodedata.normalize("NFKC", folded).encode()


class _Taken:
    """A set of 64-bit keys in 8 bytes a place (a `set` takes about 100 bytes a key): open addressing."""

    def __init__(self) -> None:
        self._places = array("Q", bytes(8 * 1024))
        self._count = 0

    def holds(self, key: int) -> bool:
        return self._places[self._place(key)] == key

    def add(self, key: int) -> None:
        if 3 * self._count > 2 * len(self._places):
            self._grow()
        place = self._place(key)
        self._count += not self._places[place]
        self._places[place] = key

    def _place(self, key: int) -> int:
        size = len(self._places)
        place = key % size
        while self._places[place] not in (0, key):
            place = (place + 1) % size
        return place

    def _grow(self) -> None:
        old, self._places, self._count = self._places, array("Q", bytes(16 * len(self._places))), 0
        for key in filter(None, old):
            self.add(key)


def picture_file(stem: str, real_format: str) -> str:
    """Where a picture stands in its job's folder; the extension tells what it really is."""
    return f"images/{stem}.{EXTENSIONS[real_format]}"


def thumbnail_file(file: str) -> str:
    """Where the thumbnail of the picture `images/<stem>.<extension>` stands."""
    stem = file.rpartition("/")[2].rpartition(".")[0]
    return f"thumbnails/{stem}.webp"


def metadata_file(file: str) -> str:
    """Where it is written down how the picture `images/<stem>.<extension>` came to be."""
    stem = file.rpartition("/")[2].rpartition(".")[0]
    return f"metadata/{stem}.json"


def rendition_file(file: str, channel: str, real_format: str) -> str:
    """Where the copy of the picture `images/<stem>.<extension>` for a channel, such as a size, stands."""
    stem = file.rpartition("/")[2].rpartition(".")[0]
    return f"renditions/{channel}/{stem}.{EXTENSIONS[real_format]}"


class TakenStems:
    """The names of a job's pictures, and further ones that are none of them."""

    def __init__(self, kept: Iterable[str]) -> None:
        self._taken = {_key(stem) for one in kept for stem in one.split("/")}

    def free(self, stem: str, row: int) -> str:
        """`stem`, safe, with the row's number and a count where others have it; from now on it is taken."""
        plain = safe_stem(stem, fallback=f"row-{row}", max_bytes=_OWN_BYTES)
        tails = chain(("", f"-r{row}"), (f"-r{row}-{more}" for more in count(2)))
        free = next(plain + tail for tail in tails if _key(plain + tail) not in self._taken)
        self._taken.add(_key(free))
        return free


def stems_taken(kept: Iterable[str]) -> TakenStems:
    """`kept`: what `kept_stems` made, of each row."""
    return TakenStems(kept)
