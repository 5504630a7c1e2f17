"""What is wrong with the settings, in words: key, what was found, what is allowed.

pydantic's own text is never passed on: it repeats what it was given, and that may be a key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from watcher.core.masking import mask
from watcher.settings.leaves import KeyPath, dotted
from watcher.settings.models import Settings
from watcher.settings.values import Section

KEY_ELSEWHERE = (
    "a key never stands in the settings; allowed: its own file, named in `api.key_file`, "
    "or the environment variable WATCHER_API__KEY"
)
_LIST = 'a list (in the environment as JSON: ["a", "b"])'
_ALLOWED = {
    "string_type": "text (a number in quotes)",
    "string_too_short": "text that is not empty",
    "string_too_long": "{max_length} characters at most",
    "string_pattern_mismatch": "small letters, digits, - and _, with a letter or digit first",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "path_type": "a path",
    "literal_error": "{expected}",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}
_ALLOWED_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "finite": "a number",
    "bool": "true or false",
}
_SECRET_KEYS = frozenset({"database_url", "urls", "notify"})
_KEY_NAMES = frozenset({"key", "apikey", "openaiapikey", "bearer", "bearertoken", "secret"})
_OPAQUE = re.compile(r"[^\s./:,]{16,}")
_PLAIN_WORD = re.compile(r"[a-z]{1,12}(?:_[a-z]{1,12})*")  # as our own keys are
_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. `path` leads to its key, `other` to the one it cannot go with."""

    path: KeyPath
    text: str
    other: KeyPath = ()

    @property
    def key(self) -> str:
        return dotted(tuple(part if _harmless(part) else "…" for part in self.path))


def found(value: object, path: KeyPath = ()) -> str:
    """A value as a message may show it: never one that may be secret."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    if _SECRET_KEYS.intersection([part for part in path if not part.isdecimal()][-1:]):
        return "a value that is not shown"
    if isinstance(value, int | float):
        return str(value).lower()
    return shown(str(value))


def shown(text: str) -> str:
    """The text in quotes, or its length where it may be a key or is too long to read."""
    return f"'{text}'" if _harmless(text) else f"text of {len(text)} characters"


def _harmless(text: str) -> bool:
    if _PLAIN_WORD.fullmatch(text):
        return True
    secret = mask(text) != text or _OPAQUE.search(text)
    return not secret and len(text) <= _SHOWN and text.isprintable()


def from_validation(error: ValidationError) -> list[Finding]:
    """Findings of pydantic in our words."""
    return [_in_words(entry) for entry in error.errors(include_url=False)]


def unknown_key(path: KeyPath) -> Finding:
    """A key that does not exist, with the one that was perhaps meant."""
    return Finding(path=path, text=_unknown(path))


def _in_words(entry: Mapping[str, Any]) -> Finding:
    path = tuple(str(part) for part in entry["loc"] if part != "[key]")
    kind = entry["type"]
    if kind == "extra_forbidden":
        return unknown_key(path)
    if kind == "missing":
        return Finding(path=path, text="found nothing; it must be said")
    value = path[-1] if "[key]" in entry["loc"] else entry["input"]
    return Finding(path=path, text=f"found {found(value, path)}; allowed: {_allowed(entry)}")


def _allowed(entry: Mapping[str, Any]) -> str:
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "value_error":  # raised by our own validators: the text says what is allowed
        return str(context["error"])
    if kind in _ALLOWED:
        return _ALLOWED[kind].format(**context)
    return _ALLOWED_KINDS.get(kind.partition("_")[0], "another kind of value")


def _unknown(path: KeyPath) -> str:
    name = path[-1].lower().replace("-", "_")
    siblings = sorted(_fields(path[:-1]))
    if name.replace("_", "") in _KEY_NAMES:
        return f"unknown key; {KEY_ELSEWHERE}"
    if close := difflib.get_close_matches(name, siblings, n=1):
        return f"unknown key; did you mean `{close[0]}`?"
    if elsewhere := [key for key in _known_keys(Settings) if key.rpartition(".")[2] == name]:
        return f"unknown key; did you mean `{elsewhere[0]}`?"
    if below := [group for group in siblings if name in _fields((*path[:-1], group))]:
        return f"unknown key; did you mean `{below[0]}.{name}`?"
    if not siblings:
        return f"unknown key; `{dotted(path[:-1])}` has no keys below it"
    return f"unknown key; allowed: {', '.join(siblings)}"


def _fields(path: KeyPath) -> set[str]:
    """The names that are allowed below `path`."""
    model: type[BaseModel] = Settings
    for part in path:
        if field := model.model_fields.get(part):
            model = _model_of(field.annotation) or Section
        # else the name of an inbox, or a place in a list: the model stays
    return set(model.model_fields)


def _known_keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner is None:
            yield f"{above}{name}"
        else:
            yield from _known_keys(inner, f"{above}{name}." + ("*." if name == "inboxes" else ""))


def _model_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The section in an annotation such as `dict[str, Inbox]` or `Images | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_of, get_args(annotation))), None)
