"""What `Vine.stats` has: names that can be relied on, each of them in the guide."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.vine.helpers import PATIENCE
from vines import Vine
from vines.errors import REASONS
from vines.protocol.wire.framing import frame

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
NAME = re.compile(r"[a-z]+(_[a-z]+)*")


@pytest.fixture(scope="module")
def stats() -> dict[str, Any]:
    with Vine() as first, Vine() as second:
        first.listen()
        second.listen().join(first.address)
        first.gossip("key", "value").flush(PATIENCE)
        return second.stats()


def test_all_parts_name_what_they_count_in_lower_case_words(stats: dict[str, Any]) -> None:
    assert list(stats) == ["node", "loop", "callbacks", "data", "control"]
    for part in stats.values():
        for name, count in part.items():
            assert NAME.fullmatch(name)
            assert isinstance(count, int | float | dict)


def test_every_name_is_in_the_guide(stats: dict[str, Any]) -> None:
    section = GUIDE.read_text().split("`stats()` says", 1)[1].split("\n## ", 1)[0]
    documented = set(re.findall(r"`([^`]+)`", section))
    assert {name for part in stats.values() for name in part} - documented == set()
    assert set(REASONS) <= documented


def test_all_of_the_loop_is_there_before_it_occurred() -> None:
    vine = Vine()
    before = vine.stats()["loop"]
    assert before["streams_rejected"] == before["datagram_errors_out"] == {}
    assert before["bytes_in"] == before["bugs"] == 0
    vine.end()


def test_each_reason_to_close_a_stream_is_counted_where_it_was_found() -> None:
    with Vine().listen() as vine:
        assert vine.address is not None
        for number, data in enumerate(
            (
                bytes(4),  # shorter than a frame can be
                frame(1, b"GET / HTTP/1.1"),
                frame(8, bytes(9)),  # a join before the hello
            ),
            1,
        ):
            with socket.create_connection(vine.address) as stranger:
                stranger.sendall(data)
                stranger.settimeout(PATIENCE)
                assert stranger.recv(100) == b""
            until = time.monotonic() + PATIENCE
            while sum(vine.stats()["loop"]["streams_rejected"].values()) < number:
                assert time.monotonic() < until
        assert vine.stats()["loop"]["streams_rejected"] == {
            "length": 1,
            "malformed": 1,
            "unexpected": 1,
        }
        assert vine.stats()["node"]["frames_rejected"] == {"malformed": 1, "unexpected": 1}
        assert vine.stats()["node"]["frames_rejected_by_kind"] == {"hello": 1, "join": 1}
