"""Same-host discovery: nodes of one user and one cluster label find each other through a directory.

Each node that listens puts one small file there: its address. It appears in one step and whole, and
its owner holds a lock on it that the system lets go of when the process dies, however it dies: a
file without a lock is stale, no matter whose process id has been given out again. Nodes that start
at once cannot miss each other: each puts its file before it first looks, and looks again now and
then. What else lies there is ignored.
"""

from __future__ import annotations

import errno
import os
import re
import stat

from vines.hashes import blake2b
from vines.hints import Any
from vines.log import logger
from vines.net import forks
from vines.net.place import Place, runtime_root
from vines.protocol.machine import Address
from vines.spelling import is_address

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: a stale file is noticed when a dial to it is refused.
    fcntl = None

_ENTRY_BYTES_MAX = 512
_ENTRIES_MAX = 1024
"""Files looked at in one scan; a machine has fewer nodes of one user and one label."""

_NAME = re.compile(r"[0-9A-Za-z_-]{1,64}")


class LocalDirectory:
    """The nodes of one user and one cluster label on this machine. Not thread-safe.

    `publish` before the first `scan`, and `scan` again every few seconds. `root` replaces the
    user's run-time directory.
    """

    def __init__(self, label: str, root: str | None = None) -> None:
        self._root = root
        self._label = blake2b(label.encode(), digest_size=16, person=b"vines-local").hexdigest()
        self._place: Place | None = None
        self._name: str | None = None
        self._address: Address | None = None
        self._entry: int | None = None
        self._inode: int | None = None
        self._complained = False

    def publish(self, name: str, address: Address) -> None:
        """Put this node's entry, in one step; `name` is its id in hex.

        Raises Insecure if the directory that is there is not the user's alone; OSError.
        """
        assert _NAME.fullmatch(name), "an id in hex"
        self._name, self._address = name, address
        forks.remember(self)
        self._put()

    def scan(self) -> list[Address]:
        """The addresses of the other live nodes. Removes what is stale, renews what is lost.

        Never raises: a directory that cannot be used is logged once and has nobody in it.
        """
        try:
            self._renew()
            return self._look()
        except OSError as error:
            if not self._complained:
                logger.warning("nodes of this machine cannot be looked for: %s", error)
            self._complained = True
            return []

    def refused(self, address: Address) -> None:
        """A dial to an address of `scan` was refused: remove the entry unless its owner lives."""
        try:
            place = self._open()
            for name in place.names()[:_ENTRIES_MAX]:
                if name != self._name and self._read(name) == address and fcntl is None:
                    place.remove(name)
        except OSError:
            # It will be looked at again by the next scan, which complains.
            pass

    def close(self) -> None:
        """Remove this node's entry; idempotent."""
        place, name = self._place, self._name
        # Another start of the same node may have put its own by now.
        if place is not None and name is not None and place.inode(name) == self._inode:
            place.remove(name)
        self.forked()
        forks.forget(self)

    def forked(self) -> None:
        """Let go of everything without a trace: the entry is the parent's."""
        self._name = self._inode = None
        if self._entry is not None:
            os.close(self._entry)
            self._entry = None
        if self._place is not None:
            self._place.close()
            self._place = None

    def _open(self) -> Place:
        """The directory; a new one if somebody has removed it."""
        if self._place is not None and self._place.removed:
            self._place.close()
            self._place = None
        if self._place is None:
            root, ours = runtime_root() if self._root is None else (self._root, "vines")
            self._place = Place(root, (ours, self._label))
        return self._place

    def _put(self) -> None:
        assert self._name is not None
        assert self._address is not None
        place, prepared = self._open(), f".{self._name}.new"
        place.remove(prepared)
        entry = place.open(prepared, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            if fcntl is not None:
                fcntl.flock(entry, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(entry, f"{self._address[0]} {self._address[1]} {os.getpid()}\n".encode())
            inode = os.fstat(entry).st_ino
        except OSError:
            os.close(entry)
            raise
        if fcntl is None:
            # Windows renames no open file, and there is no lock to hold.
            os.close(entry)
        place.replace(prepared, self._name)
        previous, self._entry = self._entry, None if fcntl is None else entry
        self._inode = inode
        if previous is not None:
            os.close(previous)

    def _renew(self) -> None:
        """Put the entry again if a cleaner, or a scan that was mistaken, has removed it."""
        if self._name is not None and self._open().inode(self._name) != self._inode:
            self._put()

    def _look(self) -> list[Address]:
        found: dict[Address, None] = {}
        for name in self._open().names()[:_ENTRIES_MAX]:
            if name != self._name and _NAME.fullmatch(name):
                address = self._read(name)
                if address is not None:
                    found[address] = None
        found.pop(self._address or ("", 0), None)
        return list(found)

    def _read(self, name: str) -> Address | None:
        """The address in an entry; None, and the entry removed, if nobody holds it any more."""
        place = self._open()
        try:
            entry = place.open(name, os.O_RDONLY)
        except OSError:
            return None
        try:
            status = os.fstat(entry)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _ENTRY_BYTES_MAX:
                return None
            if _is_abandoned(entry):
                if place.inode(name) == status.st_ino:
                    place.remove(name)
                return None
            return _parse(os.read(entry, _ENTRY_BYTES_MAX))
        except OSError:
            return None
        finally:
            os.close(entry)


def _is_abandoned(entry: int) -> bool:
    """Whether nobody holds the lock of an entry."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(entry, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _parse(content: bytes) -> Address | None:
    parts = content.decode("utf-8", "replace").split()
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdecimal() or len(parts[1]) > 5:
        return None
    address = (parts[0], int(parts[1]))
    return address if is_address(address) else None
