"""Nothing that is secret gets out of the real process: looked for in every file, line, answer and command."""

from __future__ import annotations

from pathlib import Path

from tests.system.door import BEARER, TOKEN, Door, door
from tests.system.house import sandbox, wait_for

KEY, NOTIFY, CALLBACK = "canary-key-9b1f4c7d", "canary-notify-5e2a", "canary-callback-77c0"
COMMANDS = ("status", "jobs", "logs", "doctor", "check", "config", "costs", "models --offline", "alert-test")  # fmt: skip
PAGES = ("/", "/metrics", "/healthz", "/readyz", "/jobs", "/openapi.json")


def _files(place: Door, secrets: Path) -> dict[str, bytes]:
    """Everything in the house but the files that are there to hold a secret."""
    own = {
        secrets,
        place.house.config,
        place.house.folder / "token",
        place.house.state / "link-key",
    }
    files = [path for path in place.house.folder.rglob("*") if path.is_file() and path not in own]
    return {str(path): path.read_bytes() for path in files}


def _hits(secret: str, told: dict[str, bytes]) -> list[str]:
    return [where for where, text in told.items() if secret.encode() in text]


def test_secrets_stay_where_they_belong(tmp_path: Path) -> None:
    """The key, the token, addresses of alerts and callbacks: in no log, note, result, page, figure or JSON, also
    where the server quotes the key and where messages cannot be delivered. Signed links are in results alone.
    """
    folder = tmp_path / "house"
    folder.mkdir()
    secrets = folder / "api-key"
    secrets.write_text(f"{KEY}\n")
    settings = {
        "api": {"key_file": str(secrets), "retry": {"attempts": 1}},
        "logs": {"level": "debug"},
        "notify": {"urls": [f"json://ann:{NOTIFY}@127.0.0.1:9/hook"], "gather": 0.1},
        "web": {"intake": True, "callback_hosts": ["127.0.0.1"], "links_days": 1,
                "public_url": "http://127.0.0.1:8765"},
    }  # fmt: skip
    with sandbox(key=KEY) as api, door(folder, api.base_url, settings) as place:
        rows = [{"prompt": "a kite"}]
        callback = {"callback_url": f"http://127.0.0.1:9/hook?token={CALLBACK}"}
        place.client.post("/jobs", params=callback, json=rows, headers=BEARER)
        place.house.drop("bad.csv", "prompt\n[fault:400] a lamp\n")
        place.house.wait_over("bad.csv")
        job = place.house.wait_over("post.json")
        wait_for(lambda: place.house.events("callback.deferred"))
        wait_for(lambda: place.house.events("alert.refused"))
        secrets.write_text("canary-key-that-is-wrong\n")
        wait_for(lambda: place.house.events("key.changed"))
        place.house.drop("late.csv", "prompt\na boat\n")
        wait_for(lambda: place.house.events("lane.halted"))
        told = {page: place.client.get(page).content for page in PAGES}
        for words in COMMANDS:
            done = place.house.command(*words.split(), "--json")
            told[words] = (done.stdout + done.stderr).encode()
        told |= _files(place, secrets)
        for secret in (KEY, "canary-key-that-is-wrong", TOKEN, NOTIFY):
            assert _hits(secret, told) == [], secret
        ledger = str(place.house.state / "ledger.sqlite3")
        assert [where for where in _hits(CALLBACK, told) if not where.startswith(ledger)] == []
        (url,) = job.records[0]["result_urls"]
        signature = url.partition("signature=")[2]
        assert len(signature) == 32
        assert {Path(where).parent for where in _hits(signature, told)} == {job.folder}
