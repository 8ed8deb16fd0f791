"""Vines with a data directory: who they are and what they promised outlives their process."""

from __future__ import annotations

import logging
import os
import queue
import re
import shutil
import sqlite3
import threading

import pytest

from tests.vine.helpers import PATIENCE, Calls
from vines.errors import (
    Closed,
    InvalidConfig,
    InvalidElection,
    StorageDamaged,
    StorageForeign,
    StorageLocked,
    StorageMissing,
    StorageNewer,
    StorageRolledBack,
    StorageUnusable,
    VoteRefused,
)
from vines.events import Conflict
from vines.vine import Vine

NAMES = ["a", "b", "c"]


@pytest.fixture
def start(tmp_path):
    """Begins a vine with a data directory of its name, joined to those that run."""
    running: list[Vine] = []

    def begin(name: str, *, new: bool = True, told=None, **options) -> Vine:
        vine = Vine(name, data_dir=tmp_path / name, new=new, **options)
        if told is not None:
            vine.on("conflict", told)
        vine.listen()
        for other in running:
            if not other._engine.refusal:
                vine.join(other.address)
        running.append(vine)
        return vine

    yield begin
    for vine in running:
        vine.end()


def elect(vines, topic="t", **options):
    for vine in vines:
        vine.election(topic=topic, expire=60, **options).vote(topic, True)
    return [vine.wait(topic, PATIENCE) for vine in vines]


def test_a_name_keeps_its_id(start):
    first = start("a")
    first.end()
    assert start("a", new=False).id == first.id


def test_named_voters_decide_and_remember(start):
    vines = [start(name) for name in NAMES]
    told = []
    for vine in vines:
        vine.on("quorum", told.append)
    outcomes = elect(vines, voters=NAMES)
    assert len({outcome.election for outcome in outcomes}) == 1
    assert outcomes[0].owner in NAMES
    for vine in vines:
        vine.end()
    assert len(told) == 1
    again = [start(name, new=False) for name in NAMES]
    for vine in again:
        vine.on("quorum", told.append)
        assert vine.outcome("t") == outcomes[0]
    assert elect(again, voters=NAMES) == outcomes
    assert len(told) == 1


def test_an_owner_that_was_killed_in_its_callback_finds_it_interrupted(start):
    vine = start("a")
    begun, ended = threading.Event(), threading.Event()

    def act():
        begun.set()
        ended.wait(PATIENCE)

    vine.on("quorum", act)
    vine.election(topic="t", expire=60, voters=["a"]).vote("t", True)
    assert begun.wait(PATIENCE)
    vine.end()
    ended.set()
    again = start("a", new=False)
    assert [outcome.topic for outcome in again.interrupted()] == ["t"]
    again.election(topic="t", expire=60, voters=["a"]).rerun("t").vote("t", True)
    assert again.wait("t", PATIENCE).round == 1
    assert again.interrupted() == []


def test_a_callback_that_returned_is_not_interrupted(start):
    vine = start("a")
    vine.on("quorum", lambda: None)
    elect([vine], voters=["a"])
    elect([vine], topic="later", voters=["a"])  # the first callback has returned by then
    vine.leave()
    assert "t" not in [outcome.topic for outcome in start("a", new=False).interrupted()]


def test_a_rerun_opens_the_next_round(start):
    vines = [start(name) for name in NAMES[:2]]
    elect(vines, total=2)
    for vine in vines:
        vine.rerun("t").vote("t", True)
    assert [vine.wait("t", PATIENCE).round for vine in vines] == [1, 1]
    assert [vine.outcome("t").round for vine in vines] == [1, 1]


# Bad directories.


def test_a_directory_is_open_once(start, tmp_path):
    start("a")
    with pytest.raises(StorageLocked):
        Vine("a", data_dir=tmp_path / "a")


def test_a_name_that_may_have_voted_needs_its_directory(tmp_path, caplog):
    with caplog.at_level(logging.ERROR, "vines"):
        vine = Vine("a", data_dir=tmp_path / "empty")
    assert "no part in elections" in caplog.text
    with vine:
        vine.listen()
        vine.gossip("key", 1)
        assert vine["key"] == 1
        for use in (
            lambda: vine.election(topic="t", expire=9, voters=["a"]),
            lambda: vine.vote("t", True),
            lambda: vine.rerun("t"),
        ):
            with pytest.raises(StorageMissing, match="new=True"):
                use()


def test_a_damaged_directory_ends_the_voting_and_not_the_node(start, tmp_path):
    vine = start("a")
    elect([vine], voters=["a"])
    vine.end()
    (database,) = (tmp_path / "a").glob("*.db")
    content = bytearray(database.read_bytes())
    content[content.index(b"part")] ^= 0xFF
    database.write_bytes(content)
    other = start("b")
    again = start("a", new=False)
    assert again.id != vine.id
    again.wait_for(2, PATIENCE)
    other.gossip("key", 1).flush(PATIENCE)
    assert again["key"] == 1
    with pytest.raises(StorageDamaged, match="no part in elections"):
        again.election(topic="u", expire=9, voters=["a"])
    assert database.read_bytes() == bytes(content)


def truncated(directory):
    database = directory / "vines.db"
    database.write_bytes(database.read_bytes()[:-4096])


def older(directory):
    (directory / "vines.db").write_bytes((directory / "backup").read_bytes())


def without_its_mark(directory):
    (directory / "vines.mark").unlink()


def without_its_database(directory):
    (directory / "vines.db").unlink()


def of_another_program(directory):
    for file in directory.iterdir():
        file.unlink()
    with sqlite3.connect(directory / "vines.db") as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def newer(directory):
    with sqlite3.connect(directory / "vines.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def of_another_name(directory):
    shutil.rmtree(directory)
    Vine("b", data_dir=directory, new=True).end()


def open_to_others(directory):
    directory.chmod(0o777)


def a_file(directory):
    shutil.rmtree(directory)
    directory.write_bytes(b"")


def missing(directory):
    shutil.rmtree(directory)


@pytest.mark.parametrize(
    ("spoil", "kind", "remedy"),
    [
        (truncated, StorageDamaged, "start with an empty directory"),
        (without_its_mark, StorageDamaged, "start with an empty directory"),
        (older, StorageRolledBack, "start with an empty directory"),
        (without_its_database, StorageRolledBack, "start with an empty directory"),
        (newer, StorageNewer, "use that vines"),
        (of_another_program, StorageForeign, "give a directory of vines"),
        (of_another_name, StorageForeign, "a directory of its own"),
        (a_file, StorageUnusable, "give the path of one"),
        (missing, StorageMissing, "give the directory that 'a' had"),
        pytest.param(
            *(open_to_others, StorageUnusable, "chmod go-w"),
            marks=pytest.mark.skipif(os.name != "posix", reason="no such permissions here"),
        ),
    ],
)
def test_with_a_directory_that_is_no_good_a_vine_lives_and_does_not_vote(
    start, tmp_path, spoil, kind, remedy
):
    directory = tmp_path / "a"
    vine = start("a")
    vine.end()
    shutil.copy(directory / "vines.db", tmp_path / "copy")
    vine = start("a", new=False)
    elect([vine], voters=["a"])
    vine.end()
    shutil.move(tmp_path / "copy", directory / "backup")
    spoil(directory)
    before = files(directory)
    told: queue.SimpleQueue[Conflict] = queue.SimpleQueue()
    again = start("a", new=False, told=told.put)
    assert again.id != vine.id
    conflict = told.get(timeout=PATIENCE)
    assert conflict.kind == "storage" and re.search(remedy, conflict.text)
    for use in (
        lambda: again.election(topic="u", expire=9, voters=["a"]),
        lambda: again.election(topic="u", expire=9, total=1),
        lambda: again.vote("t", True),
        lambda: again.rerun("t"),
    ):
        with pytest.raises(kind, match=remedy) as caught:
            use()
        assert "nothing changed" in str(caught.value)
    assert again.interrupted() == []
    start("other").gossip("key", 1).flush(PATIENCE)
    assert again["key"] == 1
    again.end()
    assert files(directory) == before


def files(path):
    if not path.is_dir():
        return path.exists()
    found = {one.name: one.read_bytes() for one in path.iterdir()}
    # Of a database that was opened and left as it is, an empty log may come or go.
    return {name: content for name, content in found.items() if content or "-wal" not in name}


def test_a_disk_that_fails_while_it_runs_ends_the_voting(start, monkeypatch):
    vines = [start(name) for name in NAMES]
    conflicts = Calls()
    vines[0].on("conflict", conflicts)
    storage = vines[0]._engine.storage
    monkeypatch.setattr(
        storage._database, "commit", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )
    vines[0].election(topic="t", expire=60, voters=NAMES)
    for vine in vines[1:]:
        vine.election(topic="t", expire=60, voters=NAMES).vote("t", True)
    assert vines[0].wait("t", PATIENCE).kind == "commit"
    assert [event.kind for event in conflicts.wait()] == ["storage"]
    with pytest.raises(OSError, match="no part in elections"):
        vines[0].vote("u", True)
    vines[0].gossip("key", 1).flush(PATIENCE)


def test_a_directory_and_an_id_exclude_each_other(tmp_path):
    with pytest.raises(InvalidConfig, match="data directory"):
        Vine(data_dir=tmp_path, node_id=bytes(16))


def test_a_home_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with Vine(data_dir="~/data"):
        assert (tmp_path / "data").is_dir()


def test_what_was_kept_before_the_end_is_on_disk(tmp_path):
    """A callback that has returned is not interrupted, however soon the end comes after it."""
    for number in range(10):
        vine = Vine(data_dir=tmp_path / str(number)).listen()
        second = threading.Event()
        vine.on("quorum", lambda outcome, second=second: outcome.topic == "u" and second.set())
        for topic in ("t", "u"):
            vine.election(topic=topic, expire=60, total=1).vote(topic, True)
        assert second.wait(PATIENCE)  # so the first has returned
        vine.end()
        with Vine(data_dir=tmp_path / str(number)) as again:
            assert "t" not in [outcome.topic for outcome in again.interrupted()]


def test_it_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("VINES_DATA_DIR", str(tmp_path / "d"))
    with Vine() as one:
        pass
    with Vine() as other:
        assert other.id == one.id


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_it_alone(tmp_path):
    vine = Vine("a", data_dir=tmp_path / "a", new=True)
    child = os.fork()
    if child == 0:
        try:
            vine.vote("t", True)
        except Closed as error:
            os._exit(0 if "data directory" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    vine.listen().election(topic="t", expire=60, voters=["a"]).vote("t", True)
    assert vine.wait("t", PATIENCE).kind == "commit"
    vine.end()


# Who may vote.


@pytest.mark.parametrize(
    "voters",
    [
        [],
        {},
        "a",
        b"bytes",
        5,
        ["a", "a"],
        ["a", ""],
        ["a", 5],
        ["a", b"short"],
        ["\x00"],
        {"a": -1},
        {"a": 1.0},
        {"a": True},
        {"a": 0},
        {"a": 1 << 60},
    ],
)
def test_voters_that_make_no_sense(voters):
    with Vine() as vine, pytest.raises(InvalidElection, match="nothing changed"):
        vine.election(topic="t", expire=9, voters=voters)


@pytest.mark.parametrize(
    "options",
    [
        {"voters": ["a"], "total": 1},
        {"voters": ["a", "b"], "min": 3},
        {"voters": ["a", "b"], "council": 3},
        {"voters": ["a", "b"], "council": -1},
        {"voters": ["a", "b"], "council": True},
        {"voters": ["a", "b"], "tiebreak": 1},
        {"voters": ["a", "b"], "weights": {}},
        {"total": 2, "choices": ["a", 5]},
        {"total": 2, "choices": ["a", ["b"]]},
        {"total": 2, "choices": ["a", "\ud800"]},
        {"total": 2, "choices": ["a", "x" * 257]},
    ],
)
def test_options_that_make_no_sense(options):
    with Vine() as vine, pytest.raises(InvalidElection):
        vine.election(topic="t", expire=9, **options)


def test_a_named_voter_without_a_directory_is_told_what_to_do():
    with Vine("a").listen() as vine:
        vine.election(topic="t", expire=9, voters=["a", "b"])
        with pytest.raises(VoteRefused, match=r"Vine\(data_dir=...\)"):
            vine.vote("t", True)


def test_somebody_else_is_told_that_it_is_no_voter(start):
    vine = start("c")
    vine.election(topic="t", expire=9, voters=["a", "b"])
    with pytest.raises(VoteRefused, match="not in the electorate"):
        vine.vote("t", True)


def test_weights_and_a_tiebreak(start):
    vines = [start(name) for name in NAMES[:2]]
    outcomes = elect(vines, voters={"a": 2, "b": 1}, tiebreak=True, min=3)
    assert {outcome.kind for outcome in outcomes} == {"commit"}
    assert outcomes[0].votes == {"a": True, "b": True}
