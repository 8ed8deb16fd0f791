"""What went wrong below, as errors of vines: what it was, what it left, what to do."""

from __future__ import annotations

import errno
import sqlite3

from vines.errors import (
    StorageDamaged,
    StorageError,
    StorageForeign,
    StorageFull,
    StorageLocked,
    StorageMissing,
    StorageNewer,
    StorageRolledBack,
    StorageUnusable,
)

_NO_ROOM = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_OUTSIDE = (
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_PROTOCOL),
)
"""Answers of SQLite that speak of the system below it. The others speak of what is in the file."""

_AGAIN = "start with an empty directory, as a new identity"


def opening(path: str, error: Exception) -> StorageError:
    """Why a data directory could not be opened."""
    if _is_full(error):
        return StorageFull(
            f"the disk of the data directory {path!r} is full ({_words(error)});"
            " nothing changed: make room and start again"
        )
    code = _code(error)
    if code & 0xFF in _HELD or isinstance(error, BlockingIOError):
        return StorageLocked(
            f"the data directory {path!r} is open already, in this process or another;"
            " nothing changed: end that one first, or give this one a directory of its own"
        )
    outside = code & 0xFF in _OUTSIDE and code != sqlite3.SQLITE_IOERR_SHORT_READ
    if outside or isinstance(error, OSError):
        return StorageUnusable(
            f"the data directory {path!r} cannot be used ({_words(error)});"
            " nothing changed: see to its permissions and its disk"
        )
    return damaged(path, _words(error))


def writing(path: str, error: BaseException) -> StorageError:
    """Why a write is not known to be on disk."""
    kind = StorageFull if _is_full(error) else StorageError
    return kind(
        f"writing to the data directory {path!r} failed ({_words(error)}): what was to be written"
        " may or may not be there, and this process writes no more;"
        " see to the disk and start again"
    )


def damaged(path: str, what: str) -> StorageDamaged:
    """What is there is not what was written."""
    return StorageDamaged(
        f"the data directory {path!r} is damaged ({what}) and is not repaired, for a vote may be"
        f" missing; nothing changed: {_AGAIN}"
    )


def rolled_back(path: str, now: str, before: str) -> StorageRolledBack:
    """What is there is older than what was."""
    return StorageRolledBack(
        f"the data directory {path!r} has lost what was written: it holds {now}, and held {before}."
        " It was restored from a backup or is damaged, and a voter that forgot may vote twice;"
        f" nothing changed: {_AGAIN}"
    )


def missing(path: str, name: str, what: str) -> StorageMissing:
    """Nothing there is known to be this name's."""
    return StorageMissing(
        f"the data directory {path!r} {what}, so it cannot know what {name!r} has voted, and a"
        f" voter that forgot may vote twice; nothing changed: give the directory that {name!r} had;"
        " pass new=True only if this name has never voted, else use another name"
    )


def another_name(path: str, held: str, name: str) -> StorageForeign:
    """What is there is another node's."""
    return StorageForeign(
        f"the data directory {path!r} belongs to {held!r}, not to {name!r};"
        f" nothing changed: give {name!r} a directory of its own"
    )


def another_program(path: str) -> StorageForeign:
    """What is there is no file of vines."""
    return StorageForeign(
        f"vines.db in the data directory {path!r} is the database of another program;"
        " nothing changed: give a directory of vines, or an empty one"
    )


def newer(path: str, version: int, known: int) -> StorageNewer:
    """What is there was written by a later version of this package."""
    return StorageNewer(
        f"the data directory {path!r} was written by a newer vines: its format is {version}, and"
        f" this one knows {known}; nothing changed: use that vines, or a directory of its own"
    )


def not_durable(name: str, wanted: object, answer: object) -> StorageUnusable:
    """An SQLite that will not do what durability takes."""
    return StorageUnusable(
        f"SQLite {sqlite3.sqlite_version} of this Python answers {answer!r} to PRAGMA {name}, and"
        f" {wanted!r} was asked for: what it calls written could be lost; use another Python"
    )


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _code(error) & 0xFF == sqlite3.SQLITE_FULL


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)


def _words(error: BaseException) -> str:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return f"{error}, {name}" if str(error) else name
