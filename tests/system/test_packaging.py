"""What is shipped: units, wheel, container files. The .deb is tried by `make test-deb`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.system.documents import ROOT, clean_environment

from watcher import __version__

UNITS = ("image-watcher.service", "image-watcher@.service")
CONTAINER = ROOT / "container"
BIN = Path(sys.executable).parent
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def _analyze(folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """systemd-analyze over a copy whose program exists; of a template, one instance."""
    text = (ROOT / "systemd" / name).read_text("utf-8")
    copy = folder / name.replace("@.", "@shop.")
    copy.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    command = ["systemd-analyze", *words, str(copy)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_understood_and_hardened(name: str, tmp_path: Path) -> None:
    """Systemd knows every line of it, and its exposure is 1.5 of 10 at most."""
    verified = _analyze(tmp_path, name, "verify")
    assert (verified.returncode, verified.stderr) == (0, "")
    secure = _analyze(tmp_path, name, "security", "--offline=yes", "--threshold=15")
    assert secure.returncode == 0, secure.stdout[-80:]


def test_the_template_is_the_unit_with_places_of_its_own() -> None:
    """An instance has its own settings, key, state and folders; all else is that of the one service."""
    one, many = ((ROOT / "systemd" / name).read_text("utf-8") for name in UNITS)
    plain = many.replace("/%i.yaml", "/watcher.yaml").replace("/%i.api-key", "/api-key")
    plain = plain.replace("/%i", "").replace(" %i", "")
    assert _orders(plain) == _orders(one)
    assert many.count("%i") >= 7


def _orders(unit: str) -> list[str]:
    return [line for line in unit.splitlines() if not line.startswith("#")]


def test_installed_it_is_found_by_its_name() -> None:
    """`make install` links the command to where shells, and sudo, look for it."""
    told = _run("make", "--dry-run", "install")
    assert "ln -sfn /opt/image-watcher/bin/image-watcher /usr/local/bin/image-watcher" in told


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(BIN / "python", "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (made,) = folder.glob("*.whl")
    return made


def _run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_has_every_file_of_the_program(wheel: Path) -> None:
    """Code, data, migrations, templates, scripts of the pages; nothing besides."""
    source = ROOT / "src/watcher"
    wanted = {
        f"watcher/{path.relative_to(source)}"
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == wanted
    assert {"watcher/core/data/catalogue.yaml", "watcher/web/templates/page.html"} <= names
    assert any(name.startswith("watcher/ledger/migrations/versions/") for name in names)


def test_a_wheel_installs_and_runs(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, beside the packages that are here, and nothing from this tree."""
    _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    _run(
        BIN / "python", "-m", "pip", "--python", python,
        "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=tmp_path,
    )  # fmt: skip
    site = next((tmp_path / "venv/lib").glob("python*/site-packages"))
    # Not as a .pth: the one of our own tree that lies there would be followed.
    environ = {**clean_environment(), "PYTHONPATH": f"{site}:{sysconfig.get_path('purelib')}"}
    for words, told in ((("--version",), __version__), (("config", "--json"), "inboxes")):
        done = subprocess.run(
            [tmp_path / "venv/bin/image-watcher", *words],
            cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, told in done.stdout) == (0, True), done.stdout + done.stderr
    where = "import watcher; print(watcher.__file__)"
    found = subprocess.run(
        [python, "-c", where], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(str(site))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a release is made of a commit")
def test_a_release_is_the_same_twice(tmp_path: Path) -> None:
    """Wheel, sdist and SBOM of a commit have the same bytes, whenever and wherever they are built."""
    for name in ("one", "two"):
        _run(ROOT / "packaging/release", BIN.parent, tmp_path / name)
    sums = (tmp_path / "one/SHA256SUMS").read_text()
    assert sums == (tmp_path / "two/SHA256SUMS").read_text()
    assert len(sums.splitlines()) == 3
    bill = json.loads((tmp_path / "one/image-watcher.cdx.json").read_text())
    named = {part["name"]: part["version"] for part in bill["components"]}
    locked = re.findall(r"^(\S+)==(\S+)", _read("requirements/runtime.txt"), re.MULTILINE)
    assert named == dict(locked)


def _read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_the_containerfile_says_what_is_promised() -> None:
    """A named base, an unprivileged user, a look at /healthz, volumes for what lasts."""
    text = _read("container/Containerfile").replace("\\\n", " ")
    orders = [line.split(None, 1) for line in text.splitlines() if line[:1].isalpha()]
    assert {word for word, _ in orders} <= {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    last = dict(orders)
    bases = [rest.split()[0] for word, rest in orders if word == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim-[a-z]+", base) for base in bases)
    assert last["USER"] == "image-watcher"
    assert "/healthz" in last["HEALTHCHECK"]
    compose = _compose()
    targets = {volume.split(":")[1] for volume in compose["volumes"]}
    assert set(json.loads(last["VOLUME"])) <= targets
    copied = [rest.split()[:-1] for word, rest in orders if word == "COPY" and "--from" not in rest]
    assert [one for many in copied for one in many if not (ROOT / one).exists()] == []


def test_the_compose_file_is_tight() -> None:
    """It builds our file, gives nothing away, waits for calls in flight and names what it declares."""
    whole = yaml.safe_load(_read("container/compose.yaml"))
    one = _compose()
    assert set(whole) == {"services", "secrets", "volumes"}
    assert (CONTAINER / one["build"]["context"] / one["build"]["dockerfile"]).is_file()
    assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
    assert all(port.startswith("127.0.0.1:") for port in one["ports"])
    assert set(one["secrets"]) == set(whole["secrets"])
    stop = re.search(
        r"^TimeoutStopSec=(\d+)$", _read("systemd/image-watcher.service"), re.MULTILINE
    )
    assert stop
    assert one["stop_grace_period"] == f"{stop[1]}s"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is missing")
def test_compose_understands_its_file() -> None:
    """As the program that will read it says; a word that it does not know would be refused."""
    command = [
        "docker-compose",
        "--file",
        str(ROOT / "container/compose.yaml"),
        "config",
        "--quiet",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def _compose() -> dict[str, Any]:
    whole = yaml.safe_load(_read("container/compose.yaml"))
    service: dict[str, Any] = whole["services"]["image-watcher"]
    return service


@pytest.mark.parametrize("name", ["container/watcher.yaml"])
def test_the_settings_of_the_container_load(name: str, tmp_path: Path) -> None:
    """What compose.yaml mounts and sets is understood, and asks for the volumes it has."""
    (tmp_path / "token").write_text("a" * 48)
    said = {
        key: value.replace("/run/secrets", str(tmp_path))
        for key, value in _compose()["environment"].items()
    }
    (tmp_path / "api-key").write_text("any")
    done = subprocess.run(
        [BIN / "image-watcher", "config", "--config", ROOT / name, "--json"],
        cwd=tmp_path, env={**clean_environment(), **said}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "/srv/image-watcher/inbox" in done.stdout
    assert "0.0.0.0:8765" in done.stdout
