# noqa: INP001 - a program of its own, run by `make docs`
"""Writes docs/settings.md and config/watcher.schema.json from the settings' own classes, so that neither lies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from watcher.settings.changes import RESTART
from watcher.settings.not_yet import NOT_YET
from watcher.settings.show import json_schema, schema_text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "settings.md"
SCHEMA = ROOT / "config" / "watcher.schema.json"
INTRO = """\
# Settings

This page is made from the code by `make docs`; do not correct it by hand.

**Where they are said.** One YAML file: the one of `--config`, else of the variable `WATCHER_CONFIG`, else
`./config/watcher.yaml`, else `/etc/image-watcher/watcher.yaml`. Every value can come from the environment instead,
which wins: `WATCHER_` and the key, with `__` between levels, so `WATCHER_API__BASE_URL` sets `api.base_url` and
`WATCHER_INBOXES__PRODUCTS__PATH` the path of the inbox `products`. Lists and mappings are written as JSON there. No
file is needed where the environment says enough. Relative paths start at the folder that image-watcher is started in.

**How they are checked.** Unknown keys, wrong types and combinations that cannot work are refused at start, all of them at
once, each with its place, what was found and what is allowed. `image-watcher config` prints what is in force, secrets
masked, and who said it. `config/watcher.schema.json` lets an editor complete the file: begin it with
`# yaml-language-server: $schema=watcher.schema.json`.

**The key of the API** is no setting and never stands in the file. It is looked for in this order: the file that
`api.key_file` names, `WATCHER_API__KEY`, `OPENAI_API_KEY`, the systemd credential `api-key`. A key that comes or changes
while the daemon runs is noticed within seconds.

**Changing them.** A saved file, or SIGHUP, puts changes into force. Keys marked ↻ are the exception: they need a restart,
and the log says so. Keys marked ◌ are named already and do nothing yet: using one is refused at start.
"""


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")


def page() -> str:
    """The whole of docs/settings.md."""
    schema = json_schema()
    sections = {"": schema, **schema["$defs"]}
    parts = [INTRO]
    for name, heading, prefix in _outline(schema, sections):
        rows = [_row(prefix, key, value) for key, value in sections[name]["properties"].items()]
        table = [row for row in rows if row]
        if table:
            about = sections[name].get("description", "") if name else "What stands in no section."
            if later := _purpose(prefix.removesuffix(".")):
                about = f"◌ Not in this version ({later}). {about}"
            head = ["| key | default | what |", "|---|---|---|"]
            parts.append("\n".join([f"## {heading}", "", about, "", *head, *table, ""]))
    return "\n".join(parts)


def _outline(schema: Mapping[str, Any], sections: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """(section, its heading, the prefix of its keys), each as deep as people write it."""
    yield "", "At the top", ""
    for key, value in schema["properties"].items():
        name, below = _section(value), f"{key}."
        if key == "inboxes":
            name, below = "Inbox", "inboxes.NAME."
        if name:
            yield from _nested(name, below, sections)


def _nested(name: str, prefix: str, sections: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield name, f"`{prefix.removesuffix('.')}`", prefix
    for key, value in sections[name]["properties"].items():
        if inner := _section(value):
            yield from _nested(inner, f"{prefix}{key}.", sections)


def _section(value: Mapping[str, Any]) -> str:
    """The name of the section that a key holds; "" for a plain value."""
    found = [value, value.get("items", {}), *value.get("anyOf", ())]
    references = (one["$ref"] for one in found if "$ref" in one)
    return next((ref.rpartition("/")[2] for ref in references), "")


def _row(prefix: str, key: str, value: Mapping[str, Any]) -> str:
    """One line of a table; "" for a section that has a table of its own and nothing else to say."""
    if _section(value) and not value.get("description"):
        return ""
    if prefix == "" and key == "inboxes":
        return ""
    path = f"{prefix}{key}"
    default = _default(value)
    about = value.get("description", "")
    allowed = [str(one) for one in value.get("enum", ())]
    if allowed and not all(one in about for one in allowed):
        about = f"{', '.join(f'`{one}`' for one in allowed)}: {about}"
    return f"| `{key}`{_marks(path)} | {default} | {_cell(about)}{_later(path)} |"


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value:
        return "" if value.get("type") != "object" else "`{}`"
    default = value["default"]
    if _section(value) and default:
        return ""
    return f"`{_cell(json.dumps(default, ensure_ascii=False))}`"


def _marks(path: str) -> str:
    restart = any(fnmatchcase(path, pattern) for pattern in RESTART)
    return "".join((" ↻" if restart else "", " ◌" if _later(path) else ""))


def _later(path: str) -> str:
    """What a key is kept for; told once, of the highest key that it holds for."""
    purpose = _purpose(path)
    above = _purpose(path.rpartition(".")[0])
    return f" (not in this version: {purpose})" if purpose and not above else ""


def _purpose(path: str) -> str:
    if path == "inboxes.NAME.outbox":
        return ""  # folders are served; only other places are not
    parts = path.split(".")
    for key, purpose in NOT_YET.items():
        wanted = key.split(".")
        if len(parts) >= len(wanted) and all(
            one in ("*", part) for one, part in zip(wanted, parts, strict=False)
        ):
            return purpose
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
