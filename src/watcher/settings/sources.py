"""Where settings are said: the file, the environment, and the hints of other programs.

The environment is a mapping that is passed in. It wins over the file, the file over the hints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from watcher.settings.leaves import KeyPath
from watcher.settings.models import Settings
from watcher.settings.yaml_file import SettingsFile

PREFIX = "WATCHER_"
# Names that begin like settings and are none: where the file is, and the key (see key.py).
NOT_SETTINGS = ("WATCHER_CONFIG", "WATCHER_API__KEY")
# What other programs say: common to workflows with image nodes, and systemd's StateDirectory=.
_STATE = ("state_dir",)
HINTS: Mapping[str, KeyPath] = {
    "IMAGE_API_ENDPOINT": ("api", "base_url"),
    "STATE_DIRECTORY": _STATE,
}


class _Environment(EnvSettingsSource):
    """pydantic-settings' reading of WATCHER_… names, from a mapping instead of the process."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = parse_env_vars(
            environ, self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str
        )

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401
        """What is not JSON stays text, so that it is found wrong together with everything else."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What was said, by whom. `names`: the environment's variables by the key that they set."""

    file: SettingsFile
    environment: dict[str, Any]
    hints: dict[str, Any]
    names: dict[KeyPath, str]
    hint_names: dict[KeyPath, str] = field(default_factory=dict)

    def merged(self) -> dict[str, Any]:
        return _over(self.environment, _over(self.file.values, self.hints))

    def unknown_names(self) -> list[KeyPath]:
        """Variables that begin with WATCHER_ and set nothing."""
        return [path for path in self.names if not _has(self.environment, path)]

    def of(self, path: KeyPath) -> str:
        """Who said the value at `path`, as `image-watcher config` shows it."""
        said = [f"environment {name}" for name in self._variables(path)]
        merges = isinstance(_at(self.environment, path), dict)
        if _has(self.file.values, path) and (merges or not said):
            said.insert(0, self.file.name)
        if not said and path in self.hint_names:
            said.append(self.hint_names[path])
        return ", ".join(said) or "default"

    def where(self, path: KeyPath) -> str:
        """The place to mend: the variable, or the line of the file; "" when it is a default."""
        for end in range(len(path), 0, -1):
            here = path[:end]
            if names := [self.names[here]] if here in self.names else self._variables(here):
                return f"environment {', '.join(names)}"
            if here in self.file.lines:
                return f"{self.file.name}, line {self.file.lines[here]}"
            if here in self.hint_names:
                return self.hint_names[here]
        return ""

    def _variables(self, path: KeyPath) -> list[str]:
        if not _has(self.environment, path):
            return []
        return [name for at, name in self.names.items() if _related(at, path)]


def gather(
    file: SettingsFile, environ: Mapping[str, str], *, state_dir: Path | None = None
) -> Sources:
    """Everything that was said, unjudged. `state_dir`: that of the service whose file this is."""
    ours = {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and name.upper() not in NOT_SETTINGS and value
    }
    hint_names = {path: name for name, path in HINTS.items() if environ.get(name)}
    hints = {path: environ[name] for path, name in hint_names.items()}
    if state_dir is not None and _STATE not in hints:
        hints[_STATE], hint_names[_STATE] = str(state_dir), "the unit of this service"
    return Sources(
        file=file,
        environment=_Environment(ours)(),
        hints=_nested(hints),
        names={tuple(name[len(PREFIX) :].lower().split("__")): name for name in ours},
        hint_names=hint_names,
    )


def _nested(values: Mapping[KeyPath, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in values.items():
        inner = found
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
    return found


def _over(upper: dict[str, Any], lower: dict[str, Any]) -> dict[str, Any]:
    """`lower` with `upper` laid over it: sections merge (also empty ones), the rest is replaced."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _over(value, below)
        elif value is not None or not isinstance(below, dict):
            merged[key] = value
    return merged


def _related(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _at(values: object, path: KeyPath) -> object:
    for part in path:
        values = values.get(part, _NOTHING) if isinstance(values, dict) else _NOTHING
    return values


def _has(values: object, path: KeyPath) -> bool:
    return _at(values, path) is not _NOTHING


_NOTHING = object()
