"""Whether a path may be a data directory, found out by looking at names alone.

Nothing but SQLite may open the database while somebody in this process has it open: closing any
descriptor of a file gives up all this process's locks on it (POSIX, fcntl). Hence names only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from vines.errors import StorageUnusable
from vines.storage.mark import sync_directory

DATABASE, LOG, MARK = "vines.db", "vines.db-wal", "vines.mark"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_EFFECTIVE = os.access in os.supports_effective_ids


def settle(path: str | os.PathLike[str]) -> str:
    """The real path of the data directory, which may be missing; its parent is not.

    Raises StorageUnusable. A link in its place is followed if it is this user's or root's, once
    and for all: anybody else could point it to an old copy at the next start.
    """
    given = os.fspath(path)
    if not isinstance(given, str):
        raise TypeError("the path of a data directory is text")
    if not given:
        raise _unusable(given, "is an empty path", "give the path of a directory")
    try:
        return _settled(os.path.abspath(given))
    except (OSError, ValueError) as error:
        if isinstance(error, StorageUnusable):
            raise
        raise _unusable(given, f"cannot be looked at ({error})", "give another path") from error


def make(path: str) -> None:
    """Make the directory if it is not there; raises OSError."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    sync_directory(os.path.dirname(path))


@contextmanager
def one_at_a_time(path: str) -> Iterator[None]:
    """Let one through; raises BlockingIOError for another in this or any process meanwhile.

    Not the lock, which is SQLite's: of several that ask for that one at the same moment, none may
    get it. Where directories cannot be locked (Windows, some networks) that is what happens.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    locked = False
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            raise
        except OSError:
            pass
        yield
    finally:
        if locked:  # closing is not enough: a child forked meanwhile has the descriptor, too
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def holds(path: str, name: str) -> bool:
    """Whether the directory has something by this name."""
    return os.path.lexists(os.path.join(path, name))


def is_begun(path: str) -> bool:
    """Whether a database is there that is more than a name."""
    return holds(path, DATABASE) and os.path.getsize(os.path.join(path, DATABASE)) > 0


def _settled(path: str) -> str:
    parent = os.path.realpath(os.path.dirname(path))
    if not os.path.isdir(parent):
        raise _unusable(path, "has no parent directory", f"make {parent!r} first")
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return os.path.join(parent, os.path.basename(path))
    if stat.S_ISLNK(status.st_mode):
        if os.name == "posix" and status.st_uid not in (0, os.geteuid()):
            why = f"is a link of user {status.st_uid}, who can point it elsewhere"
            raise _unusable(path, why, "give the path of the directory itself")
        if not os.path.exists(path):
            raise _unusable(path, "is a link that leads nowhere", "make what it points to first")
    real = os.path.realpath(path)
    _check_directory(real)
    for name in (DATABASE, LOG, MARK):
        _check_file(os.path.join(real, name))
    return real


def _check_directory(path: str) -> None:
    status = os.stat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise _unusable(path, "is no directory", "give the path of one, or of nothing yet")
    if os.name == "posix":
        if status.st_uid != os.geteuid():
            why = f"belongs to user {status.st_uid}"
            raise _unusable(path, why, "run as that user, or give the directory to this one")
        if status.st_mode & _WRITABLE_BY_OTHERS:
            raise _unusable(path, "can be written by other users", "do: chmod go-w")
    if not os.access(path, os.W_OK, effective_ids=_EFFECTIVE):
        raise _unusable(path, "cannot be written", "make it writable, or give another path")


def _check_file(path: str) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(path, "is no regular file", "put the file itself there")
    if status.st_nlink > 1:
        why = "has a second name, under which another process may use it"
        raise _unusable(path, why, "make copies of it, not hard links")
    if not os.access(path, os.W_OK, effective_ids=_EFFECTIVE):
        raise _unusable(path, "cannot be written", "make it writable")


def _unusable(path: str, why: str, remedy: str) -> StorageUnusable:
    return StorageUnusable(f"{path!r} {why}, so nothing is kept there; nothing changed: {remedy}")
