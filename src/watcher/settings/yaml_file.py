"""A settings file as plain values, and the line of each key.

YAML 1.2's plain scalars (`no` and `on` are text, 010 is not eight), no key twice, no aliases, no
tags. Errors say where, and never repeat what stands there: it may be a key.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from watcher.core.errors import SettingsError

MAX_BYTES = 1024 * 1024
Lines = dict[tuple[str, ...], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """`values` as they stand in the file; `lines`: the line of each key, counted from 1."""

    name: str = ""
    path: Path | None = None
    values: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=dict)


def read(path: Path, name: str) -> SettingsFile:
    """The file at `path`, called `name` in messages. Raises `SettingsError`."""
    lines: Lines = {}
    try:
        values = _plain(_Loader(_text(path, name)).get_single_node(), (), lines)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(name, error) from None
    except yaml.YAMLError:
        raise SettingsError(f"{name}: a character in it is not allowed in YAML.") from None
    except RecursionError:
        raise SettingsError(f"{name}: too deeply nested.") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise SettingsError(f"{name}: found no sections; allowed: sections such as `api:`.")
    return SettingsFile(name=name, path=path, values=values, lines=lines)


def _text(path: Path, name: str) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{name}: not a regular file.", "Name a YAML file.")
        if status.st_mode & stat.S_IWOTH:
            raise SettingsError(
                f"{name}: every user of this machine may change it.", f"Run: chmod o-w {path}"
            )
        if status.st_size > MAX_BYTES:
            raise SettingsError(f"{name}: larger than 1 MiB.", "Is it the right file?")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{name}: not UTF-8 at byte {error.start}.", "Save it as UTF-8."
        ) from None
    except FileNotFoundError:
        raise SettingsError(f"{name}: there is no such file.", "Check the path.") from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise SettingsError(f"{name}: {reason}.", "Check the path and its permissions.") from None


class _Loader(yaml.BaseLoader):
    """PyYAML's reader and parser, with YAML 1.2's plain scalars and without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not used here", mark)
        return super().compose_node(parent, index)


_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    "int": (r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789", int),
    "float": (
        r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]+(?:[eE][-+][0-9]{1,3})?",
        "-+0123456789",
        float,
    ),
    "null": (r"~|null|Null|NULL|", "~nN", lambda _: None),
}
for _name, (_pattern, _first, _) in _SCALARS.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), [*_first, ""])


def _plain(node: yaml.Node | None, path: tuple[str, ...], lines: Lines) -> Any:  # noqa: ANN401
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, (*path, str(at)), lines) for at, child in enumerate(node.value)]
    return None if node is None else _scalar(node)


def _scalar(node: yaml.Node) -> Any:  # noqa: ANN401
    name = node.tag.removeprefix(_TAG)
    if name in ("str", "!"):
        return node.value
    pattern, _, construct = _SCALARS.get(name, ("(?!)", "", str))
    if not re.fullmatch(pattern, node.value):
        raise yaml.MarkedYAMLError(None, None, "tags (!name) are not used here", node.start_mark)
    return construct(node.value)


def _mapping(node: yaml.MappingNode, path: tuple[str, ...], lines: Lines) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        mark = key_node.start_mark
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(None, None, "a key must be a plain word", mark)
        key = str(key_node.value)
        if key in found:
            raise yaml.MarkedYAMLError(None, None, "this key is there twice", mark)
        lines[*path, key] = mark.line + 1
        found[key] = _plain(value_node, (*path, key), lines)
    return found


def _syntax_error(name: str, error: yaml.MarkedYAMLError) -> SettingsError:
    mark = error.problem_mark or error.context_mark
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = re.sub(r"'[^']*'|'.*", _unquoted, error.problem or "not YAML")
    hint = (
        "Indent with spaces, not tabs." if r"'\t'" in problem else "Look at it and the line above."
    )
    return SettingsError(f"{name}{where}: {problem}.", hint)


def _unquoted(match: re.Match[str]) -> str:
    """What the parser quotes is taken from the file, but for single characters and its own <words>."""
    harmless = re.fullmatch(r"'(?:\\?.|<[a-z ]+>)'", match[0])
    return match[0] if harmless else "…"
