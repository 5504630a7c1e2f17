"""Why a drop is not taken yet, in words."""

from __future__ import annotations

import os
import shlex
import stat

from watcher.inbox import beneath
from watcher.inbox.values import Drop, InboxFolder, Waiting
from watcher.inbox.words import allow, who

FINAL = frozenset({"link", "special", "hardlink", "folder", "closed", "deep"})

_REASONS = {
    "writing": "is still being written: a program has it open.",
    "changing": "keeps changing.",
    "empty": "is empty (0 bytes).",
    "marker": "waits for the file {marker} beside it.",
    "unreadable": "may not be read by this service ({who}).",
    "link": "is a link, and links are not followed.",
    "special": "is not a plain file, and is left alone.",
    "hardlink": "is a second name of a file that belongs to root or to this service, and is left alone.",
    "folder": "is a folder, though its name is that of a file.",
    "closed": "is a folder that may not be read by this service ({who}).",
    "deep": "is a folder below {deepest} others, and is not looked into.",
}
_HINTS = {
    "writing": "Nothing to do: it is taken when that program is done. If it is done, close the file there.",
    "changing": "Nothing to do: it is taken when it stays as it is.",
    "empty": "Nothing to do if it is still being copied; else drop it again with something in it.",
    "marker": "Make that file when the drop is whole.",
    "unreadable": "Run: chmod g+r -- {file}",
    "link": "Drop the file itself.",
    "special": "Drop a file.",
    "hardlink": "Drop a copy of it.",
    "folder": "The files in it are drops of their own; rename the folder if that is not what is meant.",
    "closed": "{allow}",
    "deep": "Move it further up.",
}


def waiting(folder: InboxFolder, drop: Drop, code: str, since: float) -> Waiting:
    """Why `drop` waits since `since` (monotonic seconds); `code` is one of values.Waiting."""
    path = folder.path / os.fsdecode(drop.path)
    facts = {
        "who": who(),
        "marker": (folder.require_done_marker or "").replace("{name}", drop.name),
        "file": shlex.quote(str(path)),
        "allow": allow(path),
        "deepest": str(beneath.DEEPEST),
    }
    return Waiting(
        drop=drop,
        code=code,
        reason=f"{drop.name} {_REASONS[code].format_map(facts)}",
        hint=_HINTS[code].format_map(facts),
        since=since,
        final=code in FINAL,
    )


def final_code(found: os.stat_result) -> str:
    """Why something will never be a drop; "" for a file that may be one.

    A file with a second name elsewhere may be a secret that its dropper cannot read but we can.
    """
    if stat.S_ISREG(found.st_mode):
        ours = found.st_uid in {0, os.geteuid()}
        return "hardlink" if found.st_nlink > 1 and ours else ""
    if stat.S_ISLNK(found.st_mode):
        return "link"
    return "folder" if stat.S_ISDIR(found.st_mode) else "special"
