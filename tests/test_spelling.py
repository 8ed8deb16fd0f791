"""How names, topics, tags, ids and addresses may be spelled."""

from __future__ import annotations

import pytest

from vines.config import Config
from vines.spelling import is_address, is_here, is_name, is_node_id, is_tags, is_topic


def test_an_id_is_16_bytes() -> None:
    assert is_node_id(bytes(16))
    for wrong in (None, bytes(15), bytes(17), bytearray(16), "0" * 16, 16):
        assert not is_node_id(wrong)


def test_bounds_of_names_tags_and_addresses() -> None:
    assert is_name("é" * 32)
    assert not is_name("é" * 33)
    assert not is_name("")
    assert is_name("\u20ac")
    assert not is_name("a\U0001f600")
    assert is_tags({"a": "", "b": "x"})
    assert is_address(("127.0.0.1", 1))
    assert is_address(["::1", 65535])
    for wrong in (None, (), ("h",), ("h", 0), ("h", 65536), ("h", True), ("0.0.0.0", 1), (b"h", 1)):
        assert not is_address(wrong)


@pytest.mark.parametrize(
    "host",
    [
        *("192.0.2.1", "192.0.2.1.", "223.255.255.255", "1.0.0.0", "seed", "node_1-x.example."),
        *("b\xfccher.example", "1.example", "0x.example", "127.example", "::1", "2001:DB8::"),
        *("fe80::1%3", "fe80::1%eth0", "::ffff:192.0.2.1", "::ffff:c000:201", "64:ff9b::c000:201"),
    ],
)
def test_what_one_machine_can_have_is_an_address(host: str) -> None:
    assert is_address((host, 7000))


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *((each, True) for each in ("127.0.0.1", "127.255.0.9", "localhost", "::1", "a.localhost")),
        *((each, False) for each in ("192.0.2.1", "::", "127.example", "127.0.0.1.example")),
        *((each, False) for each in ("localhost.example", "127.0.0.x", "127.", "127.0.0.1.")),
    ],
)
def test_only_what_cannot_be_another_machine_is_here(host: str, *, here: bool) -> None:
    assert is_here(host) == here
    assert Config().reaches((host, 1)) == here
    assert Config(insecure=True).reaches((host, 1))


def test_the_topic_of_an_election_is_text_without_control_characters() -> None:
    for topic in ("t", "a b", "t" * 256, "é" * 128, "\xa0", "\u202e", "\U0001f600", "\U000e0fff"):
        assert is_topic(topic)
    controls = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
    for wrong in (None, 5, b"t", "", "t" * 257, "é" * 129, "a\ud800", *controls):
        assert not is_topic(wrong)
        if isinstance(wrong, str) and len(wrong) == 1:
            assert not is_topic(f"a{wrong}b")
