"""The API's key: where it is looked for, and that it is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.core.errors import SettingsError
from watcher.settings import Settings, find_key, load


def settings_of(folder: Path, text: str = "") -> Settings:
    file = folder / "watcher.yaml"
    file.write_text(text)
    return load(file, {}, folder).settings


def test_order(tmp_path: Path) -> None:
    """The key file wins over WATCHER_API__KEY, that over OPENAI_API_KEY, that over the credential."""
    (tmp_path / "key").write_text("sk-file\n")
    (tmp_path / "api-key").write_text("sk-credential")
    environ = {
        "WATCHER_API__KEY": " sk-ours \n",
        "OPENAI_API_KEY": "sk-theirs",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    found = [find_key(settings_of(tmp_path, "api: {key_file: key}"), environ)]
    settings = settings_of(tmp_path)
    for name in ("WATCHER_API__KEY", "OPENAI_API_KEY", "CREDENTIALS_DIRECTORY"):
        found.append(find_key(settings, environ))
        del environ[name]
    found.append(find_key(settings, environ))
    assert [(key.get_secret_value(), source) for key, source in found] == [
        ("sk-file", "api.key_file"),
        ("sk-ours", "environment WATCHER_API__KEY"),
        ("sk-theirs", "environment OPENAI_API_KEY"),
        ("sk-credential", "systemd credential api-key"),
        ("", ""),
    ]


def test_commands_beside_a_service_read_its_key_where_they_may(tmp_path: Path) -> None:
    """The file that systemd makes the credential of; where it may not be read it is as if it were not there."""
    (tmp_path / "own").write_text("sk-own")
    (tmp_path / "api-key").write_text("sk-given")
    settings, own = settings_of(tmp_path), tmp_path / "own"
    given = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_key(settings, {}, credential=own)[0].get_secret_value() == "sk-own"
    assert find_key(settings, given, credential=own)[0].get_secret_value() == "sk-given"
    assert find_key(settings, {}, credential=tmp_path / "none")[0].get_secret_value() == ""


def test_key_is_no_setting(tmp_path: Path) -> None:
    """WATCHER_API__KEY is taken as the key, and is in no value, source or representation of settings."""
    loaded = load(None, {"WATCHER_API__KEY": "sk-abcdefgh"}, tmp_path, system_file=Path("none"))
    assert "sk-abcdefgh" not in repr(loaded)
    key, _ = find_key(loaded.settings, {"WATCHER_API__KEY": "sk-abcdefgh"})
    assert "sk-abcdefgh" not in f"{key} {key!r}"


@pytest.mark.parametrize("text", ["", "\n", "  "])
def test_empty_means_none(tmp_path: Path, text: str) -> None:
    """An empty variable or an empty credential (as the unit sets it without a file) is no key."""
    (tmp_path / "api-key").write_text(text)
    environ = {"OPENAI_API_KEY": text, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    key, source = find_key(settings_of(tmp_path), environ)
    assert (key.get_secret_value(), source) == ("", "")


@pytest.mark.parametrize("key", ["sk-a b", "sk-a\nsk-b", "sk-ä", "s" * 513, "sk-\x00"])
def test_no_key_at_all(tmp_path: Path, key: str) -> None:
    """What can be no key (it would break the request's header) is refused, and not repeated."""
    (tmp_path / "key").write_text(key)
    for text, environ in (("api: {key_file: key}", {}), ("", {"OPENAI_API_KEY": key})):
        with pytest.raises(SettingsError, match="characters that cannot be a key") as caught:
            find_key(settings_of(tmp_path, text), environ)
        assert key not in str(caught.value)


def test_key_file_away(tmp_path: Path) -> None:
    """A key file that is named but not there is an error, and no other key is taken in its place.

    What was named is not repeated: it may be the key itself, pasted in the wrong place.
    """
    settings = settings_of(tmp_path, "api: {key_file: sk-abcdefgh}")
    with pytest.raises(SettingsError) as caught:
        find_key(settings, {"OPENAI_API_KEY": "sk-other"})
    assert str(caught.value) == (
        "api.key_file: the file that holds the key cannot be read (No such file or directory). "
        "Check its path and permissions."
    )


def test_inbox_with_its_own_key(tmp_path: Path) -> None:
    """An inbox's own key file is its key; an inbox without one shares the common key."""
    (tmp_path / "own").write_text("sk-own")
    text = "inboxes: {a: {path: a, api: {key_file: own}}, b: {path: b, api: {model: m}}}"
    settings = settings_of(tmp_path, text)
    environ = {"OPENAI_API_KEY": "sk-common"}
    own, source = find_key(settings, environ, "a")
    assert (own.get_secret_value(), source) == ("sk-own", "inboxes.a.api.key_file")
    assert find_key(settings, environ, "b") == find_key(settings, environ)


@pytest.mark.parametrize("own", ["base_url: http://other/v1", "profile: ollama"])
def test_common_key_stays_at_home(tmp_path: Path, own: str) -> None:
    """An inbox that asks another server never gets the common key."""
    settings = settings_of(tmp_path, f"inboxes: {{a: {{path: a, api: {{{own}}}}}}}")
    key, source = find_key(settings, {"OPENAI_API_KEY": "sk-common"}, "a")
    assert (key.get_secret_value(), source) == ("", "")
