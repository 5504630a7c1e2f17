"""From a file and an environment to settings that can be used, or every reason why they cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from watcher.core.errors import SettingsError
from watcher.core.masking import MASK
from watcher.core.profiles import load_profiles
from watcher.settings import yaml_file
from watcher.settings.findings import Finding, from_validation, unknown_key
from watcher.settings.inbox import Inbox
from watcher.settings.leaves import dotted, leaves
from watcher.settings.models import Settings
from watcher.settings.rules import broken
from watcher.settings.sources import Sources, gather
from watcher.settings.yaml_file import SettingsFile

LOCAL_FILE = Path("config/watcher.yaml")
SYSTEM_FILE = Path("/etc/image-watcher/watcher.yaml")
_SYSTEM_STATE = Path("/var/lib/image-watcher")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|DATABASE_URL|NOTIFY", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings that can be used. `sources`: dotted key → who said its value. `file`: None without one.

    `credential`: what the service that has this file is given as its key, for commands beside it.
    """

    settings: Settings
    sources: Mapping[str, str]
    file: Path | None = None
    credential: Path | None = None


def load(
    config: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    *,
    system_file: Path = SYSTEM_FILE,
) -> Loaded:
    """The settings of `config`, else of WATCHER_CONFIG, ./config/watcher.yaml, /etc/image-watcher.

    The environment wins over the file. A file beside `system_file` is a service's: its state is
    where the unit has it, where nobody says more. Relative paths in the result are relative to `cwd`, the
    folder that the daemon was started in. Raises `SettingsError` with every finding, one a line.
    """
    file = _settings_file(config, environ, cwd, system_file)
    state_dir, credential = _of_service(file.path, system_file)
    sources = gather(file, environ, state_dir=state_dir)
    settings, findings = _judge(sources.merged())
    if sources.of(("api", "base_url")) == "default":
        settings = _at_home(settings)
    findings += map(unknown_key, sources.unknown_names())
    settings = _absolute(settings, _from(cwd, environ.get("HOME", "")))
    findings += broken(settings, [finding.path for finding in findings])
    if findings:
        raise SettingsError(_sentences(findings, sources, environ))
    said = {dotted(path): sources.of(path) for path in leaves(settings)}
    return Loaded(settings=settings, sources=said, file=file.path, credential=credential)


def _of_service(file: Path | None, system_file: Path) -> tuple[Path | None, Path | None]:
    """State and key of the service whose settings these are, as the units in systemd/ have them."""
    if file is None or file.parent != system_file.parent:
        return None, None
    if file.name == system_file.name:
        return _SYSTEM_STATE, file.with_name("api-key")
    return _SYSTEM_STATE / file.stem, file.with_name(f"{file.stem}.api-key")


def _settings_file(
    config: Path | None, environ: Mapping[str, str], cwd: Path, system_file: Path
) -> SettingsFile:
    named = config or (Path(environ["WATCHER_CONFIG"]) if environ.get("WATCHER_CONFIG") else None)
    if named is not None:
        return yaml_file.read(cwd / named, str(named))
    for path in (LOCAL_FILE, system_file):
        if _is_there(cwd / path):
            return yaml_file.read(cwd / path, str(path))
    return SettingsFile()


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it will say what is in the way
    return True


def _judge(values: dict[str, Any]) -> tuple[Settings, list[Finding]]:
    """Settings from what is usable in `values`, and what is not.

    What is found wrong is left out and the rest judged again, so that one run tells everything.
    """
    # pydantic-settings has options of its own among a BaseSettings' arguments, so no stranger may pass.
    strangers = [key for key in values if key not in Settings.model_fields]
    findings = [unknown_key((key,)) for key in strangers]
    values = {key: value for key, value in values.items() if key not in strangers}
    while True:
        try:
            return Settings(**values), findings
        except ValidationError as error:
            findings += from_validation(error)
            usable = _without(values, [entry["loc"] for entry in error.errors()])
            values = usable if usable != values else {}


def _at_home(settings: Settings) -> Settings:
    """With the profile's own address: the default is OpenAI's, and nobody else's key may go there."""
    home = load_profiles()[settings.api.profile].default_base_url
    return settings.model_copy(update={"api": settings.api.model_copy(update={"base_url": home})})


def _without(values: dict[str, Any], wrong: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """`values` without the wrong ones; a list with something wrong in it goes as a whole."""
    for place in wrong:
        path = [part for part in place if part != "[key]"]
        whole = next((at for at, part in enumerate(path) if isinstance(part, int)), len(path))
        values = _cut(values, path[:whole])
    return values


def _cut(values: dict[str, Any], path: list[int | str]) -> dict[str, Any]:
    """`values` without what is at `path`, or without the nearest thing above that is there."""
    head, *rest = path
    inner = values.get(str(head))
    if rest and isinstance(inner, dict) and str(rest[0]) in inner:
        return {**values, str(head): _cut(inner, rest)}
    return {key: value for key, value in values.items() if key != head}


def _absolute(value: Any, at: Callable[[Path], Path]) -> Any:  # noqa: ANN401 - the same kind comes back
    """Settings, or anything in them, with every path made absolute by `at`."""
    if isinstance(value, Path):
        return at(value)
    if isinstance(value, BaseModel):
        parts = {name: _absolute(inner, at) for name, inner in value}
        if isinstance(value, Inbox) and "://" not in value.outbox:
            parts["outbox"] = str(at(value.outbox_folder))
        return value.model_copy(update=parts)
    if isinstance(value, tuple):
        return tuple(_absolute(inner, at) for inner in value)
    if isinstance(value, dict):
        return {key: _absolute(inner, at) for key, inner in value.items()}
    return value


def _from(cwd: Path, home: str) -> Callable[[Path], Path]:
    def at(path: Path) -> Path:
        """`path` from the folder we were started in, or from the home folder for `~/…`."""
        return Path(home, *path.parts[1:]) if home and path.parts[:1] == ("~",) else cwd / path

    return at


def _sentences(findings: Iterable[Finding], sources: Sources, environ: Mapping[str, str]) -> str:
    lines = [f"{finding.key}: {finding.text}{_place(finding, sources)}" for finding in findings]
    text = "\n".join(dict.fromkeys(lines))
    for name, value in environ.items():
        if _SECRET_NAME.search(name) and len(value) >= 6:  # noqa: PLR2004 - shorter hides words
            text = text.replace(value.strip(), MASK)
    return text


def _place(finding: Finding, sources: Sources) -> str:
    where = sources.where(finding.path)
    return f" ({where})" if where else ""
