"""A data directory over many starts: identity, boot, name, records, one process at a time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.net.strangers import ROOT, descriptors, in_threads, linux_only, posix_only, run_script
from tests.storage.places import RECORDS, contents, crashed, made, refuses, reopened
from vines.errors import (
    Closed,
    StorageError,
    StorageForeign,
    StorageLocked,
    StorageMissing,
    StorageUnusable,
)
from vines.storage import database
from vines.storage.contract import Storage
from vines.storage.database import Database
from vines.storage.directory import DirectoryStorage, open_directory
from vines.storage.memory import MemoryStorage


def opened(kind: str, path: Path) -> Storage:
    return MemoryStorage() if kind == "memory" else open_directory(path)


both = pytest.mark.parametrize("kind", ["memory", "directory"])


@both
def test_a_first_start_is_a_new_identity(kind: str, tmp_path: Path) -> None:
    one, other = opened(kind, tmp_path / "one"), opened(kind, tmp_path / "other")
    assert len(one.identity) == len(other.identity) == 16
    assert one.identity != other.identity
    assert (one.boot, one.name, one.records(), one.failed) == (1, "", {}, None)
    one.close()
    other.close()


@both
def test_a_batch_is_applied_in_its_order(kind: str, tmp_path: Path) -> None:
    storage = opened(kind, tmp_path / "data")
    storage.write([(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"c", b"3"), (b"c", None)])
    assert storage.records() == {b"a": b"2", b"b": b"1"}
    storage.write([(b"b", None), (b"never", None), (b"d", None), (b"d", b"4")])
    assert storage.records() == {b"a": b"2", b"d": b"4"}
    storage.records()[b"a"] = b"a copy"
    assert storage.records()[b"a"] == b"2"
    storage.close()


@both
@pytest.mark.parametrize("count", [1, 3, 4, 31, 33, 255, 256, 700])
def test_a_batch_may_be_of_any_size(kind: str, count: int, tmp_path: Path) -> None:
    storage = opened(kind, tmp_path / "data")
    records = {b"%d" % number: b"v%d" % number for number in range(count)}
    storage.write([*records.items(), (b"other", b"")])
    assert storage.records() == records | {b"other": b""}
    storage.write([*((key, None) for key in records), (b"more", b"m")])
    assert storage.records() == {b"other": b"", b"more": b"m"}
    storage.close()
    again = opened(kind, tmp_path / "data")
    assert again.records() in ({b"other": b"", b"more": b"m"}, {})  # of a memory nothing is left
    again.close()


@both
def test_what_is_no_record_is_refused_and_harms_nothing(kind: str, tmp_path: Path) -> None:
    storage = opened(kind, tmp_path / "data")
    for wrong in (("a", b"1"), (b"a", "1"), (bytearray(b"a"), b"1"), (b"a", bytearray(b"1"))):
        batch: Any = [(b"z", b"1"), wrong]
        with pytest.raises(TypeError, match="bytes"):
            storage.write(batch)
    assert storage.records() == {}
    storage.write([(b"a", b"1")])
    assert storage.records() == {b"a": b"1"}
    storage.close()


@both
def test_a_closed_storage_takes_nothing_and_can_be_closed_again(kind: str, tmp_path: Path) -> None:
    storage = opened(kind, tmp_path / "data")
    storage.close()
    storage.close()
    with pytest.raises(Closed, match="closed"):
        storage.write([(b"a", b"1")])
    assert storage.failed is None


@both
def test_a_write_may_come_from_another_thread(kind: str, tmp_path: Path) -> None:
    storage = opened(kind, tmp_path / "data")
    in_threads(1, lambda index: storage.write([(b"a", b"1")]))
    assert storage.records() == {b"a": b"1"}
    in_threads(1, lambda index: storage.close())


def test_a_restart_is_the_same_identity_with_the_next_boot(tmp_path: Path) -> None:
    first = made(tmp_path / "data")
    assert reopened(tmp_path / "data") == (first.identity, 3, "", RECORDS)
    assert reopened(tmp_path / "data") == (first.identity, 4, "", RECORDS)


def test_the_boot_is_on_disk_before_the_directory_is_open(tmp_path: Path) -> None:
    one = open_directory(tmp_path / "data")
    for boot in range(2, 5):
        copy = crashed(tmp_path / "data", tmp_path / f"copy{boot}")
        assert reopened(copy) == (one.identity, boot, "", {})
        one.close()
        one = open_directory(tmp_path / "data")
        assert one.boot == boot
    one.close()


def test_a_write_is_in_the_files_when_it_returns(tmp_path: Path) -> None:
    storage = open_directory(tmp_path / "data")
    for number in range(5):
        storage.write([(b"a", b"%d" % number)])
        copy = crashed(tmp_path / "data", tmp_path / "copy")
        assert reopened(copy)[3] == {b"a": b"%d" % number}
    storage.close()


def test_the_names_of_the_files_are_synced_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of logs, too: SQLite makes one at every start, and is silent if it cannot sync it."""
    synced: list[str] = []
    monkeypatch.setattr("vines.storage.mark.sync_directory", synced.append)
    for start in range(1, 4):
        open_directory(tmp_path / "data").close()
        assert synced == [str(tmp_path / "data")] * start


def test_an_empty_batch_writes_nothing(tmp_path: Path) -> None:
    storage = open_directory(tmp_path / "data")
    before = contents(tmp_path / "data")
    storage.write([])
    assert contents(tmp_path / "data") == before
    storage.close()


def test_closing_leaves_the_records_in_the_database_and_no_log(tmp_path: Path) -> None:
    made(tmp_path / "data")
    files = contents(tmp_path / "data")
    assert files.keys() - {"vines.db-wal"} == {"vines.db", "vines.mark"}
    assert files.get("vines.db-wal", b"") == b""


keys = st.sampled_from([b"", b"a", b"b", b"\x00", b"\xff" * 40])
values = st.one_of(st.none(), st.binary(max_size=20), st.just(b"x" * 5000))
batches = st.lists(st.tuples(keys, values), max_size=8)


@settings(max_examples=100)
@given(
    steps=st.lists(st.one_of(batches, st.sampled_from(["reopen", "crash"])), max_size=12),
    spare=st.sampled_from([0, 4000, database.SPARE_BYTES]),
    rewritten=st.sampled_from([1, 6000]),
)
def test_any_life_is_that_of_a_dict(steps: list[Any], spare: int, rewritten: int) -> None:
    """However much of what counts no more is left there, and however little is looked through."""
    import tempfile

    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        pytest.MonkeyPatch.context() as patched,
        tempfile.TemporaryDirectory(dir=where) as temporary,
    ):
        patched.setattr(database, "SPARE_BYTES", spare)
        patched.setattr(database, "REWRITTEN_BYTES", rewritten)
        path = Path(temporary) / "0"
        storage, model, boot = open_directory(path), dict[bytes, bytes](), 1
        identity = storage.identity
        for number, step in enumerate(steps):
            if isinstance(step, list):
                storage.write(step)
                for key, value in step:
                    model.pop(key, None)
                    if value is not None:
                        model[key] = value
            else:
                copy = crashed(path, Path(temporary) / str(number + 1))
                storage.close()
                path = path if step == "reopen" else copy
                storage, boot = open_directory(path), boot + 1
            assert storage.records() == model
            assert (storage.identity, storage.boot) == (identity, boot)
        storage.close()


def test_the_log_does_not_grow_for_ever(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOG_BYTES_MAX", 1 << 17)
    storage = open_directory(quick_path / "data")
    sizes = set()
    for number in range(300):
        storage.write([(b"%d" % (number % 7), b"x" * number), (b"n", b"%d" % number)])
        sizes.add((quick_path / "data" / "vines.db-wal").stat().st_size)
        if number % 25 == 0:
            copy = crashed(quick_path / "data", quick_path / "copy")
            assert reopened(copy)[3] == storage.records()
    assert max(sizes) < 1 << 18
    storage.close()
    assert reopened(quick_path / "data")[3] == storage.records()


def test_what_counts_no_more_goes(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is far from the oldest; what is there for long stays, and no row grows large."""
    monkeypatch.setattr(database, "SPARE_BYTES", 1 << 14)
    monkeypatch.setattr(database, "REWRITTEN_BYTES", 1 << 12)
    path = quick_path / "data"
    storage = open_directory(path)
    for number in range(50):
        storage.write([(b"long%d" % number, b"x" * 500)])
    counting = 50 * 500 + 5 * 300
    for number in range(1200):
        storage.write([(b"brief%d" % (number % 5), b"%300d" % number), (b"gone", None)])
        if number == 600:
            storage.close()
            storage = open_directory(path)
    model = storage.records()
    storage.close()
    assert len(model) == 55
    connection = sqlite3.connect(path / "vines.db", isolation_level=None)
    sizes = [size for (size,) in connection.execute("SELECT length(content) FROM records")]
    connection.close()
    assert sum(sizes) < 2 * counting + (1 << 14) + (1 << 13)
    assert max(sizes) < 1 << 13
    assert (path / "vines.db").stat().st_size < 6 * counting
    assert reopened(path)[3] == model


def test_a_name_that_was_never_seen_needs_to_be_called_new(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)
    for path in (tmp_path / "empty", tmp_path / "missing"):
        refuses(path, StorageMissing, "new=True only if this name has never voted", name="a")
    assert not (tmp_path / "missing").exists()
    for path in (tmp_path / "empty", tmp_path / "missing"):
        first = open_directory(path, name="a", new=True)
        first.close()
        assert reopened(path, name="a") == (first.identity, 2, "a", {})


def test_a_directory_belongs_to_its_name(tmp_path: Path) -> None:
    first = made(tmp_path / "data", name="a", new=True)
    for new in (False, True):
        refuses(tmp_path / "data", StorageForeign, "'a', not to 'b'", name="b", new=new)
    assert reopened(tmp_path / "data") == (first.identity, 3, "a", RECORDS)
    assert reopened(tmp_path / "data", name="a", new=True)[:3] == (first.identity, 4, "a")


def test_a_directory_without_a_name_takes_one_that_never_voted(tmp_path: Path) -> None:
    first = made(tmp_path / "data")
    refuses(tmp_path / "data", StorageMissing, "has never had a name", name="a")
    assert reopened(tmp_path / "data", name="a", new=True) == (first.identity, 3, "a", RECORDS)
    assert reopened(tmp_path / "data", name="a")[2] == "a"
    refuses(tmp_path / "data", StorageForeign, "'a', not to 'b'", name="b", new=True)


def test_a_name_may_be_any_text(tmp_path: Path) -> None:
    name = "n\u00e9\u4e2d'\";-- 1"
    open_directory(tmp_path / "data", name=name, new=True).close()
    assert reopened(tmp_path / "data", name=name)[2] == name


def test_a_directory_is_opened_once_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("data")
    one = open_directory(tmp_path / "data")
    for path in ("data", "link", "data", "../" + tmp_path.name + "/data"):
        with pytest.raises(StorageLocked, match=r"open already.* nothing changed: "):
            open_directory(tmp_path / path)
    one.write([(b"a", b"1")])
    done = run_script(f"""
        from vines.storage.directory import open_directory
        open_directory({str(tmp_path / "data")!r})
    """)
    assert "StorageLocked" in done.stderr, "looking at it gave the lock away"
    one.close()
    assert reopened(tmp_path / "data") == (one.identity, 2, "", {b"a": b"1"})


@posix_only
def test_of_many_that_open_at_once_one_succeeds(quick_path: Path) -> None:
    for path in [quick_path / f"new{number}" for number in range(8)] + [quick_path / "new0"] * 4:
        held: list[Storage] = []
        locked: list[StorageError] = []
        barrier = threading.Barrier(6)

        def start(
            index: int,
            path: Path = path,
            held: list[Storage] = held,
            locked: list[StorageError] = locked,
            barrier: threading.Barrier = barrier,
        ) -> None:
            barrier.wait()
            try:
                held.append(open_directory(path))
            except StorageLocked as error:
                locked.append(error)

        in_threads(6, start)
        assert (len(held), len(locked)) == (1, 5)
        held[0].close()


@posix_only
def test_while_one_opens_a_directory_another_does_not_touch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that ask SQLite for the lock of a new file at the same moment neither gets it."""
    real, tried = Database.read, []

    def read(self: Database) -> object:
        if not tried:
            tried.append(True)
            with pytest.raises(StorageLocked) as caught:
                open_directory(tmp_path / "data")
            assert isinstance(caught.value.__cause__, BlockingIOError)
        return real(self)

    monkeypatch.setattr(Database, "read", read)
    open_directory(tmp_path / "data").close()
    assert tried


@posix_only
def test_a_child_forked_while_it_opens_does_not_keep_it_locked(tmp_path: Path) -> None:
    done = run_script(f"""
        import os, time
        from vines.storage.database import Database
        from vines.storage.directory import open_directory
        real, children = Database.read, []
        def read(self):
            if not children:
                children.append(os.fork())
                if children == [0]:
                    time.sleep(3600)
            return real(self)
        Database.read = read
        try:
            open_directory({str(tmp_path / "data")!r}).close()
            print(open_directory({str(tmp_path / "data")!r}).boot)
        finally:
            os.kill(children[0], 9)
    """)
    assert done.stdout == "2\n", done.stderr


@posix_only
def test_the_death_of_a_process_frees_its_directory(tmp_path: Path) -> None:
    code = f"""
from vines.storage.directory import open_directory
import sys
storage = open_directory({str(tmp_path / "data")!r})
storage.write([(b"a", b"1")])
print(storage.identity.hex(), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        identity = bytes.fromhex(process.stdout.readline())
        refuses(tmp_path / "data", StorageLocked, "open already")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert reopened(tmp_path / "data") == (identity, 2, "", {b"a": b"1"})


@posix_only
@pytest.mark.parametrize("end", ["sys.exit()", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_forked_child_cannot_use_or_harm_it(end: str, tmp_path: Path) -> None:
    """Whatever the child does and however it ends, normal ends with their clean-up included."""
    done = run_script(f"""
        import gc, os, sys
        from vines.errors import Closed
        from vines.storage.directory import open_directory
        from vines.storage.memory import MemoryStorage
        storage, other = open_directory({str(tmp_path / "data")!r}), MemoryStorage()
        storage.write([(b"a", b"1")])
        child = os.fork()
        if child == 0:
            for one in (storage, other):
                try:
                    one.write([(b"b", b"2")])
                    os._exit(77)
                except Closed as error:
                    assert "parent" in str(error)
                one.close()
            del storage, other, one
            gc.collect()
            {end}
        assert os.waitpid(child, 0)[1] != 77 << 8, "it can write"
        storage.write([(b"c", b"3")])
        print(storage.failed, other.failed, storage.identity.hex(), flush=True)
        os.kill(os.getpid(), 9)
    """)
    assert done.stdout.startswith("None None "), done.stderr
    identity = bytes.fromhex(done.stdout.split()[2])
    assert reopened(tmp_path / "data") == (identity, 2, "", {b"a": b"1", b"c": b"3"})


@posix_only
def test_a_forgotten_storage_stays_locked_and_loses_nothing(tmp_path: Path) -> None:
    storage = open_directory(tmp_path / "data")
    storage.write([(b"a", b"1")])
    held = storage
    del storage
    refuses(tmp_path / "data", StorageLocked, "open already")
    held.close()
    done = run_script(f"""
        from vines.storage.directory import open_directory
        open_directory({str(tmp_path / "data")!r}).write([(b"b", b"2")])
    """)
    assert done.returncode == 0, done.stderr
    assert reopened(tmp_path / "data")[1:] == (3, "", {b"a": b"1", b"b": b"2"})


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("locking_mode", "normal"),
        ("journal_mode", "delete"),
        ("synchronous", 1),
        ("fullfsync", 0),
        ("checkpoint_fullfsync", 0),
        ("wal_autocheckpoint", 1000),
        ("cell_size_check", 0),
        ("cache_size", -2000),
        ("busy_timeout", 5),
    ],
)
def test_an_sqlite_that_does_not_do_what_it_is_told_is_not_trusted(
    name: str, answered: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            if sql.startswith(f"PRAGMA {name} ="):
                sql = f"PRAGMA {name} = {answered}"
            return super().execute(sql, *rest)

    first = made(tmp_path / "data")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Deaf))
    # One that is in that mode already is so whatever is asked.
    for path in [tmp_path / "new"] + [tmp_path / "data"] * (name != "journal_mode"):
        with pytest.raises(StorageUnusable, match=f"answers .?{answered}.? to PRAGMA {name}"):
            open_directory(path)
    monkeypatch.undo()
    assert reopened(tmp_path / "data") == (first.identity, 3, "", RECORDS)


def test_an_open_database_is_set_to_lose_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        storage = open_directory(tmp_path / "data")
        assert isinstance(storage, DirectoryStorage)
        connection = storage._database._connection
        wanted: dict[str, object] = {
            "journal_mode": "wal",
            "synchronous": 2,
            "locking_mode": "exclusive",
            "fullfsync": 1,
            "checkpoint_fullfsync": 1,
            "busy_timeout": 0,
        }
        for name, answer in wanted.items():
            assert connection.execute(f"PRAGMA {name}").fetchone() == (answer,)
        assert connection.execute("PRAGMA mmap_size").fetchone() in ((0,), None)
        storage.close()


@linux_only
def test_no_descriptor_is_kept(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "other" / "vines.db").write_bytes(b"no database" * 1000)
    open_directory(tmp_path / "data").close()
    before = descriptors()
    for _ in range(5):
        open_directory(tmp_path / "data").close()
        with pytest.raises(StorageError):
            open_directory(tmp_path / "other")
    assert descriptors() == before


def test_sqlite_is_imported_only_to_open_a_directory() -> None:
    done = run_script("""
        import sys
        import vines.storage.memory, vines.storage.directory
        vines.storage.memory.MemoryStorage().write([(b"a", b"1")])
        print({"sqlite3", "ctypes"} & sys.modules.keys())
    """)
    assert done.stdout == "set()\n", done.stderr


def test_a_python_without_sqlite_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(StorageUnusable, match=r"built without sqlite3.* nothing changed: "):
        open_directory(tmp_path / "data")
    assert not (tmp_path / "data").exists()
