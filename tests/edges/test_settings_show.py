"""Settings as they are shown, compared, shipped: effective YAML, schema, examples, the unit."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from watcher.cli import init
from watcher.daemon.ending import GRACE
from watcher.settings import (
    Changes,
    Settings,
    changes,
    effective_yaml,
    json_schema,
    load,
    schema_text,
)
from watcher.settings.leaves import leaves
from watcher.settings.load import Loaded
from watcher.settings.provider import Api

PROJECT = Path(__file__).parents[2]
UNIT = PROJECT / "systemd" / "image-watcher.service"


def settings_of(folder: Path, text: str) -> Settings:
    file = folder / "watcher.yaml"
    file.write_text(text)
    return load(file, {}, folder).settings


def test_effective_settings(tmp_path: Path) -> None:
    """Every key is there once, with its value and who said it."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/watcher.yaml").write_text("limits: {concurrency: 2}")
    environ = {"WATCHER_API__MODEL": "gpt-image-2"}
    loaded = load(None, environ, tmp_path, system_file=Path("none"))
    lines = [re.sub(" +", " ", line) for line in effective_yaml(loaded).splitlines()]
    assert " concurrency: 2 # config/watcher.yaml" in lines
    assert " model: gpt-image-2 # environment WATCHER_API__MODEL" in lines
    assert f" path: {tmp_path}/inbox # default" in lines
    shown = yaml.safe_load(effective_yaml(loaded))
    assert list(shown) == list(Settings.model_fields)
    assert set(shown["inboxes"]["products"]) == {p[2] for p in leaves(loaded.settings) if p[0] == "inboxes"} - {"api"}  # fmt: skip


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Alert addresses show their kind only, the database's its kind only, keys nothing."""
    plain = settings_of(tmp_path, "api: {organization: sk-abcdefghijkl}")
    secret = plain.model_validate(
        {
            **plain.model_dump(),
            "database_url": "postgresql+psycopg://ann:hunter2@db/iw",
            "notify": {"urls": ["slack://hunter2/x", "hunter2"]},
        }
    )
    said = dict.fromkeys((".".join(path) for path in leaves(secret)), "default")
    shown = effective_yaml(Loaded(settings=secret, sources=said))
    assert "hunter2" not in shown + repr(secret) + str(secret)
    parsed = yaml.safe_load(shown)
    assert parsed["database_url"] == "postgresql+psycopg://********"
    assert parsed["notify"]["urls"] == ["slack://********", "********"]
    assert parsed["api"]["organization"] == "********"


def test_schema_is_fresh() -> None:
    """The committed schema is the one of the settings; each key in it explains itself."""
    assert (PROJECT / "config/watcher.schema.json").read_text(encoding="utf-8") == schema_text()
    for definition in [json_schema(), *json_schema()["$defs"].values()]:
        if "properties" in definition:
            assert definition["additionalProperties"] is False
    keys = list(_described(json_schema()))
    assert [key for key, entry in keys if "description" not in entry and "$ref" not in entry] == []


def _described(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for definition in [schema, *schema["$defs"].values()]:
        yield from definition.get("properties", {}).items()


def test_example_is_valid() -> None:
    """The shipped example is accepted as it stands, changes no default, and names the schema."""
    file = PROJECT / "config/watcher.yaml"
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=watcher.schema.json"
    loaded = load(file, {}, PROJECT)
    assert loaded.settings == load(None, {}, PROJECT, system_file=Path("none")).settings
    assert (loaded.settings.api, list(loaded.settings.inboxes)) == (Api(), ["products"])


def test_commented_example_lines_are_valid(tmp_path: Path) -> None:
    """Every line that the example comments out is accepted when its comment sign is taken away."""
    text = (PROJECT / "config/watcher.yaml").read_text(encoding="utf-8")
    uncommented = re.sub(r"^(\s*)# ([a-z_]+: )", r"\1\2", text, flags=re.MULTILINE)
    settings = settings_of(tmp_path, uncommented.replace("./", "x/"))
    assert settings.api.key_file == Path("/etc/image-watcher/api-key")
    assert settings.inboxes["products"].prompt_suffix == ", on a plain background"
    assert settings.inboxes["products"].defaults == {"size": "1024x1024", "quality": "medium"}


def test_example_drops_are_plain() -> None:
    """The example drops ask for sizes and qualities that every current model takes."""
    examples = PROJECT / "config/examples"
    with (examples / "products.csv").open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    banners = json.loads((examples / "banners.json").read_text(encoding="utf-8"))
    rows += [{**banners["defaults"], **row} for row in banners["rows"]]
    _, matter, prompt = (examples / "mascot.prompt").read_text(encoding="utf-8").split("---\n")
    rows.append({**yaml.safe_load(matter), "prompt": prompt})
    assert len({row["name"] for row in rows}) == 8 + 4 + 1
    for row in rows:
        assert row["size"] in {"1024x1024", "1536x1024", "1024x1536"}
        assert row["quality"] in {"low", "medium"}
        assert len(row["prompt"]) > 40


def test_changes(tmp_path: Path) -> None:
    """A reload is told from a restart, key by key; an inbox that came or went is one key."""
    old = settings_of(tmp_path, "inboxes: {a: {path: a}, b: {path: b}}")
    new = settings_of(
        tmp_path,
        "limits: {concurrency: 9}\nweb: {listen: 127.0.0.1:1}\nstate_dir: other\n"
        "inboxes: {a: {path: a2, batch_size: 7, api: {model: m}}, c: {path: c}}",
    )
    assert changes(old, old) == Changes()
    assert changes(old, new) == Changes(
        reloadable=("inboxes.a.api.model", "inboxes.a.batch_size", "limits.concurrency"),
        restart_needed=("inboxes.a.path", "inboxes.b", "inboxes.c", "state_dir", "web.listen"),
    )


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def _analyze(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """systemd-analyze over a copy whose program exists."""
    copy = folder / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    copy.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    command = ["systemd-analyze", *words, str(copy)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_systemd
def test_unit_is_understood(tmp_path: Path) -> None:
    """Systemd knows every line of the unit."""
    done = _analyze(tmp_path, "verify")
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_unit_is_hardened(tmp_path: Path) -> None:
    """The unit's exposure is 1.5 of 10 at most."""
    done = _analyze(tmp_path, "security", "--offline=yes", "--threshold=15")
    assert done.returncode == 0, done.stdout[-80:]


@pytest.mark.parametrize(
    "unit",
    [
        UNIT.read_text("utf-8"),
        UNIT.with_name("image-watcher@.service").read_text("utf-8"),
        init._UNIT,
    ],
    ids=["service", "one of several", "init"],
)
def test_unit_waits_for_the_calls_in_flight(unit: str) -> None:
    """The service is given more time to stop than any call takes, whatever the settings say."""
    stop = re.search(r"^TimeoutStopSec=(\d+)$", unit, flags=re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) > GRACE + 30
