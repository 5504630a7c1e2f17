"""Settings as people and editors get to see them: effective YAML with secrets masked, JSON Schema."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.json_schema import GenerateJsonSchema

from watcher.core.masking import mask, mask_address
from watcher.settings.leaves import KeyPath, dotted, leaves
from watcher.settings.load import Loaded
from watcher.settings.models import Settings


def effective_yaml(loaded: Loaded) -> str:
    """Every setting with its value and, as a comment, who said it. Secrets are masked."""
    lines = list(_lines(loaded))
    width = min(60, max(len(line) for line, _ in lines))
    return "".join(
        f"{line:<{width}}  # {source}\n" if source else f"{line}\n" for line, source in lines
    )


def effective(loaded: Loaded) -> dict[str, Any]:
    """The same as values: by dotted key, what holds and who said it (`from`)."""
    return {
        dotted(path): {"value": _plain(path, value), "from": loaded.sources[dotted(path)]}
        for path, value in leaves(loaded.settings).items()
        if not (_of_its_own(path) and value is None)
    }


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the settings file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Settings.model_json_schema(schema_generator=_Untitled),
    }


def schema_text() -> str:
    """`json_schema` as `config/watcher.schema.json` holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


class _Untitled(GenerateJsonSchema):
    """Without a title for each key: it would only be the key again."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


def _lines(loaded: Loaded) -> Iterator[tuple[str, str]]:
    above: KeyPath = ()
    for path, value in leaves(loaded.settings).items():
        if _of_its_own(path) and value is None:
            continue  # an inbox shows only what it has of its own
        yield from ((line, "") for line in _sections(above, path))
        text = f"{'  ' * (len(path) - 1)}{_inline(path[-1])}: {_inline(_plain(path, value))}"
        yield text, loaded.sources[dotted(path)].replace("\n", " ")
        above = path[:-1]


def _sections(above: KeyPath, path: KeyPath) -> Iterator[str]:
    """The section lines between the last key and this one."""
    for depth in range(len(path) - 1):
        if above[: depth + 1] != path[: depth + 1]:
            yield f"{'  ' * depth}{_inline(path[depth])}:"


def _of_its_own(path: KeyPath) -> bool:
    return path[0] == "inboxes" and path[2] == "api"


def _plain(path: KeyPath, value: object) -> object:
    """A value as YAML knows it, without its secrets."""
    if isinstance(value, SecretStr):
        return mask_address(value.get_secret_value())
    if isinstance(value, BaseModel):
        return {key: _plain(path, inner) for key, inner in value if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(path, inner) for inner in value]
    if isinstance(value, dict):
        return {mask(key): _plain(path, inner) for key, inner in value.items()}
    if isinstance(value, Decimal | float):
        return int(value) if value == int(value) else float(value)
    return mask(str(value)) if isinstance(value, str | Path) else value


def _inline(value: object) -> str:
    """A value on one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)}: {_inner(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inner, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if not value.isprintable():
        return _quoted(value)
    text: str = yaml.safe_dump(value, width=math.inf, allow_unicode=True)
    return text.removesuffix("...\n").rstrip("\n")


def _inner(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else _inline(value)


def _quoted(text: str) -> str:
    """In double quotes, which can stand anywhere and escape everything that cannot be seen."""
    seen = text.isprintable()
    dumped: str = yaml.safe_dump(text, default_style='"', width=math.inf, allow_unicode=seen)
    return dumped.rstrip("\n")
