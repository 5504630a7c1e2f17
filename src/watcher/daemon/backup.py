"""The state folder in one file, and back: taken while the daemon runs, put back while none does.

A backup holds the ledger as of one moment and all that it relies on: answers that are paid for and
not in the outbox yet, pictures that rows name. Inboxes and outboxes are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

from watcher import __version__
from watcher.core.errors import DiskError, LedgerError
from watcher.ledger import upkeep

_LEDGER = "ledger.sqlite3"
_ABOUT = "backup.json"
_FOLDERS = ("replies", "inputs")
_ASIDE, _COMING, _GOING = "before-restore-", "restoring-", "backing-up-"


def back_up(state_dir: Path, into: Path, *, when: str) -> int:
    """Write `into`, which appears whole and is never another's; returns its size in bytes.

    A name that ends in .gz or .tgz is compressed. `when`: the time, as text for people.
    Raises LedgerError where there is no ledger, DiskError where the file cannot be written.
    """
    ledger = upkeep.database_file(state_dir)
    if os.path.lexists(into):
        raise LedgerError(f"{into} is there already.", "Name a file that is not there yet.")
    part = into.with_name(f"{into.name}.part")
    with _folder(state_dir / f"{_GOING}{os.getpid()}") as staged, _refusals(into):
        upkeep.copy_database(ledger, staged / _LEDGER, meanwhile=lambda: _gather(state_dir, staged))
        tables = upkeep.tables(staged)
        _settle(staged)
        about = {
            "program": __version__,
            "tables": tables.revision,
            "made_at": when,
            "files": {name: _sha256(staged / name) for name in _names(staged)},
        }
        (staged / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
        try:
            _pack(staged, part)
            part.rename(into)
            _sync(into.parent)
        finally:
            part.unlink(missing_ok=True)
    return into.stat().st_size


def restore(state_dir: Path, file: Path, *, when: str) -> Path:
    """Put a backup in place of what is there, which is kept aside in the folder that is returned.

    The state folder must be held. `when`: the time, as text for names. Nothing is changed before all
    of the backup has been read and found good. Raises LedgerError or DiskError.
    """
    with _refusals(state_dir), _folder(state_dir / f"{_COMING}{when}.part") as staged:
        _unpack(file, staged)
        _expect_good(file, staged)
        (staged / _ABOUT).unlink()
        for name in _FOLDERS:
            (staged / name).mkdir(exist_ok=True, mode=0o700)
        for folder in (staged, *filter(Path.is_dir, staged.rglob("*"))):
            _sync(folder)
        staged.rename(state_dir / f"{_COMING}{when}")
    finish_restore(state_dir)
    return state_dir / f"{_ASIDE}{when}"


def finish_restore(state_dir: Path) -> None:
    """Exchange old for new; from the start again where a crash ended it. The state folder must be held."""
    for coming in sorted(state_dir.glob(f"{_COMING}*Z")):
        aside = state_dir / f"{_ASIDE}{coming.name.removeprefix(_COMING)}"
        aside.mkdir(exist_ok=True, mode=0o700)
        for name in (f"{_LEDGER}-wal", f"{_LEDGER}-shm"):  # they belong to the old one
            if (coming / _LEDGER).exists():
                _move(state_dir / name, aside / name)
        for new in sorted(coming.iterdir()):
            _move(state_dir / new.name, aside / new.name)
            new.rename(state_dir / new.name)
        _sync(state_dir)
        coming.rmdir()


def _gather(state_dir: Path, staged: Path) -> None:
    """Second names of everything that the ledger relies on: nothing of it is ever written to again."""
    for name in _FOLDERS:
        if (state_dir / name).is_dir():
            shutil.copytree(
                state_dir / name, staged / name, copy_function=_second_name, dirs_exist_ok=True
            )


def _second_name(source: str, target: str) -> str:
    with suppress(FileNotFoundError):  # a part that has become whole, or is settled
        try:
            os.link(source, target)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            shutil.copyfile(source, target)
    return target


def _settle(staged: Path) -> None:
    """What was only half written at that moment is no part of it."""
    for part in staged.rglob("*.part"):
        part.unlink()


def _names(staged: Path) -> list[str]:
    return sorted(str(path.relative_to(staged)) for path in staged.rglob("*") if path.is_file())


def _pack(staged: Path, part: Path) -> None:
    packed = ".gz" in part.suffixes or ".tgz" in part.suffixes
    mode: Literal["w:gz", "w:"] = "w:gz" if packed else "w:"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode=mode) as tar:
            for name in (_ABOUT, *(name for name in _names(staged) if name != _ABOUT)):
                tar.add(staged / name, arcname=name)
        file.flush()
        os.fsync(file.fileno())


def _unpack(file: Path, staged: Path) -> None:
    try:
        with tarfile.open(file, "r:*") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isfile() else None
                if source is None or not _is_ours(member.name):
                    raise _no_backup(file, f"{member.name} is no part of one")
                _write(staged / member.name, source)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _no_backup(file, str(error)) from None
    except FileNotFoundError:
        raise LedgerError(f"There is no file {file}.", "Name a backup.") from None


def _write(path: Path, source: IO[bytes]) -> None:
    """Not by `tarfile`, which before Python 3.11.4 lets no one say what may be in there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("xb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())


def _is_ours(name: str) -> bool:
    top, *below = name.split("/")
    plain = not {"", ".", ".."}.intersection(below)
    return name in {_ABOUT, _LEDGER} or (top in _FOLDERS and bool(below) and plain)


def _expect_good(file: Path, staged: Path) -> None:
    try:
        about: dict[str, Any] = json.loads((staged / _ABOUT).read_text("utf-8"))
        files: dict[str, str] = about["files"]
    except (OSError, ValueError, KeyError, TypeError):
        raise _no_backup(file, "it does not say what is in it") from None
    found = {name: _sha256(staged / name) for name in _names(staged) if name != _ABOUT}
    if found != files or _LEDGER not in found:
        raise _no_backup(file, "what is in it is not what was put in")
    upkeep.check_database(staged / _LEDGER)
    upkeep.expect_known(staged)


def _no_backup(file: Path, why: str) -> LedgerError:
    return LedgerError(f"{file} is no backup that can be used: {why}.", "Nothing was changed.")


def _sha256(file: Path) -> str:
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def _move(old: Path, new: Path) -> None:
    with suppress(FileNotFoundError):
        old.rename(new)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """A folder of its own for the block; gone after it, unless it was renamed."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _refusals(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"{error.filename or place} cannot be used: {error.strerror}.",
            "Make room on that disk, or look at its path and rights; nothing was changed.",
        ) from None
