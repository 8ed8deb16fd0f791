from __future__ import annotations

from types import SimpleNamespace

import pytest

from vines.config import Config
from vines.engine import discovery
from vines.engine.discovery import Discovery
from vines.events import ALIVE, DEAD
from vines.net.local import LocalDirectory


class Here:
    """A loop and a node that only note what they are asked, and what is in the directory."""

    def __init__(self, root, **settings) -> None:
        self.id = b"h" * 16
        self.alive: list = [("127.0.0.1", 1)]
        self.dead: list = []
        self.joined: list = []
        self.every_look = None
        self.discovery = Discovery(Config(cluster="shop", **settings), self)
        if self.discovery._directory is not None:
            self.discovery._directory = LocalDirectory("shop", root=root)

    def members(self) -> list:
        alive = [SimpleNamespace(address=address, state=ALIVE) for address in self.alive]
        return alive + [SimpleNamespace(address=address, state=DEAD) for address in self.dead]

    def join(self, addresses, now) -> None:
        self.joined.append(list(addresses))

    def call(self, function) -> None:
        function(0.0)

    def every(self, interval, function) -> None:
        assert self.every_look is None
        self.every_look = function

    def look(self) -> list:
        """What one more look joins."""
        self.joined.clear()
        self.every_look(0.0)
        return sorted(address for joined in self.joined for address in joined)


@pytest.fixture
def root(tmp_path):
    tmp_path.chmod(0o700)
    return str(tmp_path)


@pytest.fixture
def publish(root):
    published = []

    def put(*ports: int, host: str = "127.0.0.1") -> None:
        for port in ports:
            directory = LocalDirectory("shop", root=root)
            directory.publish(f"{port:032x}", (host, port))
            published.append(directory)

    yield put
    for directory in published:
        directory.close()


def test_it_publishes_before_it_looks_and_joins_who_is_there(root, publish):
    publish(7, 8)
    here = Here(root)
    here.discovery.start(here, ("0.0.0.0", 1))
    assert ("127.0.0.1", 1) in LocalDirectory("shop", root=root).scan()
    assert here.look() == [("127.0.0.1", 7), ("127.0.0.1", 8)]
    here.discovery.close()
    assert ("127.0.0.1", 1) not in LocalDirectory("shop", root=root).scan()


def test_who_is_there_already_leaves_it_to_the_newcomer_for_one_look(root, publish):
    here = Here(root)
    here.discovery.start(here, None)
    here.alive.append(("127.0.0.1", 6))
    publish(7)
    assert here.look() == []
    assert here.look() == [("127.0.0.1", 7)]
    assert here.look() == []


def test_it_joins_nobody_twice_and_no_member(root, publish):
    publish(7, 8, 9)
    here = Here(root)
    here.discovery.start(here, None)
    here.alive.append(("127.0.0.1", 8))
    here.dead.append(("127.0.0.1", 9))
    assert here.look() == []
    assert here.look() == [("127.0.0.1", 7), ("127.0.0.1", 9)]
    here.alive.pop()
    assert here.look() == [("127.0.0.1", 8)]
    assert here.look() == []


def test_it_joins_few_at_once_and_not_for_ever(root, publish, monkeypatch):
    monkeypatch.setattr(discovery, "JOINED_AT_ONCE_MAX", 3)
    monkeypatch.setattr(discovery, "JOINED_MAX", 5)
    publish(*range(10, 20))
    here = Here(root)
    here.discovery.start(here, None)
    assert [len(here.look()) for _ in range(4)] == [3, 2, 0, 0]


@pytest.mark.parametrize("insecure", [False, True])
def test_beyond_this_machine_only_if_that_was_said(root, publish, insecure):
    publish(7, host="10.0.0.1")
    here = Here(root, insecure=insecure)
    here.discovery.start(here, None)
    assert here.look() == ([("10.0.0.1", 7)] if insecure else [])


def test_without_a_name_it_neither_publishes_nor_looks():
    here = SimpleNamespace()
    idle = Discovery(Config(), here)
    idle.start(here, ("127.0.0.1", 1))
    idle.refused(("127.0.0.1", 1))
    idle.close()


def test_a_directory_that_cannot_be_used_is_logged_and_no_failure(tmp_path, caplog):
    (tmp_path / "vines").write_text("a file")
    tmp_path.chmod(0o700)
    here = Here(str(tmp_path))
    here.discovery.start(here, ("127.0.0.1", 1))
    assert here.look() == []
    assert "cannot find this one" in caplog.text


def test_started_again_it_publishes_but_looks_only_once(root):
    here = Here(root)
    here.discovery.start(here, None)
    here.discovery.start(here, ("127.0.0.1", 1))
    assert LocalDirectory("shop", root=root).scan() == [("127.0.0.1", 1)]
    here.discovery.close()


def test_told_not_to_it_neither_publishes_nor_looks(root, publish):
    publish(7)
    here = Here(root, discovery=False)
    here.discovery.start(here, ("0.0.0.0", 1))
    here.discovery.refused(("127.0.0.1", 7))
    here.discovery.close()
    assert here.every_look is None
    assert LocalDirectory("shop", root=root).scan() == [("127.0.0.1", 7)]
