"""The mark: how far the database has come, in a second file, to notice when it has gone back.

A disk that loses synced writes, a damaged log and an old copy put back all leave a database that is
whole, and older than what its node has said. The mark says how old it must at least be.

It is written after each commit and not synced there, so it is never ahead of the commit and may be
behind: by one after kill -9, by more after a power cut, and either is well. It is synced when the
directory is made and at every start.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from vines.hints import NamedTuple
from vines.storage.seals import SEAL_BYTES, Meta, mark_seal

_MAGIC = b"vinesmrk"
_CONTENT = struct.Struct(">8sQQ")
_BYTES = _CONTENT.size + SEAL_BYTES  # far below a sector: a disk writes it whole or not at all
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Position(NamedTuple):
    """A place in the life of a database."""

    generation: int
    boot: int


class Mark:
    """The file `vines.mark` of a data directory. Raises OSError."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "vines.mark")
        self._descriptor: int | None = None

    def exists(self) -> bool:
        """Whether there is such a file, whatever it holds."""
        return os.path.lexists(self._path)

    def read(self, identity: bytes) -> Position | None:
        """Where this identity's database has been; None if the file is missing or not whole."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return None
        try:
            block = os.read(descriptor, _BYTES + 1)
        finally:
            os.close(descriptor)
        content, seal = block[: _CONTENT.size], block[_CONTENT.size :]
        if len(block) != _BYTES or seal != mark_seal(identity, content):
            return None
        magic, generation, boot = _CONTENT.unpack(content)
        return Position(generation, boot) if magic == _MAGIC else None

    def make(self, meta: Meta) -> None:
        """Write it where none was whole, and sync it."""
        self.write(meta)
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, _BYTES)
        self.sync()

    def write(self, meta: Meta) -> None:
        """Say that the database has come this far: after that is on disk, and never before."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        content = _CONTENT.pack(_MAGIC, meta.generation, meta.boot)
        if _write(self._descriptor, content + mark_seal(meta.identity, content)) != _BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Wait until the disk has what was written, and the names of all files beside it: that of
        its log SQLite syncs, too, but does not say if it could not.
        """
        assert self._descriptor is not None
        os.fsync(self._descriptor)
        sync_directory(self._directory)

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _write(descriptor: int, block: bytes) -> int:
    """Write at the beginning: in one system call, where there is one for that."""
    if sys.platform == "win32":
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.write(descriptor, block)
    return os.pwrite(descriptor, block, 0)


def sync_directory(path: str) -> None:
    """Wait until the disk has the names in a directory, where directories can be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
