"""Writes that do not come to their end: killed processes, full disks, syncs that fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.net.strangers import posix_only, run_script
from tests.storage.places import contents, crashed, made, reopened
from tests.storage.test_place import unshared
from vines.errors import StorageError, StorageFull
from vines.storage.contract import Storage
from vines.storage.database import Database
from vines.storage.directory import open_directory
from vines.storage.mark import Mark


@posix_only
def test_no_record_that_was_acknowledged_is_lost_when_its_process_is_killed(
    quick_path: Path,
) -> None:
    """Thirty lives, each killed at another moment; the parent hears of each write by a pipe."""
    done = run_script(f"""
        import os, signal
        from vines.storage.directory import open_directory
        path = {str(quick_path / "data")!r}
        first = open_directory(path)
        first.close()
        model, number = {{}}, 0
        for life in range(30):
            heard, told = os.pipe()
            child = os.fork()
            if child == 0:
                storage = open_directory(path)
                while True:
                    number += 1
                    key = b"%d" % (number % 50)
                    storage.write([(key, b"%d" % number), (b"last", b"%d" % number)])
                    os.write(told, b".")
            os.close(told)
            acknowledged = 0
            while acknowledged < 1 + life * 5:
                acknowledged += len(os.read(heard, 1 + life * 5 - acknowledged))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            while more := os.read(heard, 1 << 16):
                acknowledged += len(more)
            os.close(heard)
            storage = open_directory(path)
            found = storage.records()
            storage.close()
            # The last may have been written and not told any more.
            assert int(found[b"last"]) - number - acknowledged in (0, 1), (life, acknowledged)
            for number in range(number + 1, int(found[b"last"]) + 1):
                model |= {{b"%d" % (number % 50): b"%d" % number, b"last": b"%d" % number}}
            assert found == model
            assert (storage.identity, storage.boot) == (first.identity, 3 + 2 * life)
        print(number)
    """)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 2000


@posix_only
def test_a_process_killed_in_its_first_start_leaves_a_directory_that_can_be_opened(
    quick_path: Path,
) -> None:
    done = run_script(f"""
        import os, signal, sys
        from vines.storage import database, directory, mark

        def at(count):
            "Die at the so many-th call of anything here that changes a file."
            def trace(frame, event, argument):
                nonlocal count
                if frame.f_globals["__name__"].startswith("vines.storage"):
                    count -= 1
                    if not count:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return trace
            return trace

        lives = 0
        for count in range(1, 1000, 7):
            path = {str(quick_path)!r} + f"/{{count}}"
            child = os.fork()
            if child == 0:
                sys.settrace(at(count))
                directory.open_directory(path)
                sys.settrace(None)
                os._exit(0)
            if os.waitpid(child, 0)[1] == 0:
                break
            lives += 1
            storage = directory.open_directory(path)
            assert storage.boot in (1, 2)
            storage.write([(b"a", b"1")])
            storage.close()
        print(lives)
    """)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def fails_for_ever(storage: Storage, kind: type[StorageError], acknowledged: object) -> None:
    """A storage of which a write failed: what it raises stays the same, and it writes no more."""
    failed = storage.failed
    assert type(failed) is kind
    assert "may or may not be there" in str(failed)
    assert "start again" in str(failed)
    for batch in ([(b"a", b"1")], []):
        with pytest.raises(StorageError) as caught:
            storage.write(batch)
        assert caught.value is failed
    assert storage.records() == acknowledged
    storage.close()
    storage.close()
    with pytest.raises(StorageError) as caught:
        storage.write([(b"a", b"1")])
    assert caught.value is failed


class Faulty(sqlite3.Connection):
    """Fails at the statement `at`, as SQLite does when a sync fails."""

    at = "none"

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql.startswith(type(self).at):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *rest)

    def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql.startswith(type(self).at):
            raise sqlite3.OperationalError("disk I/O error")
        return super().executemany(sql, *rest)


def test_a_write_that_fails_is_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Faulty))
    storage = open_directory(tmp_path / "data")
    storage.write([(b"a", b"0")])
    monkeypatch.setattr(Faulty, "at", "INSERT INTO commits")
    with pytest.raises(StorageError, match="disk I/O error") as caught:
        storage.write([(b"a", b"1"), (b"b", None)])
    assert caught.value is storage.failed
    monkeypatch.setattr(Faulty, "at", "none")
    before = contents(tmp_path / "data")
    fails_for_ever(storage, StorageError, {b"a": b"0"})
    after = contents(tmp_path / "data")
    assert after == before, "it was not left alone"
    assert reopened(tmp_path / "data") == (storage.identity, 2, "", {b"a": b"0"})


def test_a_log_that_cannot_be_copied_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Faulty))
    monkeypatch.setattr("vines.storage.database.LOG_BYTES_MAX", 1)
    storage = open_directory(tmp_path / "data")
    monkeypatch.setattr(Faulty, "at", "PRAGMA wal_checkpoint")
    with pytest.raises(StorageError, match="disk I/O error"):
        storage.write([(b"a", b"1")])
    monkeypatch.undo()
    fails_for_ever(storage, StorageError, {})
    assert reopened(tmp_path / "data")[1:] == (2, "", {b"a": b"1"})


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), OSError(28, "No space")])
def test_a_mark_that_cannot_be_written_ends_it(
    error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: Mark, meta: object) -> None:
        raise error

    storage = open_directory(tmp_path / "data")
    monkeypatch.setattr(Mark, "write", cut)
    with pytest.raises(StorageError, match=error.strerror):
        storage.write([(b"a", b"1")])
    monkeypatch.undo()
    fails_for_ever(storage, StorageFull if error.errno == 28 else StorageError, {})
    assert reopened(tmp_path / "data")[1:] == (2, "", {b"a": b"1"})


def test_an_interrupt_is_passed_on_and_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Mark, meta: object) -> None:
        raise KeyboardInterrupt

    storage = open_directory(tmp_path / "data")
    monkeypatch.setattr(Mark, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        storage.write([(b"a", b"1")])
    monkeypatch.undo()
    fails_for_ever(storage, StorageError, {})
    assert reopened(tmp_path / "data")[3] == {b"a": b"1"}


def test_a_log_that_cannot_be_copied_at_the_close_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Database, kind: str) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    storage = open_directory(tmp_path / "data")
    storage.write([(b"a", b"1")])
    monkeypatch.setattr(Database, "_checkpoint", refused)
    storage.close()
    monkeypatch.undo()
    assert reopened(tmp_path / "data")[1:] == (2, "", {b"a": b"1"})


@pytest.mark.parametrize("function", ["write", "sync"])
def test_a_start_that_fails_late_costs_a_boot_and_nothing_else(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*rest: object) -> None:
        raise OSError(5, "Input/output error")

    first = made(tmp_path / "data")
    monkeypatch.setattr(Mark, function, cut)
    with pytest.raises(StorageError, match="Input/output error"):
        open_directory(tmp_path / "data")
    monkeypatch.undo()
    assert reopened(tmp_path / "data")[:2] == (first.identity, 4)


FILLING = """
import sys
from vines.errors import StorageError
from vines.storage.directory import open_directory
storage = open_directory(sys.argv[1])
number = 0
try:
    while number < 1000:
        storage.write([(b"%d" % number, b"x" * 3000)])
        number += 1
except StorageError as error:
    assert error is storage.failed
try:
    storage.write([(b"a", b"1")])
except StorageError as error:
    assert error is storage.failed
storage.close()
print(type(storage.failed).__name__, number, flush=True)
"""

CHECKING = """
import sys
from vines.storage.directory import open_directory
storage = open_directory(sys.argv[1])
found = storage.records()
number = int(sys.argv[2])
assert number <= len(found) <= number + 1
assert found == {b"%d" % one: b"x" * 3000 for one in range(len(found))}
storage.write([(b"a", b"1")])
storage.close()
print(storage.boot)
"""


def test_a_full_disk_ends_it_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "filling.py").write_text(FILLING)
    (tmp_path / "checking.py").write_text(CHECKING)
    said = unshared(f"""
        mkdir {tmp_path}/disk
        mount -t tmpfs -o size=400k,mode=700 none {tmp_path}/disk
        said=$("$PYTHON" {tmp_path}/filling.py {tmp_path}/disk/data)
        echo $said
        echo full >{tmp_path}/disk/rest || true
        "$PYTHON" {tmp_path}/filling.py {tmp_path}/disk/other 2>&1 | tail -1
        rm -rf {tmp_path}/disk/rest {tmp_path}/disk/other
        mount -o remount,size=4m {tmp_path}/disk
        "$PYTHON" {tmp_path}/checking.py {tmp_path}/disk/data ${{said#* }}
    """).splitlines()
    kind, number = said[0].split()
    assert kind == "StorageFull"
    assert 5 < int(number) < 100
    assert "StorageFull: " in said[1]
    assert "is full" in said[1] and "make room" in said[1]
    assert said[2] == "2"


@posix_only
def test_a_limit_on_the_size_of_files_ends_it_and_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "filling.py").write_text(FILLING)
    done = run_script(f"""
        import resource, runpy, sys
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        sys.argv = ["filling", {str(tmp_path / "data")!r}]
        runpy.run_path({str(tmp_path / "filling.py")!r})
    """)
    assert done.returncode == 0, done.stderr
    kind, number = done.stdout.split()
    assert kind in ("StorageError", "StorageFull")
    assert 5 < int(number) < 100
    records = reopened(tmp_path / "data")[3]
    assert len(records) - int(number) in (0, 1)
    assert all(records[b"%d" % one] == b"x" * 3000 for one in range(int(number)))


def test_what_failed_is_not_there_after_a_crash_or_is_there_whole(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_directory(quick_path / "data")
    storage.write([(b"a", b"0")])
    monkeypatch.setattr(Mark, "write", lambda self, meta: 1 / 0)
    with pytest.raises(StorageError, match="division"):
        storage.write([(b"a", b"1"), (b"b", b"1")])
    monkeypatch.undo()
    copy = crashed(quick_path / "data", quick_path / "copy")
    storage.close()
    assert reopened(copy)[3] in ({b"a": b"0"}, {b"a": b"1", b"b": b"1"})


def test_a_log_that_could_not_be_begun_is_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite tells of a sync that failed at the end of the statement, after its answer."""

    class Late(sqlite3.Cursor):
        def fetchall(self) -> list[Any]:
            raise sqlite3.OperationalError("disk I/O error")

    class Mode(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            if sql.startswith("PRAGMA journal_mode ="):
                return self.cursor(Late).execute(sql, *rest)
            return super().execute(sql, *rest)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Mode))
    with pytest.raises(StorageError, match="disk I/O error"):
        open_directory(tmp_path / "data")
    monkeypatch.undo()
    assert reopened(tmp_path / "data")[1] == 1
