"""The codec of user values: what is carried, how it comes back, and how the rest is refused."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import fractions
import math
import pathlib
import threading
import tracemalloc
import types
import uuid
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given

from tests.core import samples
from vines._core.scanner import CONTAINERS_MAX, is_value
from vines._core.wire import VALUE_BYTES_MAX
from vines.errors import InvalidValue, LocalError, UnsupportedValue
from vines.values.codec import pack, unpack

UTC = datetime.UTC


@samples.each_value
def test_a_carried_value_comes_back_equal_and_of_its_type(value: object) -> None:
    back = unpack(pack(value))
    assert back == value
    assert type(back) is type(value)


@given(samples.values)
def test_any_value_comes_back_equal(value: object) -> None:
    assert unpack(pack(value)) == value


def test_the_negative_zero_stays() -> None:
    assert math.copysign(1, unpack(pack(-0.0))) == -1  # type: ignore[arg-type]


def test_unpacking_makes_new_objects_each_time() -> None:
    data = pack({"list": [1, {}]})
    first, second = unpack(data), unpack(data)
    assert first == second
    assert first is not second
    assert first["list"] is not second["list"]  # type: ignore[index]


def test_a_value_is_copied_at_the_call() -> None:
    value: dict[str, object] = {"list": [1], "bytes": bytearray(b"abc")}
    data = pack(value)
    value["list"].append(2)  # type: ignore[attr-defined]
    value["bytes"][0] = 0  # type: ignore[index]
    assert unpack(data) == {"list": [1], "bytes": b"abc"}


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    YES = "yes"


class Flags(enum.IntFlag):
    BOTH = 3


class Text(str):
    __slots__ = ()


class Moment(datetime.datetime):
    pass


Point = collections.namedtuple("Point", "x y")
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        pytest.param(True, True, id="bool"),
        pytest.param(Number.ONE, 1, id="IntEnum"),
        pytest.param(Word.YES, "yes", id="StrEnum"),
        pytest.param(Flags.BOTH, 3, id="IntFlag"),
        pytest.param(Text("text"), "text", id="str subclass"),
        pytest.param((1, (2, 3)), [1, [2, 3]], id="tuple"),
        pytest.param(Point(1, 2), [1, 2], id="namedtuple"),
        pytest.param(collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}, id="OrderedDict"),
        pytest.param(collections.Counter("aab"), {"a": 2, "b": 1}, id="Counter"),
        pytest.param(bytearray(b"ab"), b"ab", id="bytearray"),
        pytest.param(memoryview(b"abcd")[1:3], b"bc", id="memoryview"),
        pytest.param({Number.ONE: 0, Text("k"): 1}, {1: 0, "k": 1}, id="subclasses as keys"),
        pytest.param(
            Moment(2024, 2, 29, tzinfo=UTC),
            MOMENT.replace(hour=0, minute=0, microsecond=0),
            id="datetime subclass",
        ),
    ],
)
def test_subclasses_and_close_kin_travel_as_the_plain_type(value: object, plain: object) -> None:
    back = unpack(pack(value))
    assert back == plain
    assert type(back) is type(plain)
    if isinstance(back, dict):
        assert [type(key) for key in back] == [type(key) for key in plain]  # type: ignore[attr-defined]


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), datetime.timezone(datetime.timedelta(hours=-9))])
def test_a_datetime_keeps_its_instant_and_comes_back_in_utc(zone: datetime.tzinfo) -> None:
    value = MOMENT.astimezone(zone)
    back = unpack(pack([value]))[0]  # type: ignore[index]
    assert back == value
    assert back.tzinfo is UTC


class Plain:
    pass


class Color(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (Plain(), "build it of None, bool, int"),
        (Plain, "build it of None, bool, int"),
        (Color.RED, "send its value"),
        ({1, 2}, "send a sorted list"),
        (frozenset(), "send a sorted list"),
        (1j, "send its two parts"),
        (decimal.Decimal("1.1"), "send a str of it"),
        (fractions.Fraction(1, 3), "send its numerator and denominator"),
        (uuid.UUID(int=5), "send its bytes"),
        (datetime.date(2024, 1, 1), r"send its isoformat\(\)"),
        (datetime.time(1), r"send its isoformat\(\)"),
        (datetime.timedelta(1), r"send its total_seconds\(\)"),
        (pathlib.PurePosixPath("/etc"), "send a str of it"),
        (array.array("d", [1.0]), r"send its tolist\(\)"),
        (types.MappingProxyType({}), "send a dict of it"),
        (collections.deque(), "send a list of it"),
        (range(3), "send a list of it"),
        ((n for n in ()), "send a list of it"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_other_types_are_refused_with_a_remedy(value: object, remedy: str) -> None:
    for whole, where in ((value, "value"), ({"a": [0, value]}, r"value\['a'\]\[1\]")):
        with pytest.raises(UnsupportedValue, match=f"^{where} is of type .*{remedy}") as caught:
            pack(whole)
        assert isinstance(caught.value, TypeError)
        assert str(caught.value).endswith("nothing changed")


NAIVE = datetime.datetime(2024, 1, 1)
FAR_WEST = datetime.timezone(-datetime.timedelta(hours=5))


class Nowhere(datetime.tzinfo):
    """A time zone that does not know its offset: by Python's rules its datetimes are naive."""

    def utcoffset(self, when: datetime.datetime | None) -> None:
        return None


OUT_OF_BOUNDS: dict[str, tuple[object, str]] = {
    "nan": (math.nan, "is nan, not a finite number"),
    "inf": (math.inf, "is inf, not a finite number"),
    "-inf": (-math.inf, "is -inf, not a finite number"),
    "2**64": (2**64, "is an int outside"),
    "-2**63-1": (-(2**63) - 1, "is an int outside"),
    "10,000 digits": (10**10_000, "is an int outside"),
    "surrogate": ("a\ud800", "has a lone surrogate at index 1"),
    "surrogate of a subclass": (Text("\udfff"), "has a lone surrogate at index 0"),
    "naive": (NAIVE, r"is a datetime without a time zone.*use datetime.now\(UTC\)"),
    "nowhere": (NAIVE.replace(tzinfo=Nowhere()), "is a datetime without a time zone"),
    "naive of a subclass": (Moment(2024, 1, 1), "is a datetime without a time zone"),
    "year 10,000": (datetime.datetime.max.replace(tzinfo=FAR_WEST), "is outside the years 1 to"),
    "gaps": (memoryview(b"abcd")[::2], "is a memoryview with gaps"),
}


@pytest.mark.parametrize(("value", "what"), OUT_OF_BOUNDS.values(), ids=OUT_OF_BOUNDS.keys())
def test_values_out_of_bounds_are_refused_with_their_place(value: object, what: str) -> None:
    for whole, where in ((value, "value"), ([{"deep": value}], r"value\[0\]\['deep'\]")):
        with pytest.raises(InvalidValue, match=f"^{where} {what}") as caught:
            pack(whole)
        assert isinstance(caught.value, ValueError)
        assert str(caught.value).endswith("nothing changed")


@pytest.mark.parametrize("key", [None, True, 1.5, b"b", (1, 2), Color.RED], ids=repr)
def test_keys_of_other_types_are_refused(key: object) -> None:
    with pytest.raises(
        UnsupportedValue, match=r"^value\[1\] has the key .* make it a str or an int"
    ):
        pack([0, {key: 1}])


@pytest.mark.parametrize("key", [2**64, "\ud800", 10**10_000], ids=["2**64", "surrogate", "long"])
def test_keys_out_of_bounds_are_refused(key: object) -> None:
    with pytest.raises(InvalidValue, match=r"^the key .* of value\['a'\] (is an int|has a lone)"):
        pack({"a": {key: 1}})


class Unequal(str):
    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def test_keys_that_become_equal_once_packed_are_refused() -> None:
    with pytest.raises(InvalidValue, match="keys that are equal once they are plain str"):
        pack({Unequal("a"): 1, Unequal("a"): 2})


def test_depth_is_bounded_and_the_place_is_told() -> None:
    assert unpack(pack([[[[[[[{}]]]]]]])) == [[[[[[[{}]]]]]]]
    with pytest.raises(InvalidValue, match=r"^value(\[0\]){7}\['k'\] is nested in 8 other"):
        pack([[[[[[[{"k": []}]]]]]]])


def test_a_value_that_contains_itself_is_refused_with_its_place() -> None:
    loop: dict[str, object] = {}
    loop["list"] = [1, loop]
    with pytest.raises(
        InvalidValue, match=r"^value\['list'\]\[1\] is a container that it is itself"
    ):
        pack(loop)


def test_the_same_part_twice_is_no_loop() -> None:
    part: list[int] = [1]
    assert unpack(pack([part, part, {"a": part}])) == [[1], [1], {"a": [1]}]


SIZES: dict[str, tuple[object, int]] = {
    "bytes": (b"x", 1),
    "bytearray": (bytearray(b"x"), 1),
    "ascii": ("x", 1),
    "text": ("\u20ac", 3),
    "list": ([1.5], 9),
}


@pytest.mark.parametrize(("unit", "size"), SIZES.values(), ids=SIZES.keys())
def test_a_value_too_large_is_refused_and_one_that_just_fits_is_not(unit: str, size: int) -> None:
    head = 5
    filled = unit * ((VALUE_BYTES_MAX - head) // size)
    assert VALUE_BYTES_MAX - size < len(pack(filled)) <= VALUE_BYTES_MAX
    what = r"takes (more than )?1,04\d,\d+ bytes packed, at most 1,048,576"
    with pytest.raises(InvalidValue, match=what):
        pack(filled + unit)


def test_too_many_containers_are_refused() -> None:
    assert is_value(pack([[]] * (CONTAINERS_MAX - 1)))
    with pytest.raises(InvalidValue, match=r"^value holds more than 65,536 lists and dicts"):
        pack([[]] * CONTAINERS_MAX)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(bytes(2**26), id="bytes"),
        pytest.param(["x" * 2**20] * 2**10, id="one str a thousand times"),
        pytest.param(bytearray(2**26), id="bytearray"),
        pytest.param(memoryview(bytes(2**26)), id="memoryview"),
    ],
)
def test_something_huge_is_refused_before_it_is_copied(value: object) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InvalidValue, match="split it over several keys"):
            pack(value)
        assert tracemalloc.get_traced_memory()[1] < 65_536
    finally:
        tracemalloc.stop()


def test_shared_parts_that_multiply_are_refused_in_bounded_work() -> None:
    tree: object = "leaf"
    for _ in range(8):
        tree = [tree] * 1_000
    with pytest.raises(InvalidValue, match=r"holds more than 65,536|more than 1,048,576 bytes"):
        pack(tree)


class Liar(dict[str, int]):
    """Tells another length than it has items."""

    def __len__(self) -> int:
        return 5


class Packing(dict[str, int]):
    """Packs something itself while it is being packed."""

    def items(self) -> Iterator[tuple[str, int]]:  # type: ignore[override]
        assert unpack(pack(["inner", {"a": 1}])) == ["inner", {"a": 1}]
        return iter([("a", 1)])


class Failing(dict[str, int]):
    def items(self) -> Iterator[tuple[str, int]]:  # type: ignore[override]
        yield ("a", 1)
        raise KeyError("from the value itself")


def test_a_subclass_that_lies_is_refused_by_the_scanner() -> None:
    with pytest.raises(UnsupportedValue, match="more is declared than there are bytes left"):
        pack(Liar(a=1))


def test_an_error_of_the_value_itself_is_the_cause() -> None:
    with pytest.raises(UnsupportedValue, match="from the value itself") as caught:
        pack([Failing(a=1)])
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_value_may_pack_something_while_it_is_packed() -> None:
    assert unpack(pack([1, Packing(a=1), 2])) == [1, {"a": 1}, 2]


@pytest.mark.parametrize("bad", [[1, "two", object()], Failing(a=1), ["x", "\ud800"], [math.nan]])
def test_a_failure_leaves_nothing_behind(bad: object) -> None:
    for _ in range(3):
        with pytest.raises(LocalError):
            pack(bad)
        assert pack("clean") == b"\xa5clean"


def test_extensions_of_msgpack_are_refused() -> None:
    with pytest.raises(UnsupportedValue, match="extension"):
        pack([msgpack.ExtType(5, b"body")])
    with pytest.raises(UnsupportedValue, match="Timestamp"):
        pack(msgpack.Timestamp(1, 1))


class Proxy:
    """Claims another class, as mocks and lazy proxies do."""

    __class__ = str  # type: ignore[assignment]


def test_an_object_that_claims_to_be_a_str_is_refused() -> None:
    with pytest.raises(UnsupportedValue, match="does not pack to what its types promise"):
        pack(Proxy())


class Unshowable(str):
    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError


def test_messages_show_keys_escaped_and_shortened() -> None:
    with pytest.raises(InvalidValue, match=r"^value\['a\\x1b\[31m\\n'\] is nan"):
        pack({"a\x1b[31m\n": math.nan})
    with pytest.raises(InvalidValue, match=r"^value\['k{39}\.\.\.\] is nan"):
        pack({"k" * 1_000: math.nan})
    with pytest.raises(InvalidValue, match=r"^value\[\.\.\.\] is nan"):
        pack({Unshowable("k"): math.nan})


def test_many_threads_pack_at_once() -> None:
    values = [[{"thread": place, "text": f"{place}" * 50}] * 50 for place in range(8)]
    wrong: list[int] = []
    start = threading.Barrier(len(values))

    def work(place: int) -> None:
        start.wait()
        wrong.append(sum(unpack(pack(values[place])) != values[place] for _ in range(30)))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(values))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [0] * len(values)
