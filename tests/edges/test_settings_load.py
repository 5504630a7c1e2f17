"""Settings from a file and an environment: what is found, what wins, where a value came from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

import watcher
from watcher.core.errors import SettingsError
from watcher.core.masking import mask
from watcher.core.profiles import load_profiles
from watcher.settings import Loaded, effective_yaml, load

Load = Callable[..., Loaded]
NOWHERE = Path("/nonexistent/watcher.yaml")


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Settings of a YAML text (as ./config/watcher.yaml) and an environment, in a folder of their own."""

    def loaded(text: str = "", environ: Mapping[str, str] = {}) -> Loaded:
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "watcher.yaml").write_text(text)
        return load(None, environ, tmp_path, system_file=NOWHERE)

    return loaded


def test_nothing_said(tmp_path: Path) -> None:
    """Without a file and a word in the environment there is one inbox, and every default holds."""
    found = load(None, {}, tmp_path, system_file=NOWHERE)
    assert list(found.settings.inboxes) == ["products"]
    assert found.settings.inboxes["products"].path == tmp_path / "inbox"
    assert found.settings.inboxes["products"].outbox_folder == tmp_path / "outbox"
    assert found.settings.state_dir == tmp_path / "state"
    assert set(found.sources.values()) == {"default"}
    assert found.file is None


def test_defaults_to_the_letter(loaded: Load) -> None:
    """The defaults are the ones that the settings' contract names."""
    settings = loaded().settings
    inbox = settings.inboxes["products"]
    assert settings.api.base_url == "https://api.openai.com/v1"
    assert (settings.api.model, settings.api.edit_model, settings.api.analyze_model) == (
        "gpt-image-2.5-flare",
        "gpt-image-2.5-sunburst",
        "gpt-6-luna",
    )
    assert settings.api.timeouts.model_dump() == {
        "connect": 10,
        "low": 180,
        "medium": 360,
        "high": 600,
        "analyze": 120,
        "download": 60,
    }
    assert settings.api.retry.model_dump() == {
        "attempts": 4,
        "base": 2,
        "longest": 60,
        "ambiguous": 1,
    }
    assert (inbox.settle, inbox.poll_interval, inbox.rescan_interval) == (2, 5, 60)
    assert (inbox.batch_size, inbox.reuse_days, inbox.keep_done_days, inbox.keep_failed_days) == (
        5,
        30,
        30,
        90,
    )
    assert inbox.filename == "{{ name or row }}-{{ index }}"
    assert (settings.limits.concurrency, inbox.max_file_mb, inbox.max_rows) == (4, 100, 1_000_000)
    assert (settings.web.listen, settings.logs.format) == ("127.0.0.1:8765", "auto")


def test_search_order(tmp_path: Path) -> None:
    """--config wins over WATCHER_CONFIG, that over ./config/watcher.yaml, that over /etc."""

    def write(name: str) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"api: {{model: {file.stem}}}")
        return file

    system, asked, told = write("etc/system.yaml"), write("asked.yaml"), write("told.yaml")

    def model(config: Path | None, environ: Mapping[str, str]) -> str:
        return load(config, environ, tmp_path, system_file=system).settings.api.model

    found = [model(None, {})]
    write("config/watcher.yaml")
    found.append(model(None, {}))
    found.append(model(None, {"WATCHER_CONFIG": str(told)}))
    found.append(model(Path("asked.yaml"), {"WATCHER_CONFIG": str(told)}))
    assert found == ["system", "watcher", "told", "asked"]
    assert load(asked, {}, tmp_path).file == asked


def test_environment_wins(loaded: Load) -> None:
    """A WATCHER_ variable wins over the file, at any depth, and lists are written as JSON."""
    found = loaded(
        "limits: {concurrency: 2, images_per_minute: 5}\ninboxes: {cards: {path: c, ignore: [a]}}",
        {
            "WATCHER_LIMITS__CONCURRENCY": "8",
            "WATCHER_LIMITS__IMAGES_PER_MINUTE": "null",
            "WATCHER_INBOXES__CARDS__IGNORE": '["*.bak"]',
            "WATCHER_INBOXES__CARDS__RECURSIVE": "false",
            "WATCHER_API": '{"coercion": "strict"}',
        },
    )
    inbox = found.settings.inboxes["cards"]
    assert found.settings.limits.concurrency == 8
    assert found.settings.limits.images_per_minute is None
    assert (inbox.ignore, inbox.recursive, inbox.path.name) == (("*.bak",), False, "c")
    assert found.settings.api.coercion == "strict"


def test_environment_alone(loaded: Load) -> None:
    """No file is needed: the environment can name inboxes of its own."""
    settings = loaded(
        environ={
            "WATCHER_INBOXES__CARDS__PATH": "/srv/cards",
            "WATCHER_INBOXES__CARDS__DEFAULTS__SIZE": "1024x1024",
        }
    ).settings
    assert list(settings.inboxes) == ["cards"]
    assert settings.inboxes["cards"].path == Path("/srv/cards")
    assert settings.inboxes["cards"].defaults == {"size": "1024x1024"}


def test_empty_variables_say_nothing(loaded: Load) -> None:
    """A variable that is set to nothing, as compose files do, is not set."""
    assert loaded(environ={"WATCHER_API__MODEL": ""}).settings.api.model == "gpt-image-2.5-flare"


def test_only_the_given_environment(tmp_path: Path) -> None:
    """The process' own environment is never looked at: what is passed in is all there is."""
    code = (
        "from pathlib import Path; from watcher.settings import load;"
        "print(load(None, {}, Path.cwd(), system_file=Path('none')).settings.api.model)"
    )
    environ = {**os.environ, "WATCHER_API__MODEL": "stranger", "WATCHER_NONSENSE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environ, "PYTHONPATH": str(Path(watcher.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == "gpt-image-2.5-flare\n"


def test_sources(loaded: Load) -> None:
    """Every value says who said it, also where file and environment both add to one mapping."""
    sources = loaded(
        "api: {model: a}\ninboxes: {cards: {path: c, defaults: {size: 1024x1024}}}",
        {"WATCHER_API__EDIT_MODEL": "b", "WATCHER_INBOXES__CARDS__DEFAULTS__N": "2"},
    ).sources
    assert sources["api.model"] == "config/watcher.yaml"
    assert sources["api.edit_model"] == "environment WATCHER_API__EDIT_MODEL"
    assert sources["api.coercion"] == "default"
    assert (
        sources["inboxes.cards.defaults"]
        == "config/watcher.yaml, environment WATCHER_INBOXES__CARDS__DEFAULTS__N"
    )


def test_hints(loaded: Load) -> None:
    """IMAGE_API_ENDPOINT and systemd's STATE_DIRECTORY are heard where nobody said more."""
    hints = {
        "IMAGE_API_ENDPOINT": "http://127.0.0.1:9/v1/images/generations",
        "STATE_DIRECTORY": "/var/lib/iw",
    }
    heard = loaded(environ=hints)
    assert heard.settings.api.base_url == "http://127.0.0.1:9/v1/images/generations"
    assert heard.settings.state_dir == Path("/var/lib/iw")
    assert heard.sources["api.base_url"] == "IMAGE_API_ENDPOINT"
    assert loaded("api:\n", hints).settings.api.base_url == hints["IMAGE_API_ENDPOINT"]
    overruled = loaded("api: {base_url: http://other/v1}\nstate_dir: here", hints)
    assert overruled.settings.api.base_url == "http://other/v1"
    assert overruled.settings.state_dir.name == "here"


@pytest.mark.parametrize(
    ("name", "state", "key"),
    [
        ("watcher.yaml", "/var/lib/image-watcher", "api-key"),
        ("shop.yaml", "/var/lib/image-watcher/shop", "shop.api-key"),
    ],
)
def test_commands_beside_a_service_look_where_its_unit_puts_things(
    tmp_path: Path, name: str, state: str, key: str
) -> None:
    """By the place of the settings alone they find the state and the key; what somebody says wins, as in the unit."""
    system = tmp_path / "etc" / "watcher.yaml"
    system.parent.mkdir()
    (system.parent / name).write_text("")
    config = None if name == system.name else Path("etc", name)
    found = load(config, {}, tmp_path, system_file=system)
    assert str(found.settings.state_dir) == state
    assert found.sources["state_dir"] == "the unit of this service"
    assert found.credential == system.with_name(key)
    told = load(config, {"STATE_DIRECTORY": "/srv/state"}, tmp_path, system_file=system)
    assert str(told.settings.state_dir) == "/srv/state"
    for file in systemd_units():
        unit = file.read_text("utf-8").replace("%i", "shop")
        if f"/etc/image-watcher/{name}" in unit:
            assert f"StateDirectory={state.removeprefix('/var/lib/')}\n" in unit
            assert f"LoadCredential=api-key:/etc/image-watcher/{key}\n" in unit


def systemd_units() -> list[Path]:
    return list((Path(__file__).parents[2] / "systemd").glob("*.service"))


def test_paths(loaded: Load, tmp_path: Path) -> None:
    """Relative paths count from where we were started, `~/` from the home folder; all end absolute."""
    settings = loaded(
        "api: {key_file: key}\n"
        "inboxes: {a: {path: in, outbox: ~/out, assets: [/x, y], api: {key_file: own}}}",
        {"HOME": "/home/ann"},
    ).settings
    inbox = settings.inboxes["a"]
    assert settings.api.key_file == tmp_path / "key"
    assert inbox.path == tmp_path / "in"
    assert inbox.outbox == "/home/ann/out"
    assert inbox.assets == (Path("/x"), tmp_path / "y")
    assert inbox.api.key_file == tmp_path / "own"


def test_plain_words_stay_words(loaded: Load) -> None:
    """YAML's old traps are none: `on` is a key, `no` a word, 010 not eight; an empty section is one."""
    settings = loaded(
        "limits:\nnotify: {on: [paused]}\ninboxes: {a: {path: a, defaults: {moderation: no, name: 010}}}"
    ).settings
    assert settings.notify.on == ("paused",)
    assert settings.inboxes["a"].defaults == {"moderation": "no", "name": "010"}
    assert settings.limits.concurrency == 4


def test_profiles_have_addresses(loaded: Load) -> None:
    """Without an address a profile goes to its own server, never to OpenAI's."""
    assert loaded("api: {profile: ollama}").settings.api.base_url == "http://localhost:11434/v1"
    with pytest.raises(
        SettingsError, match=r"^api\.base_url: found nothing; the profile 'generic'"
    ):
        loaded("api: {profile: generic}")
    with pytest.raises(SettingsError, match=r"^inboxes\.a\.api\.base_url: found nothing"):
        loaded("inboxes: {a: {path: a, api: {profile: generic}}}")


def test_every_profile_can_be_set(loaded: Load) -> None:
    """The names that may be set are the profiles that are shipped."""
    for name in load_profiles():
        found = loaded(f"api: {{profile: {name}, base_url: http://h/v1}}")
        assert found.settings.api.profile == name


def test_own_api(loaded: Load) -> None:
    """An inbox's own API settings are laid over the common ones."""
    settings = loaded(
        "api: {model: common, edit_model: e}\n"
        "inboxes: {a: {path: a, api: {model: own}}, b: {path: b, api: {profile: ollama}}}"
    ).settings
    assert (settings.api_for("a").model, settings.api_for("a").edit_model) == ("own", "e")
    assert settings.api_for("a").base_url == settings.api.base_url
    assert settings.api_for("b").base_url == "http://localhost:11434/v1"
    assert settings.budget_for("a") is None


text_values = st.text(min_size=1, max_size=40).filter(
    lambda text: mask(text) == text and text != "null" and "\x00" not in text
)


@hypothesis.settings(deadline=None)
@given(prefix=text_values, defaults=st.dictionaries(st.text(max_size=8), text_values, max_size=3))
def test_effective_settings_can_be_read_back(
    tmp_path_factory: pytest.TempPathFactory, prefix: str, defaults: dict[str, str]
) -> None:
    """What `image-watcher config` prints always is a settings file that says the same."""
    folder = tmp_path_factory.mktemp("effective", numbered=True)
    settings = load(None, {}, folder, system_file=NOWHERE).settings
    inbox = settings.inboxes["products"].model_copy(
        update={"prompt_prefix": prefix, "defaults": {**defaults, "n": 2, "x": [0.5, None, True]}}
    )
    before = settings.model_copy(update={"inboxes": {"products": inbox}})
    sources = load(None, {}, folder, system_file=NOWHERE).sources
    file = folder / "effective.yaml"
    file.write_text(effective_yaml(Loaded(settings=before, sources=sources)), encoding="utf-8")
    assert load(file, {}, folder).settings == before
