"""The bytes of a decision: each means one thing, and each thing has one form, so that values are
the same if and only if their bytes are.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.tally import ABSTAIN, NONE, REFUSE, TOTAL_MAX
from vines.errors import WireError
from vines.protocol.elections import value as values
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.electorate import VOTERS_MAX
from vines.protocol.elections.value import Value, decode

VOTES = bytes((0, REFUSE, ABSTAIN, NONE, 0))
ONE = values.commit(0, 1, Criteria(("left", "right"), 2), VOTES, ((0, 5), (4, 1 << 33)))

made = st.builds(
    Value,
    st.sampled_from((values.COMMIT, values.ABORT, values.EXPIRED)),
    st.integers(0, 255),
    st.integers(0, VOTERS_MAX - 1),
    st.binary(min_size=8, max_size=8),
    st.integers(1, 253),
    st.booleans(),
    st.integers(0, TOTAL_MAX),
    st.text(max_size=40).filter(lambda text: len(text.encode("utf-8", "replace")) <= 256),
    st.binary(max_size=20),
    st.dictionaries(st.integers(0, 99), st.integers(0, 2**64 - 1), max_size=4).map(
        lambda versions: tuple(sorted(versions.items()))
    ),
)


def is_one_form(data: bytes) -> None:
    """Whatever bytes are read: writing what they mean gives them back."""
    with suppress(WireError):
        assert decode(data).encode() == data


@given(made)
def test_a_value_is_read_as_it_was_written(value: Value) -> None:
    assert decode(value.encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_the_one_form_of_a_value(data: bytes) -> None:
    is_one_form(data)


def test_every_flipped_bit_and_every_cut_is_refused_or_another_value() -> None:
    whole = decode(ONE)
    for bit in range(8 * len(ONE)):
        data = bytearray(ONE)
        data[bit // 8] ^= 1 << bit % 8
        is_one_form(bytes(data))
        with suppress(WireError):
            assert decode(bytes(data)) != whole
    for end in range(len(ONE)):
        with suppress(WireError):
            assert decode(ONE[:end]) != whole


@pytest.mark.parametrize(
    ("at", "size", "most"), [(2, 4, VOTERS_MAX - 1), (16, 8, TOTAL_MAX)], ids=["owner", "least"]
)
def test_a_number_above_what_there_can_be_is_refused(at: int, size: int, most: int) -> None:
    """It may not fit where it is kept, which nobody may find out by a crash."""
    for number in (most, most + 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1):
        data = bytearray(ONE)
        data[at : at + size] = number.to_bytes(size, "little")
        if number == most:
            assert decode(bytes(data)).encode() == data
        else:
            with pytest.raises(WireError, match="above what there can be"):
                decode(bytes(data))


@pytest.mark.parametrize("kind", [0, 4, 255])
def test_a_kind_of_a_later_version_is_no_value_here(kind: int) -> None:
    with pytest.raises(WireError, match="not known here"):
        decode(bytes((kind,)) + ONE[1:])


@pytest.mark.parametrize(
    "versions", [((4, 5), (0, 5)), ((0, 5), (0, 5)), ((0, 5), (0, 6))], ids=str
)
def test_a_vote_is_named_once_and_in_order(versions: Any) -> None:
    whole = decode(ONE)
    with pytest.raises(WireError, match="twice"):
        decode(whole.replace(versions=versions).encode())
