"""Values as the tests of the scanner and of the codec need them: at every edge, and at random."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st

INT_MIN, INT_MAX = -(2**63), 2**64 - 1

TEXTS = [
    "",
    "a",
    "x" * 31,
    "x" * 32,
    "x" * 255,
    "x" * 256,
    "x" * 65_536,
    "h\u00e9llo",
    "\u20ac\U0010ffff\0",
]
EDGES = [0, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, INT_MAX]
NEGATIVE = [-1, -32, -33, -128, -129, -32_768, -32_769, -(2**31), -(2**31) - 1, INT_MIN]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATETIMES = [
    EPOCH,
    EPOCH + timedelta(seconds=2**32 - 1),
    EPOCH + timedelta(seconds=2**32),
    EPOCH + timedelta(seconds=2**34 - 1, microseconds=999_999),
    EPOCH + timedelta(seconds=2**34),
    EPOCH - timedelta(microseconds=1),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]
CONTAINERS: list[object] = [
    [],
    {},
    list(range(15)),
    list(range(16)),
    [None] * 65_536,
    {1: 2},
    {"c": 1, "b": [2, {"a": b"\xff"}], "a": {}},
    {str(number): number for number in range(16)},
    dict.fromkeys(range(65536)),
    [[[[[[[[1]]]]]]]],
    {-1: 0, 0: 1, 300: {"": ""}, "-1": [[], {}]},
]
VALUES: list[object] = [
    None,
    True,
    False,
    *EDGES,
    *NEGATIVE,
    0.0,
    -0.0,
    1.5,
    5e-324,
    1.7976931348623157e308,
    *TEXTS,
    *(text.encode() for text in TEXTS),
    *DATETIMES,
    *CONTAINERS,
]
"""One value, at least, on each side of every boundary of the format."""

each_value = pytest.mark.parametrize(
    "value", VALUES, ids=[f"{type(value).__name__}{place}" for place, value in enumerate(VALUES)]
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
integers = st.integers(INT_MIN, INT_MAX)
keys = texts | integers
scalars = (
    st.none()
    | st.booleans()
    | integers
    | st.sampled_from(EDGES + NEGATIVE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.binary(max_size=40)
    | st.datetimes(timezones=st.just(UTC))
)


def values_of_depth(levels: int) -> st.SearchStrategy[object]:
    if levels == 0:
        return scalars
    inner = values_of_depth(levels - 1)
    return scalars | st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)


values = values_of_depth(4) | st.dictionaries(keys, scalars, min_size=15, max_size=40)
