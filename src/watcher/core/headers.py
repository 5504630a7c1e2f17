"""Header names: what a person calls a column, matched without case, spaces, `_` and `-`."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=4096)  # a drop says the same few headers for each of its rows
def header_key(name: str) -> str:
    """What header names are matched by: "Output Format", "output-format" and "outputFormat" agree."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in folded if not char.isspace() and char not in "_-")


def is_result_column(name: str) -> bool:
    """Whether the column came from us, and so is never read: a results file can be dropped again."""
    return name.strip().casefold().startswith("result_")
