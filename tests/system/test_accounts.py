"""Inboxes with a key, a server or a model of their own: each row goes to its inbox's account, and to no other."""

from __future__ import annotations

from pathlib import Path

import httpx
from tests.system.door import page_address
from tests.system.house import House, Values, house, prompts_csv, sandbox, wait_for

OWN = "own"
DOOR: Values = {"web": {"enabled": True, "listen": "127.0.0.1:0"}}


def own_inbox(tmp_path: Path, **api: object) -> Values:
    paths = {"path": str(tmp_path / "own-in"), "outbox": str(tmp_path / "own-out"), "settle": 0.2}
    return {"inboxes": {OWN: {**paths, "api": api}}}


def drop_in_own(home: House, name: str, prompts: list[str]) -> None:
    folder = home.folder / "own-in"
    part = home.folder / "own.beside"
    part.write_text(prompts_csv(prompts))
    folder.mkdir(exist_ok=True)
    part.replace(folder / name)


def own_done(home: House) -> bool:
    found = [file.read_text("utf-8-sig") for file in home.folder.glob("own-out/*/failed.csv")]
    assert not found, found
    return bool(list(home.folder.glob("own-out/*/results.jsonl")))


def test_an_inbox_asks_its_own_server_with_its_own_key(tmp_path: Path) -> None:
    """Two inboxes, two servers, two keys: each server is asked for its inbox's rows only."""
    key = tmp_path / "own.key"
    key.write_text("sk-own\n")
    with sandbox(key="test-key") as common, sandbox(key="sk-own") as other:
        settings = own_inbox(tmp_path, base_url=other.base_url, key_file=str(key))
        with house(tmp_path, common.base_url, settings) as home:
            home.drop("a.csv", prompts_csv(["a cat", "a dog"]))
            drop_in_own(home, "b.csv", ["a bird"])
            assert home.wait_over("a.csv").statuses == ["done", "done"]
            wait_for(lambda: own_done(home), 30, "the other inbox's job is over")
            assert (common.stats()["calls"], other.stats()["calls"]) == (2, 1)
            assert "sk-own" not in home.log_text()


def test_one_account_that_is_halted_leaves_the_other_at_work(tmp_path: Path) -> None:
    """A wrong key of one inbox stops that inbox alone; its own note says so, the other's does not,
    nor does the page say that nothing is asked for."""
    key = tmp_path / "own.key"
    key.write_text("sk-wrong\n")
    with sandbox(key="test-key") as common, sandbox(key="sk-own") as other:
        settings = own_inbox(tmp_path, base_url=other.base_url, key_file=str(key))
        with house(tmp_path, common.base_url, {**settings, **DOOR}) as home:
            drop_in_own(home, "b.csv", ["a bird"])
            note = home.folder / "own-in" / "b.csv.STATUS.txt"
            wait_for(lambda: note.exists() and note.read_text().startswith("paused"), 30, "paused")
            page = httpx.get(page_address(home)).text
            assert "Partly paused: some inboxes wait" in page, page
            assert "nothing is asked for" not in page
            home.drop("a.csv", prompts_csv(["a cat", "a dog"]))
            assert home.wait_over("a.csv").statuses == ["done", "done"]
            key.write_text("sk-own\n")
            wait_for(lambda: own_done(home), 30, "the key is right, and it goes on by itself")
