from __future__ import annotations

import pytest

from vines.addresses import check_host, is_loopback, parse_seeds, require_loopback
from vines.errors import Insecure, InvalidAddress


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("10.0.0.1:8000",), [("10.0.0.1", 8000)]),
        ((8000, "192.168.0.2"), [("192.168.0.2", 8000)]),
        ((8000, "::1"), [("::1", 8000)]),
        ((8000, "seed.example.com"), [("seed.example.com", 8000)]),
        ((8000,), [("127.0.0.1", 8000)]),
        ((8000, "a:1"), [("127.0.0.1", 8000), ("a", 1)]),
        (("[::1]:8000",), [("::1", 8000)]),
        (("[fe80::1%eth0]:8000",), [("fe80::1%eth0", 8000)]),
        (("localhost:1", "b.example:65535"), [("localhost", 1), ("b.example", 65535)]),
        ((("10.0.0.1", 1),), [("10.0.0.1", 1)]),
        ((["a:1", ("b", 2), 3],), [("a", 1), ("b", 2), ("127.0.0.1", 3)]),
        (((("a", 1), ("b", 2)),), [("a", 1), ("b", 2)]),
        ((" a:1 ",), [("a", 1)]),
        (("node_1-x.example.:1",), [("node_1-x.example.", 1)]),
        (("bücher.example:1",), [("bücher.example", 1)]),
        ((), []),
    ],
)
def test_every_way_to_say_where(arguments, expected):
    assert parse_seeds(arguments) == expected


@pytest.mark.parametrize(
    "seed",
    [
        "", ":", ":8000", "a", "a:", "a:b", "a:0", "a:65536", "a:99999999999999999999", "a:-1",
        "a:1.5", "a:²", "::1", "::1:8000", "[::1]", "[::1:8000", "a b:1", "a\n:1",
        "a\x1b[0m:1", "http://a:1",
        "256.1.1.1:1", "1.2.3:1", "a..b:1", "-" * 300 + ":1", "0.0.0.0:1", "[::]:1", "224.0.0.1:1",
        0, -1, 65536, True, None, 1.5, b"a:1", ("a", 0), ("a", True), ("", 1), ("a", "1"), {"a": 1},
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_its_repr(seed):
    with pytest.raises(InvalidAddress) as caught:
        parse_seeds([seed])
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("host", ["", None, 1, "a b", "1.2.3", "a\x00b", "x" * 254])
def test_a_host_is_spelled_like_one(host):
    with pytest.raises(InvalidAddress):
        check_host(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "localhost", "A.LOCALHOST."]
)
def test_this_machine(host):
    assert is_loopback(host)
    require_loopback(host, "listening on")


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "example.com", "localhost.evil"]
)
def test_beyond_this_machine_is_refused_with_the_remedy(host):
    with pytest.raises(Insecure, match="VINES_INSECURE=1"):
        require_loopback(host, "listening on")
