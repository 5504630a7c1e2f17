"""Values as the text of a spreadsheet cell that no spreadsheet runs as a formula.

Rule: https://owasp.org/www-community/attacks/CSV_Injection (`=` `+` `-` `@` tab CR LF and the
full-width forms; a `'` in front). Numbers stay numbers. `undefused` gives the author's text back.
"""

from __future__ import annotations

import json
import re

from watcher.core.jobs import Json

# Blanks before the sign do not help: some programs trim them. A `'` of the author's own before such
# a text is doubled, so that one can always be taken away again.
_RUNS = re.compile(r"'*(?:[\t\r\n]|[\s\x00-\x1f\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)


def cell(value: Json) -> str:
    """One value as the text of a cell: text as it is, lists and objects as JSON, nothing as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def defused(text: str) -> str:
    """The same text with a `'` in front where a spreadsheet would run it."""
    return f"'{text}" if _RUNS.match(text) and not _NUMBER.fullmatch(text) else text


def undefused(text: str) -> str:
    """What `defused` was given."""
    return text[1:] if text.startswith("'") and _RUNS.match(text) else text
