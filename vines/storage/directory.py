"""A data directory: what a node must not forget, on disk.

`vines.db` has it (database.py), `vines.mark` shows whether that has gone back in time (mark.py).
Whatever is not exactly as it was left is refused, before anything changes.
"""

from __future__ import annotations

import os

from vines.errors import StorageError, StorageUnusable
from vines.hints import TYPE_CHECKING
from vines.storage import place
from vines.storage.contract import Batch, Storage, require_pairs, require_usable
from vines.storage.mark import Mark
from vines.storage.seals import IDENTITY_BYTES, Meta, born

if TYPE_CHECKING:
    from vines.storage.database import Database


def open_directory(path: str | os.PathLike[str], *, name: str = "", new: bool = False) -> Storage:
    """Open a data directory, made if it is missing; it is this process's alone until it ends or
    closes it.

    `name` is the node's, if it has one: a directory belongs to the first that opened it. `new` says
    that this name has never voted, which is why its directory may be empty. Raises StorageError,
    each kind with what to do; nothing changed then, but for the boot counter if the disk failed at
    the very end.
    """
    directory = place.settle(path)
    try:
        import sqlite3  # here, not above: only a node that keeps something has use for it

        from vines.storage import troubles
        from vines.storage.database import Database
    except ImportError as error:
        raise StorageUnusable(
            f"this Python was built without {error.name}, so it cannot keep a data directory;"
            " nothing changed: use one that has it"
        ) from error
    try:
        _look(directory, name, new)
        place.make(directory)
        with place.one_at_a_time(directory):
            return _open(directory, Database(directory), name, new)
    except StorageError:
        raise
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        # The last is what Python makes of a message in which SQLite quotes damage.
        raise troubles.opening(directory, error) from error


class DirectoryStorage:
    """An open data directory; see the contract. Made by `open_directory`."""

    def __init__(
        self,
        directory: str,
        database: Database,
        mark: Mark,
        meta: Meta,
    ) -> None:
        self.failed: StorageError | None = None
        self._process = os.getpid()
        self._closed = False
        self._directory = directory
        self._database = database
        self._mark = mark
        self._meta = meta

    @property
    def identity(self) -> bytes:
        """The 16 bytes that name the node."""
        return self._meta.identity

    @property
    def boot(self) -> int:
        """Which start this is, from 1."""
        return self._meta.boot

    @property
    def name(self) -> str:
        """The name it belongs to, or none."""
        return self._meta.name

    def records(self) -> dict[bytes, bytes]:
        """A copy of all records, as of the last write that returned."""
        return dict(self._database.records)

    def write(self, batch: Batch) -> None:
        """Put all of a batch on disk, in one commit; after one that failed, raise that again."""
        require_usable(self._process, closed=self._closed and self.failed is None)
        if self.failed is not None:
            raise self.failed.with_traceback(None)
        changes = require_pairs(batch)
        if not changes:
            return
        try:
            meta = self._database.commit(self._meta, changes)
            self._mark.write(meta)
            self._meta = meta
            self._database.keep(changes)
        except BaseException as error:  # an interrupt, too, leaves it half done
            from vines.storage import troubles

            self.failed = troubles.writing(self._directory, error)
            if not isinstance(error, Exception):
                raise
            raise self.failed from error

    def close(self) -> None:
        """Give the directory back; harmless a second time and in a forked child."""
        if self._closed or self._process != os.getpid():
            return
        self._closed = True
        self._mark.close()
        if self.failed is None:
            self._database.close()
        else:
            self._database.abandon()


def _look(directory: str, name: str, new: bool) -> None:
    """Refuse a directory without a database, if there was one or must be one.

    Before SQLite sees it: that would make one, and remove the log of one that is gone.
    """
    from vines.storage import troubles

    # In this order: while another process makes them, the database is there before the rest.
    rest = [one for one in (place.MARK, place.LOG) if place.holds(directory, one)]
    if place.is_begun(directory):
        return
    if rest:
        raise troubles.rolled_back(directory, "no database", f"one beside {rest[0]}")
    if name and not new:
        raise troubles.missing(directory, name, "holds nothing")


def _open(directory: str, database: Database, name: str, new: bool) -> Storage:
    mark = Mark(directory)
    try:
        found = database.read()
        if found is None:
            meta = _begin(directory, database, mark, name, new)
            return DirectoryStorage(directory, database, mark, meta)
        _believe(directory, mark, found, name, new)
        meta = _start(database, mark, found, name)
        return DirectoryStorage(directory, database, mark, meta)
    except BaseException:
        mark.close()
        database.abandon()
        raise


def _begin(directory: str, database: Database, mark: Mark, name: str, new: bool) -> Meta:
    """The first start. A database on which that was cut short is as good as none."""
    from vines.storage import troubles

    if mark.exists():
        raise troubles.rolled_back(directory, "no record", "some, says vines.mark")
    if name and not new:
        raise troubles.missing(directory, name, "holds nothing")
    meta = born(os.urandom(IDENTITY_BYTES), name)
    database.create(meta)
    mark.make(meta)
    return meta


def _believe(directory: str, mark: Mark, meta: Meta, name: str, new: bool) -> None:
    """Refuse what is another name's, or may have gone back in time.

    A mark that is missing or not whole: it was synced before the first start was over, and what
    writes it afterwards changes a few bytes of one sector in place, so neither kill -9 nor a power
    cut makes one. A database of generation 1 has never finished a start, so nobody has heard of it:
    there the mark may be missing. Anywhere else somebody took it away, put another's in its place
    or copied the database alone: then nothing shows that no vote is missing.
    """
    from vines.storage import troubles

    if name and meta.name and name != meta.name:
        raise troubles.another_name(directory, meta.name, name)
    if name and not meta.name and not new:
        raise troubles.missing(directory, name, "has never had a name")
    position = mark.read(meta.identity)
    if position is None:
        if meta.generation > 1:
            raise troubles.damaged(directory, "vines.mark is missing or not the one that was here")
    elif position.generation > meta.generation or position.boot > meta.boot:
        now = f"commit {meta.generation} of start {meta.boot}"
        before = f"commit {position.generation} of start {position.boot}"
        raise troubles.rolled_back(directory, now, before)


def _start(database: Database, mark: Mark, meta: Meta, name: str) -> Meta:
    """One more start of an identity that is believed."""
    database.prepare()
    if mark.read(meta.identity) is None:
        mark.make(meta)  # before the commit, for afterwards it may not be missing
    meta = meta.started(name)
    database.commit(meta, {})
    mark.write(meta)
    mark.sync()
    return meta
