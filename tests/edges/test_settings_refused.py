"""Settings that cannot be used: all findings at once, in words, without a secret in any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watcher.core.errors import SettingsError
from watcher.settings import effective_yaml, load
from watcher.settings.leaves import dotted, leaves
from watcher.settings.models import Settings
from watcher.settings.not_yet import NOT_YET

Refused = Callable[..., list[str]]
NOWHERE = Path("/nonexistent/watcher.yaml")


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """The findings on a YAML text and an environment."""

    def refused(text: str, environ: Mapping[str, str] = {}) -> list[str]:
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "watcher.yaml").write_text(text)
        with pytest.raises(SettingsError) as caught:
            load(None, environ, tmp_path, system_file=NOWHERE)
        return str(caught.value).replace(str(tmp_path), "HERE").splitlines()

    return refused


def test_all_findings_at_once(refused: Refused) -> None:
    """Each finding is one line: the key, what was found, what is allowed, and where it stands."""
    text = """\
api: {profil: openai, base_url: api.openai.com/v1, timeouts: {low: fast, high: -1}}
model: x
limits: {concurrency: yes}
inboxes:
  a: {path: in, priority: urgent, filename: "{{ name"}
  Bad Name: {path: in2}
  b: {path: ./in/}
logs: {level: 3}
"""
    environ = {"WATCHER_LOGS__FORMAT": "xml", "WATCHER_SPEED": "9", "WATCHER_ENGINE__X": "1"}
    expected = """\
model: unknown key; did you mean `api.model`? (config/watcher.yaml, line 2)
api.base_url: found 'api.openai.com/v1'; allowed: an http:// or https:// address (config/watcher.yaml, line 1)
api.timeouts.low: found 'fast'; allowed: a number (config/watcher.yaml, line 1)
api.timeouts.high: found -1; allowed: more than 0 (config/watcher.yaml, line 1)
api.profil: unknown key; did you mean `profile`? (config/watcher.yaml, line 1)
limits.concurrency: found 'yes'; allowed: a whole number (config/watcher.yaml, line 3)
inboxes.a.filename: found '{{ name'; allowed: a template that can be read (Line 1 of the template: unexpected end of template, expected 'end of print statement'.) (config/watcher.yaml, line 5)
inboxes.a.priority: found 'urgent'; allowed: 'high', 'normal' or 'low' (config/watcher.yaml, line 5)
inboxes.Bad Name: found 'Bad Name'; allowed: small letters, digits, - and _, with a letter or digit first (config/watcher.yaml, line 6)
logs.level: found 3; allowed: 'debug', 'info', 'warning' or 'error' (config/watcher.yaml, line 8)
logs.format: found 'xml'; allowed: 'auto', 'console' or 'json' (environment WATCHER_LOGS__FORMAT)
speed: unknown key; allowed: api, budget, database_url, disk, engine, inboxes, limits, logs, notify, schedules, state_dir, web (environment WATCHER_SPEED)
engine.x: unknown key; `engine` has no keys below it (environment WATCHER_ENGINE__X)
inboxes.b.path: found 'HERE/in', which is the same folder as `inboxes.a.path` ('HERE/in'); allowed: a folder outside every other inbox (config/watcher.yaml, line 7)
"""
    assert refused(text, environ) == expected.splitlines()


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("limits: {concurrency: true}", "limits.concurrency: found true; allowed: a number"),
        ("limits: {concurrency: 0}", "limits.concurrency: found 0; allowed: 1 or more"),
        ("limits: {concurrency: 1.5}", "limits.concurrency: found 1.5; allowed: a whole number"),
        ("limits: [1]", "limits: found a list; allowed: a mapping of keys to values"),
        ("inboxes: {}", "inboxes: found none; allowed: at least one inbox"),
        ("inboxes:", "inboxes: found nothing; allowed: a mapping of keys to values"),
        ("inboxes: {a: 5}", "inboxes.a: found 5; allowed: a mapping of keys to values"),
        ("inboxes: {a: {settle: 0}}", "inboxes.a.settle: found 0; allowed: more than 0"),
        ("inboxes: {a: {settle: .inf}}", "inboxes.a.settle: found '.inf'; allowed: a number"),
        ("inboxes: {a: {ignore: x}}", "inboxes.a.ignore: found 'x'; allowed: a list (in the"),
        ("inboxes: {a: {path: 7}}", "inboxes.a.path: found 7; allowed: a path"),
        (
            "inboxes: {a: {defaults: {n: {}}}}",
            "inboxes.a.defaults: found a mapping; allowed: column",
        ),
        ("inboxes: {a: {aliases: {'': n}}}", "inboxes.a.aliases: found a mapping; allowed: header"),
        ("api: {model: ''}", "api.model: found ''; allowed: text that is not empty"),
        ("api: {retry: {base: 90}}", "api.retry.longest: found 60; allowed: `api.retry.base` (90)"),
        ("web: {listen: 'nine'}", "web.listen: found 'nine'; allowed: address:port"),
        (
            "web: {listen: '[::]:80'}",
            "web.listen: found the public address '[::]:80' without a tok",
        ),
        (
            "web: {listen: 'host:80'}",
            "web.listen: found the public address 'host:80' without a tok",
        ),
        (
            "inboxes: {a: {checks: {vision: warn}, api: {profile: sdcpp}}}",
            "inboxes.a.checks.vision: found 'warn', and the profile 'sdcpp' does not look at pictures",
        ),
        ("schedules: [{name: a}]", "schedules.0.cron: found nothing; it must be said"),
        ("retries: 3", "retries: unknown key; allowed: api, budget"),
        ("concurrency: 3", "concurrency: unknown key; did you mean `limits.concurrency`?"),
        ("outbox: x", "outbox: unknown key; did you mean `inboxes.*.outbox`?"),
        (
            "inboxes: {a: {budget: {usd_per_day: 1}}}",
            "inboxes.a.budget: unknown key; did you mean `api.budget`?",
        ),
        ("_env_file: /etc/passwd", "_env_file: unknown key; allowed: api"),
    ],
)
def test_one_finding(refused: Refused, text: str, finding: str) -> None:
    """A wrong value, a wrong type, a wrong place: each is told in the same form."""
    assert refused(text)[0].startswith(finding)


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.8.0.1:1", "[::1]:8765", "localhost:0"])
def test_loopback_needs_no_token(tmp_path: Path, listen: str) -> None:
    """A page that only this machine reaches needs no token; a public one with a token is taken too."""
    local = {"WATCHER_WEB__LISTEN": listen}
    public = {"WATCHER_WEB__LISTEN": "0.0.0.0:80", "WATCHER_WEB__TOKEN_FILE": "token"}
    for environ in (local, public):
        settings = load(None, environ, tmp_path, system_file=NOWHERE).settings
        assert settings.web.listen == environ["WATCHER_WEB__LISTEN"]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("inboxes: {a: {path: in, outbox: in}}", ["inboxes.a.outbox"]),
        ("inboxes: {a: {path: in, outbox: in/../in/out}}", ["inboxes.a.outbox"]),
        ("inboxes: {a: {path: in, outbox: link/out}}", ["inboxes.a.outbox"]),
        ("inboxes: {a: {path: in, outbox: b}, b: {path: b}}", ["inboxes.a.outbox"]),
        ("inboxes: {a: {path: in}, b: {path: in/b}}", ["inboxes.b.path"]),
        ("inboxes: {a: {path: in/a}, b: {path: in}}", ["inboxes.a.path"]),
        ("inboxes: {a: {path: in}, b: {path: link}}", ["inboxes.b.path"]),
        ("inboxes: {a: {path: in}, b: {path: in, priority: x}}", ["inboxes.b.priority", "inboxes.b.path"]),
        ("state_dir: in\ninboxes: {a: {path: in}}", ["state_dir"]),
        ("state_dir: in/s\ninboxes: {a: {path: in}}", ["state_dir"]),
    ],
)  # fmt: skip
def test_folders_apart(refused: Refused, tmp_path: Path, text: str, keys: list[str]) -> None:
    """No outbox, inbox or state folder lies in an inbox, whatever the names of the folders are."""
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    assert [line.partition(":")[0] for line in refused(text)] == keys


def test_folders_side_by_side(tmp_path: Path) -> None:
    """Folders beside each other, one outbox for all, and what a disabled inbox says, are allowed."""
    file = tmp_path / "watcher.yaml"
    file.write_text(
        "inboxes: {a: {path: in}, ab: {path: in2}, c: {path: out/in}, off: {path: in, enabled: false}}"
    )
    assert len(load(file, {}, tmp_path).settings.inboxes) == 4


def _uses() -> Iterator[tuple[str, str]]:
    yield "engine", "engine: procrastinate\ndatabase_url: postgresql+psycopg://u:p@h/d"
    yield "database_url", "database_url: postgresql+psycopg://u:p@h/d"
    yield "budget", "budget: {images_per_day: 0}"
    yield "schedules", "schedules: [{name: a, cron: 0 6 * * 1, inbox: products, file: x}]"
    yield "notify.urls", "notify: {urls: [slack://token]}"
    yield "inboxes.*.api.budget", "inboxes: {a: {api: {budget: {usd_per_day: 1}}}}"
    yield "inboxes.*.outbox", "inboxes: {a: {outbox: s3://bucket/folder}}"
    yield "inboxes.*.lane", "inboxes: {a: {lane: bulk}}"
    yield "inboxes.*.notify", "inboxes: {a: {notify: [slack://token]}}"
    yield "inboxes.*.images", "inboxes: {a: {images: {prompt: x}}}"
    yield "inboxes.*.allow_urls", "inboxes: {a: {allow_urls: true}}"
    yield "inboxes.*.allowed_hosts", "inboxes: {a: {allowed_hosts: [h]}}"


@pytest.mark.parametrize("key", list(NOT_YET))
def test_nothing_is_silently_ignored(refused: Refused, key: str) -> None:
    """A feature that is named but not built yet is refused by its key, with a sentence."""
    findings = refused(dict(_uses())[key])
    name = key.replace("*", "a")
    assert [line for line in findings if line.startswith(name) and "not available" in line]


def test_engine_needs_postgresql(refused: Refused) -> None:
    """Several machines need a database that several machines reach."""
    assert refused("engine: procrastinate")[0].startswith(
        "engine: found 'procrastinate' without a database; allowed: `database_url`"
    )
    assert "hunter2" not in "".join(refused("database_url: mysql://root:hunter2@h/d"))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("a: &x 1\nb: *x", "line 2, column 4: aliases (*name) are not used here."),
        ("api: {}\napi: {}", "line 2, column 1: this key is there twice."),
        ("a: !!python/name:os.system", "line 1, column 4: tags (!name) are not used here."),
        ("a: [1, 2", "line 1, column 9: expected ',' or ']', but got '<stream end>'."),
        ("a: sk-abcdef: b", "line 1, column 13: mapping values are not allowed here."),
        ("\tapi:", "line 1, column 1: found character '\\t' that cannot start any token. Indent"),
        ("- a", "found no sections; allowed: sections such as `api:`."),
        ("[" * 5000, "too deeply nested."),
        ("a: \x01", "a character in it is not allowed in YAML."),
    ],
)
def test_yaml_that_cannot_be_read(refused: Refused, text: str, finding: str) -> None:
    """A file that is no YAML is refused with line and column, without what stands there."""
    (line,) = refused(text)
    assert line.removeprefix("config/watcher.yaml").lstrip(":, ").startswith(finding)


def test_files_that_cannot_be_trusted(tmp_path: Path) -> None:
    """A file that anybody may change, that is not there, too large or not UTF-8 is refused in words."""
    open_to_all, large, foreign = (
        tmp_path / name for name in ("open.yaml", "large.yaml", "l1.yaml")
    )
    open_to_all.write_text("")
    open_to_all.chmod(0o666)
    large.write_bytes(b"#" * (1024 * 1024 + 1))
    foreign.write_bytes(b"api: {model: \xe9}")

    def why(name: str, environ: Mapping[str, str] = {}) -> str:
        config = tmp_path / name if name else None
        with pytest.raises(SettingsError) as caught:
            load(config, environ, tmp_path, system_file=NOWHERE)
        return str(caught.value).replace(f"{tmp_path}/", "")

    assert [why("open.yaml"), why("large.yaml"), why("l1.yaml"), why("."), why("none.yaml")] == [
        "open.yaml: every user of this machine may change it. Run: chmod o-w open.yaml",
        "large.yaml: larger than 1 MiB. Is it the right file?",
        "l1.yaml: not UTF-8 at byte 13. Save it as UTF-8.",
        f"{tmp_path}: not a regular file. Name a YAML file.",
        "none.yaml: there is no such file. Check the path.",
    ]
    assert why("", {"WATCHER_CONFIG": "gone.yaml"}).startswith("gone.yaml: there is no such file.")


@pytest.mark.parametrize("name", ["key", "api_key", "apiKey", "API-KEY", "secret"])
def test_a_key_in_the_file(refused: Refused, name: str) -> None:
    """A key in the settings file is refused with the places where it may be, and is not repeated."""
    (line,) = refused(f"api: {{{name}: hunter2}}")
    assert line == (
        f"api.{name}: unknown key; a key never stands in the settings; allowed: its own file, named in "
        "`api.key_file`, or the environment variable WATCHER_API__KEY (config/watcher.yaml, line 1)"
    )


def test_a_key_in_an_address(refused: Refused) -> None:
    """Addresses with a key or password in them are refused, and not repeated."""
    for address in ("https://user:hunter2@h/v1", "https://h/v1?api-key=hunter2"):
        (line,) = refused(f"api: {{base_url: '{address}'}}")
        assert line.startswith("api.base_url: found text of ")
        assert "hunter2" not in line
    query = {"WATCHER_API__BASE_URL": "https://h/openai/images/generations?api-version=2026-01"}
    assert refused("x: 1", query)[0].startswith("x: unknown key")


def test_known_secrets_never_show(refused: Refused) -> None:
    """What the environment holds as a key is masked even where it looks like an ordinary word."""
    environ = {"OPENAI_API_KEY": "ordinary", "WATCHER_LOGS__LEVEL": "ordinary"}
    assert refused("", environ)[0].startswith("logs.level: found '********'; allowed:")


PLACES = [dotted(path) for path in leaves(Settings())]
keys = st.from_regex(r"sk-[A-Za-z0-9_-]{8,40}", fullmatch=True) | st.text(
    st.characters(min_codepoint=0x30, max_codepoint=0x7A, exclude_characters="./:,\\"),
    min_size=20,
    max_size=60,
).filter(lambda text: any(char.isupper() or char.isdigit() for char in text))


@given(
    place=st.sampled_from(PLACES), key=keys, how=st.sampled_from(["value", "name", "list", "yaml"])
)
@example(place="api.key_file", key="sk-abcdefghij", how="name")
def test_no_secret_in_any_message(
    tmp_path_factory: pytest.TempPathFactory, place: str, key: str, how: str
) -> None:
    """A key that is pasted anywhere never shows up in a message, nor (in its usual form) in `config`."""
    folder = tmp_path_factory.mktemp("paste", numbered=True)
    file = folder / "watcher.yaml"
    *above, last = place.split(".")
    quoted = "'" + key.replace("'", "''") + "'"
    line = {
        "name": f"{quoted}: 1",
        "list": f"{last}: [{quoted}]",
        "yaml": f"{last}: {{{key}: {key}: *",
    }
    text = line.get(how, f"{last}: {quoted}")
    indented = [f"{'  ' * depth}{name}:" for depth, name in enumerate(above)]
    file.write_text("\n".join([*indented, "  " * len(above) + text]))
    said, shown = "", ""
    try:
        shown = effective_yaml(load(file, {}, folder))
    except SettingsError as error:
        said = str(error)
    assert key not in said
    assert key not in shown or not key.startswith("sk-")
