"""The one SQLite file of a data directory: locked while it is open, checked whole when it is.

A write-ahead log with synchronous=FULL: a commit returns when the log is synced. Whatever is set is
read back, for SQLite passes over what it does not know or cannot do. It copies its log into the
file only when it is told to here: by itself it would keep quiet about a sync that failed.

The records of a commit are one row, and most are replaced soon: what counts is found by reading all
rows in their order. Once more than half of what is there counts no more, commits take away the
oldest rows and write again what counts of them. A commit is one statement, because each gives up
the GIL, and beside threads that compute it may take 5 ms to get that back.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
from collections.abc import Mapping

from msgpack import packb, unpackb

from vines.errors import StorageDamaged
from vines.hints import Any
from vines.storage import troubles
from vines.storage.place import DATABASE
from vines.storage.seals import IDENTITY_BYTES, SEAL_BYTES, Meta, row_seal

APPLICATION = 0x56494E45  # "VINE"
FORMAT = 1
LOG_BYTES_MAX = 4 << 20
"""A log of this size is copied into the file: 1,000 pages, as SQLite does it by default."""

SPARE_BYTES = 256 << 10
"""So much may be there that counts no more, beside as much as counts: a few files are no worry."""
REWRITTEN_BYTES = 64 << 10
"""Of the oldest rows as many are looked through by a commit, or twice what it writes itself: they
become fewer quicker than they come, and no commit takes long.
"""

_PAGE_BYTES = 4096
_ROW_BYTES = 40
"""Of a row beside its content, about."""
_SETTINGS: tuple[tuple[str, str | int], ...] = (
    ("locking_mode", "exclusive"),  # first: what is read after it is read under the lock
    ("busy_timeout", 0),
    ("synchronous", 2),  # FULL
    ("fullfsync", 1),  # macOS: fsync alone leaves it in the drive's cache; elsewhere no effect
    ("checkpoint_fullfsync", 1),
    ("wal_autocheckpoint", 0),
    ("mmap_size", 0),
    ("cell_size_check", 1),
    ("cache_size", -256),  # KiB
    ("temp_store", 2),  # memory: there is nothing temporary but the program below
)
_TABLES = {
    "meta": "CREATE TABLE meta (identity BLOB, boot INTEGER, name BLOB, generation INTEGER,"
    " number INTEGER, total BLOB, seal BLOB)",
    "records": "CREATE TABLE records (place INTEGER PRIMARY KEY, content BLOB, seal BLOB)",
}
_VIEW = (
    "CREATE TEMP VIEW commits AS SELECT *, 0 AS oldest, 0 AS place, x'' AS again,"
    " x'' AS again_seal, x'' AS content, x'' AS content_seal FROM meta"
)
_PROGRAM = """CREATE TEMP TRIGGER committing INSTEAD OF INSERT ON commits BEGIN
DELETE FROM records WHERE place < NEW.oldest;
INSERT INTO records SELECT NEW.place, NEW.again, NEW.again_seal WHERE length(NEW.again) > 0;
INSERT INTO records SELECT NEW.place + 1, NEW.content, NEW.content_seal
    WHERE length(NEW.content) > 0;
UPDATE meta SET identity = NEW.identity, boot = NEW.boot, name = NEW.name,
    generation = NEW.generation, number = NEW.number, total = NEW.total, seal = NEW.seal;
END"""
_COMMIT = "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OLDEST = "SELECT place, content, seal FROM records ORDER BY place LIMIT ?"


class Database:
    """`vines.db` of a directory, made if it is missing. Raises StorageError and sqlite3.Error.

    A forked child must leave it alone, and so must the end of the child: closing a copy of an open
    database empties the log under the parent's hands. So it holds itself until it is closed, by a
    reference that nothing else knows of.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._logged = 0
        self.records: dict[bytes, bytes] = {}
        """What is there, as far as it was kept."""
        self._places: dict[bytes, int] = {}
        """The rows in which it is."""
        self._held = 0
        """Bytes of all rows, about."""
        self._counting = 0
        """Those of them that count: of the records."""
        self._place = 0
        """The row of the last commit."""
        self._connection = sqlite3.connect(
            os.path.join(directory, DATABASE),
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        if sys.version_info >= (3, 12):
            self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)

    def read(self) -> Meta | None:
        """Lock it and read all of it; None if nothing was ever written to it."""
        for name, wanted in _SETTINGS:
            self._set(name, wanted)
        application, version = self._pragma("application_id"), self._pragma("user_version")
        schema = self._all("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name")
        if not (application or version or schema) and self._pragma("page_count") <= 1:
            return None
        if application != APPLICATION:
            raise troubles.another_program(self._directory)
        if version > FORMAT:
            raise troubles.newer(self._directory, version, FORMAT)
        tables = [("table", name, name, statement) for name, statement in _TABLES.items()]
        if version != FORMAT or schema != tables:
            raise self._damaged("its tables are not those of vines")
        if self._pragma("journal_mode") != "wal":
            raise self._damaged("it has no log: some other program changed that")
        answer = self._pragma("quick_check(1)")
        if answer != "ok":
            raise self._damaged(str(answer))
        meta = self._read_meta()
        self._read_records(meta)
        return meta

    def create(self, meta: Meta) -> None:
        """Write the first state; if that is cut short, nothing was ever written."""
        self._set("journal_mode", "wal")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        for statement in _TABLES.values():
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?, ?)", _row(meta))
        self._connection.execute("COMMIT")
        self._program()

    def prepare(self) -> None:
        """Make it ready for commits, once what was read is believed.

        What is in the log is copied into the file and synced there, and the log begun anew: after
        kill -9, or a sync that failed, the system may show what the disk does not have.
        """
        self._checkpoint("TRUNCATE")
        self._program()

    def commit(self, meta: Meta, changes: Mapping[bytes, bytes | None]) -> Meta:
        """Put changes on disk, all or none, with the meta that follows from them; returns that.
        Without any it is the meta alone.
        """
        oldest = place = 0
        content = seal = again = again_seal = b""
        if changes:
            place = 2 * (meta.generation + 1)
            content = packb(changes)
            seal = row_seal(meta.identity, place + 1, content)
            come: list[bytes] = [seal]
            gone: list[bytes] = []
            if self._held > 2 * self._counting + SPARE_BYTES:
                oldest, moved, gone = self._look_through(
                    meta, max(REWRITTEN_BYTES, 2 * len(content))
                )
                if moved:
                    again = packb(moved)
                    again_seal = row_seal(meta.identity, place, again)
                    come.append(again_seal)
                    self._places.update(dict.fromkeys(moved, place))
            meta = meta.changed(come, gone)
            self._held += len(again) + len(content) + _ROW_BYTES * len(come)
        rows = (oldest, place, again, again_seal, content, seal)
        self._connection.execute(_COMMIT, (*_row(meta), *rows))
        self._logged += 3 * _PAGE_BYTES + len(again) + len(content)  # about
        if self._logged >= LOG_BYTES_MAX:
            self._checkpoint("RESTART")
        self._place = place + 1
        return meta

    def keep(self, changes: Mapping[bytes, bytes | None]) -> None:
        """These were put on disk with the last commit, and count from now on."""
        records, places, place = self.records, self._places, self._place
        counting = self._counting
        for key, value in changes.items():
            before = records.get(key)
            if before is not None:
                counting -= len(key) + len(before)
            if value is not None:
                counting += len(key) + len(value)
                records[key] = value
                places[key] = place
            elif before is not None:
                del records[key], places[key]
        self._counting = counting

    def _look_through(self, meta: Meta, wanted: int) -> tuple[int, dict[bytes, bytes], list[bytes]]:
        """So many bytes of the oldest rows: the first place after them, their records that count,
        and their seals. At least one row.
        """
        first = 0
        moved: dict[bytes, bytes] = {}
        gone: list[bytes] = []
        for place, content, seal in self._all(_OLDEST, 1 + wanted * meta.number // self._held):
            if gone and len(content) > wanted:
                break
            wanted -= len(content)
            for key in unpackb(content):
                if self._places.get(key) == place:
                    moved[key] = self.records[key]
            first = place + 1
            gone.append(seal)
            self._held -= len(content) + _ROW_BYTES
        return first, moved, gone

    def _program(self) -> None:
        self._connection.execute(_VIEW)
        self._connection.execute(_PROGRAM)

    def close(self) -> None:
        """Copy the log into the file and let go of it. What was committed is safe either way."""
        try:
            self._checkpoint("TRUNCATE")
        except sqlite3.Error:
            self.abandon()
        else:
            self._release()

    def abandon(self) -> None:
        """Let go of the file as it is. Only an empty log may come or go; before Python 3.12 one in
        which SQLite found nothing goes, too.
        """
        if sys.version_info < (3, 12):
            self._connection.interrupt()  # stops the copying of the log that closing begins with
        self._release()

    def _release(self) -> None:
        self._connection.close()
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(self._connection))

    def _checkpoint(self, kind: str) -> None:
        busy, *_ = self._all(f"PRAGMA wal_checkpoint({kind})")[0]
        if busy:
            raise sqlite3.OperationalError("the log cannot be copied: somebody else reads it")
        self._logged = 0

    def _read_meta(self) -> Meta:
        rows = self._all("SELECT identity, boot, name, generation, number, total, seal FROM meta")
        kinds = [bytes, int, bytes, int, int, bytes, bytes]
        if len(rows) != 1 or [type(field) for field in rows[0]] != kinds:
            raise self._damaged("its meta is not one row")
        identity, boot, name, generation, number, total, seal = rows[0]
        try:
            meta = Meta(identity, boot, name.decode(), generation, number, total)
            whole = (len(identity), len(total)) == (IDENTITY_BYTES, SEAL_BYTES)
            if whole and meta.seal() == seal:
                return meta
        except (ValueError, OverflowError):  # a name that is no text, a number below 0
            pass
        raise self._damaged("the checksum of its meta is wrong")

    def _read_records(self, meta: Meta) -> None:
        number = total = 0
        for place, content, seal in self._connection.execute(
            "SELECT * FROM records ORDER BY place"
        ):
            if not type(content) is type(seal) is bytes:
                raise self._damaged("a row of records is not one")
            if seal != row_seal(meta.identity, place, content):
                raise self._damaged("the checksum of a row of records is wrong")
            number += 1
            total ^= int.from_bytes(seal, "big")
            self._held += len(content) + _ROW_BYTES
            self._place = place
            self.keep(unpackb(content))
        if number != meta.number or total.to_bytes(SEAL_BYTES, "big") != meta.total:
            raise self._damaged(f"{number} of {meta.number} rows are there, or wrong ones")

    def _set(self, name: str, wanted: str | int) -> None:
        self._all(f"PRAGMA {name} = {wanted}")
        answer = self._pragma(name)
        if answer != wanted and (name, answer) != ("mmap_size", None):  # None: built without
            raise troubles.not_durable(name, wanted, answer)

    def _pragma(self, name: str) -> Any:
        rows = self._all(f"PRAGMA {name}")
        return rows[0][0] if rows else None

    def _all(self, query: str, *values: int) -> list[tuple[Any, ...]]:
        # To the end: a statement that is dropped before it takes its error with it.
        return self._connection.execute(query, values).fetchall()

    def _damaged(self, what: str) -> StorageDamaged:
        return troubles.damaged(self._directory, what)


def _row(meta: Meta) -> tuple[bytes | int, ...]:
    name = meta.name.encode()
    return (
        *(meta.identity, meta.boot, name, meta.generation, meta.number, meta.total),
        meta.seal(),
    )
