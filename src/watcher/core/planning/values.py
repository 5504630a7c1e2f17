"""What people write into cells, read as numbers, sizes, words and references to pictures.

Reading is not mending: spaces at the ends, the case of letters and "1" for 1 carry no meaning in a
table. Each reader answers None for what it cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from watcher.core.jobs import Json

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}")
_WHOLE = re.compile(r"([+-]?[0-9]{1,15})[.,]0{1,15}")
_DECIMAL = re.compile(
    r"[+-]?([0-9]{1,15}\.[0-9]{0,15}|\.[0-9]{1,15})(e[+-]?[0-9]{1,2})?", re.IGNORECASE
)
_SIZE = re.compile(r"([0-9]{1,6})\s*[x×✕*]\s*([0-9]{1,6})(\s*(px|pixels?))?")
_TRUTHS = {
    **dict.fromkeys(("yes", "y", "true", "1", "on"), True),
    **dict.fromkeys(("no", "n", "false", "0", "off"), False),
}
_SHOWN = 60  # characters of a value that a sentence quotes
_LARGEST_NAME = 10**40  # article numbers can be long
_LARGEST = 2**53  # beyond it, JSON readers disagree about whole numbers

_DATA_URL = re.compile(r"(data:[^,;\s]*(?:;[^,;\s]*)*,[^,;\s]*)", re.IGNORECASE)
_URL = re.compile(r"(https?://|data:)", re.IGNORECASE)
_PICTURE = re.compile(
    r"\S.*\.(png|jpe?g|webp|gif|bmp|tiff?|avif|heic|heif|svg)|(https?://|data:)\S+", re.IGNORECASE
)


def is_blank(value: Json) -> bool:
    """Whether a cell says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def shown(value: Json) -> str:
    """A value as a sentence quotes it: short, on one line, whatever it is."""
    if isinstance(value, str):
        line = " ".join(value.split())
        return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _LARGEST else "a very large number"
    if isinstance(value, float):
        return f"{value:g}"
    return "nothing" if value is None else "a list" if isinstance(value, Sequence) else "a group"


def as_text(value: Json) -> str | None:
    """Text, or a number as people write it (the 3.0 of a spreadsheet is 3); ends stripped."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST else str(value)
    return str(value) if abs(value) < _LARGEST_NAME else None


def as_word(value: Json) -> str | None:
    """Text in lower case: a value out of a list of words."""
    text = as_text(value)
    return None if text is None else text.casefold()


def as_integer(value: Json) -> int | None:
    """A whole number, also written as "2", "2.0" or 2.0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < _LARGEST else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _LARGEST else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    whole = _WHOLE.fullmatch(text)
    return int(whole[1] if whole else text) if whole or _INTEGER.fullmatch(text) else None


def as_truth(value: Json) -> bool | None:
    """Yes or no, in English or as a digit."""
    return value if isinstance(value, bool) else _TRUTHS.get(as_word(value) or "")


def as_size(value: Json) -> str | None:
    """The size 1024x768 out of "1024 × 768", "1024*768px" and the like; "auto"; 512 is a square."""
    side = as_integer(value)
    if side is not None:
        return f"{side}x{side}" if side > 0 else None
    text = as_word(value)
    if text is None or text == "auto":
        return text
    found = _SIZE.fullmatch(text)
    return f"{int(found[1])}x{int(found[2])}" if found else None


def as_parameter(value: Json) -> Json:
    """A value for a server's own parameter: text that looks like a number or truth becomes one."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return {"true": True, "false": False}.get(text.casefold(), text)


def as_references(value: Json) -> tuple[str, ...] | None:
    """The pictures that a cell names: a list, or text with `;`, newlines or clear commas between.

    Data URLs, which hold both signs, are kept whole. A comma is clear when everything between
    commas looks like a picture, and is none of a URL's own.
    """
    if isinstance(value, str):
        return tuple(chain.from_iterable(map(_split, _DATA_URL.split(value))))
    if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        return None
    return tuple(each.strip() for each in value if isinstance(each, str) and each.strip())


def _split(text: str) -> list[str]:
    if _DATA_URL.fullmatch(text):
        return [text]
    lines = (line.strip() for line in re.split(r"[;\r\n]", text))
    named = chain.from_iterable(_split_at_commas(line) for line in lines)
    return [name for name in named if name]


def _split_at_commas(line: str) -> list[str]:
    parts = [part.strip() for part in line.strip(",").split(",")]
    urls = sum(_URL.match(part) is not None for part in parts)
    spaced = ", " in line and not re.search(r",\S", line.strip(","))
    if urls not in (0, len(parts)) and not spaced:
        return [line]
    return parts if all(map(_PICTURE.fullmatch, parts)) else [line]
