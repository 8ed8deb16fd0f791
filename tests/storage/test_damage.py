"""Files that are not as they were left: refused without a change, or as good as they were."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.storage.places import PAGE, contents, crashed, fill, made, refuses, reopened
from vines.errors import (
    StorageDamaged,
    StorageError,
    StorageForeign,
    StorageMissing,
    StorageNewer,
    StorageRolledBack,
)
from vines.storage.contract import Storage
from vines.storage.directory import DirectoryStorage, open_directory
from vines.storage.mark import Mark

FIRST = "WHERE place = (SELECT min(place) FROM records)"
DATABASE, LOG, MARK = "vines.db", "vines.db-wal", "vines.mark"


class Victim:
    """The files of a directory that was closed or crashed, to be opened with one changed."""

    def __init__(self, path: Path, storage: Storage, files: dict[str, bytes]) -> None:
        self.files = files
        self._path = path
        self._storage = storage

    def survives(self, name: str, content: bytes) -> bool:
        """Whether it opens with this file changed: then it has all it had, and can go on.

        An error that is none of ours, or a file that a refusal changed, fails the test.
        """
        files = {**self.files, name: content}
        fill(self._path, files)
        try:
            storage = open_directory(self._path)
        except StorageError:
            left = contents(self._path)
            if sys.version_info < (3, 12):
                left.setdefault(LOG, content)  # SQLite removes one in which it found nothing
            assert {**left, LOG: b""} == {**files, LOG: b""}
            assert left.get(LOG, b"") == files.get(LOG, b"") or name != LOG
            return False
        now = (storage.identity, storage.boot, storage.records())
        assert now == (self._storage.identity, self._storage.boot + 1, self._storage.records())
        storage.write([(b"key3", b"new"), (b"key4", None), (b"zz", b"y" * 5000)])
        storage.close()
        after = {**now[2], b"key3": b"new", b"zz": b"y" * 5000}
        after.pop(b"key4", None)
        assert reopened(self._path)[3] == after
        return True

    def flips(self, name: str, bits: Iterable[int]) -> int:
        """How many of these bits of a file can be flipped and nobody minds."""
        harmless = 0
        for bit in bits:
            content = bytearray(self.files[name])
            content[bit // 8] ^= 1 << bit % 8
            harmless += self.survives(name, bytes(content))
        return harmless


@pytest.fixture
def closed(quick_path: Path) -> Victim:
    """One that was closed: everything is in the database."""
    storage = made(quick_path / "data")
    return Victim(quick_path / "victim", storage, contents(quick_path / "data"))


@pytest.fixture
def killed(quick_path: Path) -> Victim:
    """One whose process was killed: everything of its last start is in the log."""
    made(quick_path / "data")
    storage = open_directory(quick_path / "data")
    for number in range(6):
        storage.write([(b"key%d" % number, None), (b"new%d" % number, b"1" * 700)])
    files = contents(crashed(quick_path / "data", quick_path / "copy"))
    storage.close()
    assert len(files[LOG]) > 10 * PAGE
    return Victim(quick_path / "victim", storage, files)


@pytest.mark.parametrize("kind", ["closed", "killed"])
def test_a_victim_survives_if_nothing_is_done_to_it(
    kind: str, request: pytest.FixtureRequest
) -> None:
    victim: Victim = request.getfixturevalue(kind)
    for name, content in victim.files.items():
        assert victim.survives(name, content)


def test_a_database_that_lost_its_end_is_found(closed: Victim) -> None:
    whole = closed.files[DATABASE]
    pages = range(0, len(whole), PAGE)
    assert len(pages) >= 5
    edges = {page + step for page in pages for step in (-1, 0, 1, 100)} & set(range(len(whole)))
    for length in sorted(edges | set(range(0, len(whole), 7))):
        survived = closed.survives(DATABASE, whole[:length])
        assert not (survived and whole[length:].strip(b"\0")), "what was cut off was not empty"


def test_a_page_in_the_place_of_another_is_found(closed: Victim) -> None:
    whole = closed.files[DATABASE]
    pages = range(0, len(whole), PAGE)
    for one in pages:
        for other in {*pages} - {one}:
            page = whole[other : other + PAGE]
            assert not closed.survives(DATABASE, whole[:one] + page + whole[one + PAGE :])
        assert not closed.survives(DATABASE, whole[:one] + bytes(PAGE) + whole[one + PAGE :])


def test_no_flipped_bit_changes_what_is_read(closed: Victim) -> None:
    bits = len(closed.files[DATABASE]) * 8
    assert 0 < closed.flips(DATABASE, range(5, bits, 97)) < bits // 97


def test_no_flipped_bit_of_the_header_changes_what_is_read(closed: Victim) -> None:
    assert closed.flips(DATABASE, range(108 * 8)) < 108 * 8 // 2


def test_no_flipped_bit_of_the_schema_changes_what_is_read(closed: Victim) -> None:
    start = closed.files[DATABASE].index(b"tablerecords")
    assert not closed.flips(DATABASE, range((start - 7) * 8, PAGE * 8, 7))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_no_flipped_bit_at_all_changes_what_is_read(closed: Victim) -> None:
    closed.flips(DATABASE, range(len(closed.files[DATABASE]) * 8))


def test_a_log_that_lost_its_end_is_found(killed: Victim) -> None:
    whole = killed.files[LOG]
    frames = range(32, len(whole), 24 + PAGE)
    edges = {0, 1, 31, *frames, *(frame - 1 for frame in frames), *(frame + 24 for frame in frames)}
    for length in sorted(edges | set(range(0, len(whole), 997))):
        assert not killed.survives(LOG, whole[:length])
    fill(killed._path, {name: killed.files[name] for name in (DATABASE, MARK)})
    refuses(killed._path, StorageRolledBack, "a voter that forgot may vote twice")


def test_no_flipped_bit_of_a_log_changes_what_is_read(killed: Victim) -> None:
    bits = len(killed.files[LOG]) * 8
    assert killed.flips(LOG, range(32 * 8)) < 32 * 8
    assert not killed.flips(LOG, range(32 * 8, bits, 977))


def test_a_mark_is_whole_or_none(closed: Victim) -> None:
    whole = closed.files[MARK]
    assert 32 <= len(whole) <= 64
    assert not closed.flips(MARK, range(len(whole) * 8))
    for length in range(len(whole)):
        assert not closed.survives(MARK, whole[:length])
    assert not closed.survives(MARK, whole + b"\0")


def test_a_directory_that_lost_its_mark_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "data")
    (tmp_path / "data" / MARK).unlink()
    refuses(tmp_path / "data", StorageDamaged, "vines.mark is missing.* as a new identity")


def test_the_mark_of_another_directory_is_none(tmp_path: Path) -> None:
    for name in ("data", "other"):
        made(tmp_path / name)
    fill(
        tmp_path / "data",
        contents(tmp_path / "data") | {MARK: contents(tmp_path / "other")[MARK]},
    )
    refuses(tmp_path / "data", StorageDamaged, "not the one that was here")


@pytest.mark.parametrize("mark", [None, b"", bytes(40), b"torn" * 30])
def test_a_first_start_that_was_cut_short_is_taken_up(mark: bytes | None, tmp_path: Path) -> None:
    """Nobody has heard of an identity that never finished a start."""
    first = open_directory(tmp_path / "data", name="a", new=True)
    files = contents(crashed(tmp_path / "data", tmp_path / "copy"))
    first.close()
    del files[MARK]
    fill(tmp_path / "copy", files if mark is None else {**files, MARK: mark})
    again = open_directory(tmp_path / "copy", name="a")
    assert (again.identity, again.boot) == (first.identity, 2)
    again.write([(b"a", b"1")])
    again.close()
    assert reopened(tmp_path / "copy") == (first.identity, 3, "a", {b"a": b"1"})


def test_a_mark_made_anew_is_there_before_the_next_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_directory(tmp_path / "data").close()
    (tmp_path / "data" / MARK).write_bytes(b"torn")

    def cut(self: Mark) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Mark, "sync", cut)
    with pytest.raises(KeyboardInterrupt):
        open_directory(tmp_path / "data")
    monkeypatch.undo()
    assert reopened(tmp_path / "data")[1] == 2


def test_a_mark_may_be_behind(tmp_path: Path) -> None:
    """By one after kill -9; after a power cut it is the one of this start."""
    storage = open_directory(tmp_path / "data")
    marks = [contents(tmp_path / "data")[MARK]]
    for number in range(3):
        storage.write([(b"a", b"%d" % number)])
        marks.append(contents(tmp_path / "data")[MARK])
    assert len({*marks}) == 4
    for mark in marks:
        copy = crashed(tmp_path / "data", tmp_path / "copy")
        (copy / MARK).write_bytes(mark)
        assert reopened(copy)[3] == {b"a": b"2"}
    storage.close()


def test_a_mark_of_a_later_start_is_ahead_whatever_its_commit(tmp_path: Path) -> None:
    """As when the files of two copies of one directory were mixed up."""
    storage = open_directory(tmp_path / "data")
    assert isinstance(storage, DirectoryStorage)
    storage.write([(b"a", b"1")])
    storage._mark.write(storage._meta._replace(generation=1, boot=2))
    storage.close()
    refuses(tmp_path / "data", StorageRolledBack, "start 1, and held commit 1 of start 2")


def test_what_is_in_the_log_is_on_disk_before_a_start_goes_on(tmp_path: Path) -> None:
    """After kill -9 the system may show what was never synced."""
    storage = open_directory(tmp_path / "data")
    for number in range(20):
        storage.write([(b"a", b"%d" % number * 100)])
    copy = crashed(tmp_path / "data", tmp_path / "copy")
    storage.close()
    assert b"19" * 100 not in contents(copy)[DATABASE]
    again = open_directory(copy)
    assert b"19" * 100 in contents(crashed(copy, tmp_path / "copy2"))[DATABASE]
    assert len(contents(tmp_path / "copy2")[LOG]) < 3 * PAGE
    again.close()


def test_a_database_that_went_back_is_found(tmp_path: Path) -> None:
    """By one commit, by one start, or to where it began; restored alone, or lost by the disk."""
    storage = open_directory(tmp_path / "data")
    olds = [contents(crashed(tmp_path / "data", tmp_path / "copy"))]
    for number in range(2):
        storage.write([(b"a", b"%d" % number)])
        olds.append(contents(crashed(tmp_path / "data", tmp_path / "copy")))
    storage.close()
    open_directory(tmp_path / "data").close()
    olds.append(contents(tmp_path / "data"))
    storage = open_directory(tmp_path / "data")
    storage.close()
    now = contents(tmp_path / "data")
    for old in olds:
        fill(tmp_path / "copy", {**old, MARK: now[MARK]})
        refuses(tmp_path / "copy", StorageRolledBack, "restored from a backup.* new identity")


@pytest.mark.parametrize("content", [None, b""])
@pytest.mark.parametrize("rest", [MARK, LOG])
@pytest.mark.parametrize("new", [False, True])
def test_a_directory_that_lost_its_database_is_not_empty(
    content: bytes | None, rest: str, new: bool, killed: Victim
) -> None:
    files = {rest: killed.files[rest]}
    fill(killed._path, files if content is None else {**files, DATABASE: content})
    refuses(killed._path, StorageRolledBack, f"one beside {rest}", name="a", new=new)


def unborn(path: Path) -> None:
    """A database as a first start leaves it that was cut short before it wrote anything."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.close()
    assert path.stat().st_size == PAGE


@pytest.mark.parametrize("content", [b"", None])
def test_a_database_in_which_nothing_was_ever_written_is_none(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    if content is None:
        unborn(path / DATABASE)
    else:
        (path / DATABASE).write_bytes(content)
    refuses(path, StorageMissing, "holds nothing", name="a")
    assert open_and_close(path, name="a", new=True) == ("a", 1)
    assert open_and_close(path, name="a") == ("a", 2)


def open_and_close(path: Path, *, name: str, new: bool = False) -> tuple[str, int]:
    _, boot, held, _ = reopened(path, name=name, new=new)
    return held, boot


def test_a_mark_says_that_an_unborn_database_is_a_lost_one(tmp_path: Path) -> None:
    made(tmp_path / "data")
    for one in (DATABASE, LOG):
        (tmp_path / "data" / one).unlink(missing_ok=True)
    unborn(tmp_path / "data" / DATABASE)
    refuses(tmp_path / "data", StorageRolledBack, "vines.mark", new=True)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE theirs (a)",
        "CREATE TABLE theirs (a); DROP TABLE theirs",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
        "PRAGMA journal_mode = wal; CREATE TABLE meta (a); CREATE TABLE records (a)",
    ],
)
def test_the_database_of_another_program_is_refused(script: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    connection.executescript(script)
    connection.close()
    refuses(path, StorageForeign, "another program", new=True)


@pytest.mark.parametrize(
    ("script", "kind", "match"),
    [
        ("PRAGMA user_version = 2", StorageNewer, "format is 2, and this one knows 1"),
        ("PRAGMA user_version = 0", StorageDamaged, "tables"),
        ("PRAGMA application_id = 7", StorageForeign, "another program"),
        ("PRAGMA journal_mode = delete", StorageDamaged, "no log"),
        ("CREATE TABLE more (a)", StorageDamaged, "tables"),
        ("CREATE INDEX more ON records (content)", StorageDamaged, "tables"),
        ("DROP TABLE records", StorageDamaged, "tables"),
        ("DELETE FROM meta", StorageDamaged, "not one row"),
        ("INSERT INTO meta SELECT * FROM meta", StorageDamaged, "not one row"),
        ("UPDATE meta SET boot = -1", StorageDamaged, "checksum of its meta"),
        ("UPDATE meta SET boot = boot + 1", StorageDamaged, "checksum of its meta"),
        ("UPDATE meta SET boot = boot + 0.5", StorageDamaged, "not one row"),
        ("UPDATE meta SET name = x'ff'", StorageDamaged, "checksum of its meta"),
        ("UPDATE meta SET identity = x''", StorageDamaged, "checksum of its meta"),
        ("UPDATE meta SET identity = randomblob(16)", StorageDamaged, "checksum of its meta"),
        ("UPDATE meta SET generation = generation - 1", StorageDamaged, "checksum of its meta"),
        (f"UPDATE records SET content = x'80' {FIRST}", StorageDamaged, "checksum of a row"),
        (f"UPDATE records SET place = place + 99 {FIRST}", StorageDamaged, "checksum of a row"),
        (f"UPDATE records SET place = -place {FIRST}", StorageDamaged, "checksum of a row"),
        (f"UPDATE records SET content = '' {FIRST}", StorageDamaged, "a row .* is not one"),
        (f"UPDATE records SET seal = NULL {FIRST}", StorageDamaged, "a row .* is not one"),
        (f"DELETE FROM records {FIRST}", StorageDamaged, "2 of 3 rows"),
        ("DELETE FROM records", StorageDamaged, "0 of 3 rows"),
    ],
)
def test_what_is_whole_for_sqlite_is_checked_for_what_it_says(
    script: str, kind: type[StorageError], match: str, tmp_path: Path
) -> None:
    made(tmp_path / "data")
    connection = sqlite3.connect(tmp_path / "data" / DATABASE, isolation_level=None)
    connection.execute(script)
    connection.close()
    refuses(tmp_path / "data", kind, match)


def test_a_lost_row_and_one_too_many_do_not_make_up_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of an older copy is whole in itself."""
    monkeypatch.setattr("vines.storage.database.SPARE_BYTES", 0)
    path = tmp_path / "data"
    first = open_directory(path)
    first.write([(b"a", b"1"), (b"b", b"1")])
    first.close()
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    old = connection.execute("SELECT * FROM records").fetchone()
    connection.close()
    second = open_directory(path)
    second.write([(b"a", b"2")])
    second.close()
    connection = sqlite3.connect(path / DATABASE, isolation_level=None)
    assert old not in connection.execute("SELECT * FROM records").fetchall()
    connection.execute(f"DELETE FROM records {FIRST}")
    connection.execute("INSERT INTO records VALUES (?, ?, ?)", old)
    connection.close()
    refuses(path, StorageDamaged, "2 of 2 rows are there, or wrong ones")


def test_random_bytes_are_no_database(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    for content in (b"\0" * PAGE, b"\xff" * PAGE * 2, b"SQLite format 3\0", b"hello"):
        (path / DATABASE).write_bytes(content)
        refuses(path, StorageDamaged, "is damaged")
