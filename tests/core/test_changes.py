"""Changes against the plain list they stand for."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vines._core.changes import Change, Changes
from vines._core.scanner import is_value
from vines._core.table import DATA, EXPIRING, TOMBSTONE, Table

LAPSED = EXPIRING | TOMBSTONE
A, B = b"a" * 16, b"b" * 16


class Told(NamedTuple):
    key: str
    value: Any
    local: bool
    stamp: int
    origin: bytes


class Gone(NamedTuple):
    key: str
    local: bool
    stamp: int
    origin: bytes


class Over(NamedTuple):
    key: str
    local: bool
    stamp: int
    origin: bytes


KINDS = (Told, Gone, Over)


def unpack(data: bytes) -> object:
    return msgpack.unpackb(data, timestamp=3, strict_map_key=False)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(max_size=300)
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
packed = values.map(msgpack.packb) | st.binary(max_size=12)
rows = st.tuples(
    st.sampled_from([0, 0, 0, 1, 255]),
    st.text(min_size=1, max_size=20).map(str.encode) | st.binary(min_size=1, max_size=20),
    st.sampled_from([0, 0, 0, TOMBSTONE, 6, LAPSED]),
    packed,
    st.integers(0, 2**63 - 1),
    st.sampled_from([A, B, b""]),
)
lists = st.lists(rows, max_size=12)


def expected(change: Change, local: set[bytes]) -> object:
    """The event of a change, the plain way."""
    _, key, flags, value, stamp, origin = change
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return key
    if flags & LAPSED == LAPSED:
        return Over(text, origin in local, stamp, origin)
    if flags & TOMBSTONE:
        return Gone(text, origin in local, stamp, origin)
    if not is_value(value):
        return text
    return Told(text, unpack(value), origin in local, stamp, origin)


@given(lists)
def test_it_is_the_sequence_it_was_made_of(changes: list[Change]) -> None:
    made = Changes(changes)
    assert len(made) == len(changes)
    assert list(made) == changes
    assert made == changes
    assert [made[at] for at in range(-len(changes), len(changes))] == [*changes, *changes]
    assert made.marks() == [
        (key, (stamp, origin, flags if flags & TOMBSTONE else 0))
        for _, key, flags, _, stamp, origin in changes
    ]
    for beyond in (len(changes), -len(changes) - 1):
        with pytest.raises(IndexError):
            made[beyond]
    parts = [
        (made.family(at), made.key(at), made.flags(at), made.value(at), made.origin(at))
        for at in range(len(changes))
    ]
    assert parts == [(one[0], one[1], one[2], one[3], one[5]) for one in changes]
    for part in (made.family, made.key, made.flags, made.value, made.origin):
        for outside in (len(changes), -1):
            with pytest.raises(IndexError):
                part(outside)


@given(lists, st.lists(st.integers(0, 255), max_size=4))
def test_it_says_whether_it_holds_any_of_some_families(
    changes: list[Change], families: list[int]
) -> None:
    held = {family for family, *_ in changes}
    assert Changes(changes).holds(tuple(families)) == bool(held & set(families))
    assert Changes(changes).holds((256,)) is False
    assert all(Changes(changes).holds((family,)) for family in held)


@given(lists, st.integers(0, 14), st.integers(0, 14))
def test_events_are_those_made_the_plain_way(changes: list[Change], start: int, stop: int) -> None:
    found = Changes(changes).events(start, stop, *KINDS, {A}, unpack)
    wanted = [expected(change, {A}) for change in changes[start:stop]]
    assert found == wanted
    assert [type(event) for event in found] == [type(event) for event in wanted]


@given(values)
@example(float(2**53))
@example(-0.0)
@example(2**64 - 1)
@example(-(2**63))
@example("x" * 40_000)
@example("é" * 70_000)
@example(bytes(70_000))
def test_every_value_comes_back_with_its_type(value: Any) -> None:
    data = msgpack.packb(value)
    (event,) = Changes([(DATA, b"k", 0, data, 1, A)]).events(0, 1, *KINDS, (), unpack)
    assert repr(event.value) == repr(unpack(data))
    assert (type(event), event[0], event[2:]) == (Told, "k", (False, 1, A))


def test_only_containers_and_extensions_are_left_to_the_unpacker() -> None:
    asked: list[bytes] = []
    moment = struct.pack(">bbi", -42, -1, 7).replace(b"\xd6", b"\xd6")
    plain = [None, True, False, 0, 127, 128, 255, 256, -1, -32, -33, 2**33, 1.5, "", "a", b""]
    told = Changes([(0, b"k", 0, msgpack.packb(each), 1, A) for each in [*plain, [1], {"a": 1}]])
    told.append((0, b"k", 0, moment, 1, A))
    told.events(0, 99, *KINDS, (), lambda data: asked.append(data))
    assert asked == [msgpack.packb([1]), msgpack.packb({"a": 1}), moment]


@given(lists, st.sets(st.binary(max_size=2)), st.lists(st.binary(max_size=1)))
def test_a_selection_is_what_a_filter_finds(
    changes: list[Change], keys: set[bytes], prefixes: list[bytes]
) -> None:
    keys |= {change[1] for change in changes[::3]}
    made = Changes(changes)
    selected = made.select(DATA, keys, tuple(prefixes))
    wanted = [
        change
        for change in changes
        if change[0] == DATA and (change[1] in keys or change[1].startswith(tuple(prefixes)))
    ]
    assert selected == wanted
    assert (selected is made) == (len(wanted) == len(changes))


def test_what_a_selection_leaves_behind_is_let_go() -> None:
    made = Changes([(0, b"%d" % number, 0, bytes(1000), 1, A) for number in range(1000)])
    assert made.memory() > 1_000_000
    assert made.select(0, {b"7"}, ()).memory() < 5_000


@given(lists)
def test_what_is_current_is_what_the_table_holds(changes: list[Change]) -> None:
    # One place in the conflict order is one record.
    changes = list({(each[0], each[1], each[4]): each for each in changes}.values())
    table = Table(A, bytes(16), bytes(16))
    for family, key, flags, value, stamp, _ in changes:
        table.put(family, key, flags, value, stamp, 9 if flags & LAPSED == EXPIRING else 0)
    held = {(family, key): table.get(family, key) for family, key, *_ in changes}
    wanted = []
    for family, key, flags, _, stamp, origin in changes:
        record = held[family, key]
        # A value that has lapsed is told of by a change of its own.
        over = record is not None and record[2] & LAPSED == LAPSED and flags & LAPSED != LAPSED
        if record is not None and record[0] == stamp and origin in (b"", A) and not over:
            wanted.append((family, key, record[2], record[3], stamp, A))
    assert table.current(Changes(changes), 0, len(changes)) == wanted
    assert table.current(Changes(changes), 1, 3) == [
        each for change in changes[1:3] for each in table.current(Changes([change]), 0, 1)
    ]


def test_what_is_current_outlives_what_it_was_found_in() -> None:
    table = Table(A, bytes(16), bytes(16))
    rows = [(DATA, b"%d" % number, 0, b"\xc4\x20" + bytes(32), 5, A) for number in range(100)]
    for family, key, flags, value, stamp, _ in rows:
        table.put(family, key, flags, value, stamp)
    # As after a merge of what waited: without values, which the table has.
    merged = [(family, key, 0, b"", stamp, A) for family, key, _, _, stamp, _ in rows]
    for given_rows in (rows, merged):
        found = table.current(Changes(given_rows), 10, 90)
        bytearray(1 << 20)
        assert found == rows[10:90]


def test_a_local_write_stands_for_what_the_table_holds() -> None:
    table = Table(A, bytes(16), bytes(16))
    stamp = table.write(b"k", 0, b"\x01", 5)
    written = Changes.written(b"k", stamp)
    assert written == [(DATA, b"k", 0, b"", stamp, b"")]
    assert table.current(written, 0, 1) == [(DATA, b"k", 0, b"\x01", stamp, A)]


@pytest.mark.parametrize(
    "change",
    [
        (0, b"", 0, b"", 1, A),
        (0, bytes(1025), 0, b"", 1, A),
        (0, b"k", 0, bytes((1 << 20) + 1), 1, A),
        (0, b"k", 0, b"", 1 << 63, A),
        (0, b"k", 0, b"", 1, b"short"),
    ],
)
def test_what_no_table_could_hold_is_refused(change: Change) -> None:
    made = Changes()
    with pytest.raises(ValueError, match=r"a key has|a record that"):
        made.append(change)
    assert made == []


@pytest.mark.parametrize(
    "change", [None, (), (0, None, 0, b"", 1, A), (0, b"k", 0, None, 1, A), (0, "k", 0, b"", 1, A)]
)
def test_what_is_no_change_is_refused(change: Any) -> None:
    made = Changes()
    with pytest.raises((TypeError, ValueError)):
        made.append(change)
    with pytest.raises((TypeError, ValueError)):
        Changes.written(None, 1)  # type: ignore[arg-type]
    assert made == []


def test_events_are_made_of_tuples_only() -> None:
    with pytest.raises(TypeError):
        Changes().events(0, 1, list, Gone, (), unpack)  # type: ignore[arg-type]


def test_it_keeps_the_frame_alive_that_it_points_into() -> None:
    far, near = (Table(source, bytes(16), bytes(16)) for source in (A, B))
    for number in range(300):
        far.write(b"key/%d" % number, 0, msgpack.packb(b"v" * number), 1)
    changes = Changes()
    near.apply(far.delta_for(near.vector(), 1 << 20), changes=changes)  # type: ignore[arg-type]
    del far
    noise = [bytes(100_000) for _ in range(100)]
    assert [(key, value) for _, key, _, value, _, _ in changes] == [
        (b"key/%d" % number, msgpack.packb(b"v" * number)) for number in range(300)
    ]
    del noise
