"""The one SQLite file of a data directory: locked while it is open, checked whole when it is.

A write-ahead log with synchronous=FULL: a commit returns when the log is synced. Whatever is set is
read back, for SQLite passes over what it does not know or cannot do. It copies its log into the
file only when it is told to here: by itself it would keep quiet about a sync that failed.

Records are numbered as they come, so that those of one time share pages, whatever their keys: a
commit writes whole pages. It is one statement, handed all of its records in one value that a
trigger takes apart, because each statement gives up the GIL, and beside threads that compute it may
take 5 ms to get that back.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import sys
from collections.abc import Mapping

from vines.errors import StorageDamaged
from vines.hints import Any
from vines.storage import troubles
from vines.storage.place import DATABASE
from vines.storage.seals import IDENTITY_BYTES, SEAL_BYTES, Meta, Sealed, record_seal

APPLICATION = 0x56494E45  # "VINE"
FORMAT = 1
LOG_BYTES_MAX = 4 << 20
"""A log of this size is copied into the file: 1,000 pages, as SQLite does it by default."""

_PAGE_BYTES = 4096
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
    "records": "CREATE TABLE records (place INTEGER PRIMARY KEY, key BLOB, value BLOB, seal BLOB)",
}

_PLACE_DIGITS, _SIZE_DIGITS = 18, 10
_HEAD = f"%0{_PLACE_DIGITS}d%0{_SIZE_DIGITS}d%0{_SIZE_DIGITS}d".encode()
"""Before each record that is handed over: its place, the sizes of its key and its value; then come
its seal, its key, its value. A place that is to be emptied is handed over by its number alone.
"""
_KEY, _VALUE = _PLACE_DIGITS + 1, _PLACE_DIGITS + _SIZE_DIGITS + 1
_SEAL = _PLACE_DIGITS + 2 * _SIZE_DIGITS
_BODY = _SEAL + SEAL_BYTES
_VIEW = "CREATE TEMP VIEW commits AS SELECT *, x'' AS gone, x'' AS kept FROM meta"
_PROGRAM = f"""CREATE TEMP TRIGGER committing INSTEAD OF INSERT ON commits BEGIN
DELETE FROM records WHERE place IN (SELECT CAST(substr(NEW.gone, at, {_PLACE_DIGITS}) AS INTEGER)
    FROM (WITH RECURSIVE steps (at) AS (
        SELECT 1 WHERE length(NEW.gone) > 0
        UNION ALL SELECT at + {_PLACE_DIGITS} FROM steps
            WHERE at + {_PLACE_DIGITS} <= length(NEW.gone)
    ) SELECT at FROM steps));
INSERT OR REPLACE INTO records SELECT
    CAST(substr(NEW.kept, at, {_PLACE_DIGITS}) AS INTEGER),
    substr(NEW.kept, at + {_BODY}, key),
    substr(NEW.kept, at + {_BODY} + key, value),
    substr(NEW.kept, at + {_SEAL}, {SEAL_BYTES})
    FROM (WITH RECURSIVE steps (at, key, value) AS (
        SELECT 1, CAST(substr(NEW.kept, {_KEY}, {_SIZE_DIGITS}) AS INTEGER),
            CAST(substr(NEW.kept, {_VALUE}, {_SIZE_DIGITS}) AS INTEGER)
            WHERE length(NEW.kept) > 0
        UNION ALL SELECT at + {_BODY} + key + value,
            CAST(substr(NEW.kept, at + {_BODY} + key + value + {_KEY} - 1, {_SIZE_DIGITS})
                AS INTEGER),
            CAST(substr(NEW.kept, at + {_BODY} + key + value + {_VALUE} - 1, {_SIZE_DIGITS})
                AS INTEGER)
            FROM steps WHERE at + {_BODY} + key + value <= length(NEW.kept)
    ) SELECT at, key, value FROM steps);
UPDATE meta SET identity = NEW.identity, boot = NEW.boot, name = NEW.name,
    generation = NEW.generation, number = NEW.number, total = NEW.total, seal = NEW.seal;
END"""
_COMMIT = "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_NEIGHBOURS = 16
"""Places that share a page, about, if their records are as small as most."""


class Database:
    """`vines.db` of a directory, made if it is missing. Raises StorageError and sqlite3.Error.

    A forked child must leave it alone, and so must the end of the child: closing a copy of an open
    database empties the log under the parent's hands. So it holds itself until it is closed, by a
    reference that nothing else knows of.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._logged = 0
        self._places: dict[bytes, int] = {}
        """Where each record is."""
        self._last = 0
        """The last place that was ever taken; none is used again while it is open."""
        self._connection = sqlite3.connect(
            os.path.join(directory, DATABASE),
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        if sys.version_info >= (3, 12):
            self._connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)

    def read(self) -> tuple[Meta, dict[bytes, bytes]] | None:
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
        return meta, self._read_records(meta)

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

    def commit(self, meta: Meta, changes: Mapping[bytes, Sealed | None]) -> None:
        """Put changes and their meta on disk, all or none."""
        gone: list[bytes] = []
        kept: list[bytes] = []
        near: set[int] = set()
        places = self._places
        for key, record in changes.items():
            if record is None:
                place = places.pop(key, 0)
                if place:
                    gone.append(b"%0*d" % (_PLACE_DIGITS, place))
            else:
                place = places.get(key, 0)
                if not place:
                    self._last = place = places[key] = self._last + 1
                value, seal = record
                kept += (_HEAD % (place, len(key), len(value)), seal, key, value)
            near.add(place // _NEIGHBOURS)
        rows = b"".join(kept)
        self._connection.execute(_COMMIT, (*_row(meta), b"".join(gone), rows))
        pages = 2 + len(near)  # about: one for meta, one above, one for each that records share
        self._logged += pages * _PAGE_BYTES + len(rows)
        if self._logged >= LOG_BYTES_MAX:
            self._checkpoint("RESTART")

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

    def _read_records(self, meta: Meta) -> dict[bytes, bytes]:
        records: dict[bytes, bytes] = {}
        total = 0
        for place, key, value, seal in self._connection.execute(
            "SELECT * FROM records ORDER BY place"
        ):
            if not type(key) is type(value) is type(seal) is bytes or key in records:
                raise self._damaged("a record is not one")
            if seal != record_seal(meta.identity, key, value):
                raise self._damaged("the checksum of a record is wrong")
            records[key] = value
            self._places[key] = self._last = place
            total ^= int.from_bytes(seal, "big")
        if len(records) != meta.number or total.to_bytes(SEAL_BYTES, "big") != meta.total:
            raise self._damaged(f"{len(records)} of {meta.number} records are there, or wrong ones")
        return records

    def _set(self, name: str, wanted: str | int) -> None:
        self._all(f"PRAGMA {name} = {wanted}")
        answer = self._pragma(name)
        if answer != wanted and (name, answer) != ("mmap_size", None):  # None: built without
            raise troubles.not_durable(name, wanted, answer)

    def _pragma(self, name: str) -> Any:
        rows = self._all(f"PRAGMA {name}")
        return rows[0][0] if rows else None

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        # To the end: a statement that is dropped before it takes its error with it.
        return self._connection.execute(query).fetchall()

    def _damaged(self, what: str) -> StorageDamaged:
        return troubles.damaged(self._directory, what)


def _row(meta: Meta) -> tuple[bytes | int, ...]:
    name = meta.name.encode()
    return (
        *(meta.identity, meta.boot, name, meta.generation, meta.number, meta.total),
        meta.seal(),
    )
