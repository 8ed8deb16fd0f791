"""Bytes that are not what the protocol says: refused whole, before anything changed, and without a
byte too many.

Golden bytes of each form are damaged mechanically, in every way that can be listed. The oracle
reads the same bytes: what it refuses must raise WireError and change nothing; what it reads must
change exactly what it says.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vines._core.vector import VersionVector
from vines.errors import WireError

from . import model, model_vector
from .forms import FADING, Written, varint, write_delta, write_floors, write_page, write_vector
from .kinds import CORE, NAIVE, A, B, C, D, Kind, frame, new, record, span, state
from .reading import Malformed

UNKNOWN = bytes(range(200, 216))
K = record(b"key", 5, A, 3, value=b"value")
L = record(b"l", 2, B, 2, origin=C, family=1, flags=0x80, value=b"")
M = record(b"m" * 130, 2**63 - 1, B, 3, origin=UNKNOWN, value=b"w")
N = record(b"n", 0, UNKNOWN, 2**48 - 1, flags=1, value=b"")
P = record(b"p", 7, A, 5, flags=2, value=b"p", left=300)
Q = record(b"q", 7, A, 6, flags=2, value=b"q", left=5)

HELD = frame(
    span(A, 0, 2, (1, record(b"l", 1, A, 1)), (2, record(b"x", 9, A, 2))),
    span(C, 0, 1, (1, record(b"p", 7, C, 1, origin=A, flags=2, value=b"p", left=400))),
    span(B, 0, 1, (1, L._replace(counter=1))),
)


def table(kind: Kind) -> Any:
    """A table of D that holds a little of everything, so that damage has something to damage."""
    made = new(kind, D)
    made.put(0, b"key", 0, b"own", 1)
    made.put(0, b"own", 0, b"own", 1)
    made.apply(HELD)
    return made


def delta() -> Written:
    return write_delta(
        [
            span(A, 2, 6, (3, K), (4, M), (5, P), (6, Q)),
            span(B, 1, 300, (2, L), (3, M), (5, N)),
            span(C, 2**40, 2**48 - 1),
            span(D, 0, 1, (1, N)),
        ]
    )


FORMS: dict[
    str, tuple[Callable[[], Written], Callable[[Kind], Any], Callable[[Any, bytes], Any]]
] = {
    "delta": (delta, table, lambda made, data: made.apply(data)),
    "page": (
        lambda: write_page([K, L, M, P, Q, N, K._replace(key=b"own", source=D, counter=1)]),
        table,
        lambda made, data: made.apply_page(data),
    ),
    "floors": (
        lambda: write_floors(
            [(A, 200, 130), (B, 1, 0), (UNKNOWN, 2**48 - 1, 2**48 - 1), (D, 1, 0)]
        ),
        table,
        lambda made, data: made.finish_join([data]),
    ),
    "fading floors": (
        lambda: write_floors([(A, 200, 200), (B, 1, 1), (UNKNOWN, 7, 7), (D, 1, 1)], FADING),
        table,
        lambda made, data: made.finish_join([data]),
    ),
    "vector": (
        lambda: write_vector([(A, 200), (B, 0), (UNKNOWN, 2**48 - 1)]),
        lambda kind: VersionVector() if kind is CORE else model_vector.VersionVector(),
        lambda made, data: made.merge_page(data),
    ),
    "known": (
        lambda: write_vector([(A, 200), (B, 0), (D, 2**48 - 1)]),
        lambda kind: linked(kind),
        lambda made, data: made.read_page(data),
    ),
    "rewind": (
        lambda: write_vector([(A, 1), (B, 0), (D, 2**48 - 1)]),
        lambda kind: linked(kind),
        lambda made, data: made.rewind(data),
    ),
}


def linked(kind: Kind) -> Any:
    progress = kind.progress(table(kind))
    progress.assume_equal()
    return progress


def seen(made: Any) -> Any:
    """Everything about a table, a vector or a progress that a test can see and both kinds agree
    on."""
    if hasattr(made, "records"):
        vector = sorted(item for item in made.vector().items() if item[1])
        logs = [(made.entries(id_), made.floor(id_)) for id_ in (A, B, C, D, UNKNOWN)]
        return made.records(), vector, logs, made.fingerprint(), made.overtaken, made.counter
    if hasattr(made, "known_of"):
        return made.ready, [made.known_of(id_) for id_ in (A, B, D)]
    return dict(made.items())


class Pair:
    """A compiled thing and its oracle in the same state, made anew whenever bytes were well-formed
    and changed it."""

    def __init__(self, form: str) -> None:
        _, self.make, self.feed = FORMS[form]
        self.whole = form in ("delta", "page", "floors", "fading floors")
        self.renew()

    def renew(self) -> None:
        self.target, self.oracle = self.make(CORE), self.make(NAIVE)

    def state(self) -> Any:
        return state(self.target) if self.whole else seen(self.target)

    def check(self, data: bytes) -> None:
        """What the oracle refuses changes nothing; what it reads changes exactly what it says."""
        try:
            expected = self.feed(self.oracle, data)
        except Malformed:
            before = self.state()
            with pytest.raises(WireError):
                self.feed(self.target, data)
            assert self.state() == before
            return
        assert self.feed(self.target, data) == expected
        assert seen(self.target) == seen(self.oracle)
        self.renew()


def prefixes(golden: Written) -> Iterator[bytes]:
    return (bytes(golden.data[:size]) for size in range(len(golden.data)))


def flips(golden: Written) -> Iterator[bytes]:
    for at in range(len(golden.data)):
        for bit in range(8):
            flipped = bytearray(golden.data)
            flipped[at] ^= 1 << bit
            yield bytes(flipped)


def deleted(golden: Written) -> Iterator[bytes]:
    data = bytes(golden.data)
    return (data[:at] + data[at + 1 :] for at in range(len(data)))


def doubled(golden: Written) -> Iterator[bytes]:
    data = bytes(golden.data)
    return (data[:at] + data[at : at + 1] + data[at:] for at in range(len(data)))


def trailing(golden: Written) -> Iterator[bytes]:
    data = bytes(golden.data)
    return (data + tail for tail in (b"\0", b"\xff", b"\1" * 3, data, bytes(100)))


NUMBERS = [
    0,
    1,
    2,
    127,
    128,
    1024,
    1025,
    1 << 20,
    (1 << 20) + 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
]
NUMBERS += [
    2**48 - 2,
    2**48 - 1,
    2**48,
    2**62,
    2**63 - 1,
    2**63,
    2**64 - 2,
    2**64 - 1,
    2**64,
    2**70,
]


def numbers(golden: Written) -> Iterator[bytes]:
    """Every number of the form set to each limit, and written longer than it need be."""
    data = bytes(golden.data)
    for _, begin, end in golden.fields:
        coded = data[begin:end]
        longer = coded[:-1] + bytes([coded[-1] | 0x80]) + b"\0"
        for value in [
            *map(varint, NUMBERS),
            longer,
            b"\x80" * 9 + b"\1",
            b"\xff" * 11,
            b"\x80" * 100,
        ]:
            yield data[:begin] + value + data[end:]


DAMAGES = [prefixes, flips, deleted, doubled, trailing, numbers]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_refused_whole_or_does_what_it_says(form: str, damage: Any) -> None:
    golden = FORMS[form][0]()
    pair = Pair(form)
    pair.check(bytes(golden.data))
    for data in damage(golden):
        pair.check(data)


@pytest.mark.parametrize("form", FORMS)
def test_random_damage_is_refused_whole_or_does_what_it_says(form: str) -> None:
    choose = random.Random(form)
    golden = bytes(FORMS[form][0]().data)
    pair = Pair(form)
    for _ in range(400):
        data = bytearray(golden)
        for _ in range(choose.randint(1, 4)):
            at = choose.randrange(len(data))
            data[at : at + choose.randrange(3)] = choose.randbytes(choose.randrange(3))
        pair.check(bytes(data))
        pair.check(golden[:1] + choose.randbytes(choose.randrange(40)))


@pytest.mark.parametrize("form", FORMS)
def test_another_form_in_its_place_is_refused(form: str) -> None:
    pair = Pair(form)
    for golden, _, _ in FORMS.values():
        data = bytes(golden().data)
        if data[0] != FORMS[form][0]().data[0]:
            pair.check(data)
    for data in (b"", b"\0", b"\5", b"\6", b"\xff"):
        pair.check(data)


@pytest.mark.parametrize("form", ["delta", "page", "vector", "known", "rewind"])
def test_an_offset_is_where_the_form_begins(form: str) -> None:
    golden, make, _ = FORMS[form]
    data = bytes(golden().data)
    call = {"delta": "apply", "page": "apply_page", "vector": "merge_page", "known": "read_page"}
    shifted, plain = make(CORE), make(CORE)
    name = call.get(form, "rewind")
    assert getattr(shifted, name)(b"\xff\x01" + data, 2) == getattr(plain, name)(data)
    assert seen(shifted) == seen(plain)
    before = seen(plain)
    for offset in (len(data), len(data) + 1, 2**62, 2**63 - 1, -1, -len(data), -(2**63)):
        with pytest.raises((WireError, ValueError, OverflowError)):
            getattr(plain, name)(data, offset)
        assert seen(plain) == before


def test_a_refused_delta_teaches_nothing_about_its_sender() -> None:
    made = table(CORE)
    progress = CORE.progress(made)
    progress.assume_equal()
    before = [progress.known_of(id_) for id_ in (A, B, C, D)]
    data = bytes(delta().data)
    for size in range(len(data)):
        if size in (1,):
            continue
        try:
            model.Table.apply(table(NAIVE), data[:size])
        except Malformed:
            with pytest.raises(WireError):
                made.apply(data[:size], 0, progress)
            assert [progress.known_of(id_) for id_ in (A, B, C, D)] == before


def test_one_damaged_page_of_floors_stops_the_join() -> None:
    good = bytes(write_floors([(A, 200, 0)], 1).data)
    bad = bytes(write_floors([(B, 200, 0)], 2).data)[:-1]
    made = table(CORE)
    before = state(made)
    with pytest.raises(WireError):
        made.finish_join([good, bad])
    assert state(made) == before
