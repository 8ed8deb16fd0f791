"""The version vector against a dict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.vector import VersionVector, kernel, kernel_names, use_kernel
from vines.errors import WireError

from . import model_vector, strategies
from .forms import COUNTER_MAX, FIRST, LAST, write_vector

Counters = dict[bytes, int]
positive = st.dictionaries(
    st.one_of(strategies.sources, st.binary(min_size=16, max_size=16)),
    st.one_of(strategies.small, st.integers(1, COUNTER_MAX)),
    max_size=20,
)


def both(counters: Counters, key: bytes = bytes(16)) -> tuple[Any, model_vector.VersionVector]:
    """The compiled vector and the naive one with these counters, listed in this order."""
    vector, oracle = VersionVector(key), model_vector.VersionVector()
    for source, counter in counters.items():
        assert vector.raise_to(source, counter) and oracle.raise_to(source, counter)
    return vector, oracle


def of(counters: Counters) -> Any:
    return both(counters)[0]


@given(positive)
def test_it_is_a_map_in_order_of_arrival(counters: Counters) -> None:
    vector, oracle = both(counters)
    assert len(vector) == len(oracle)
    assert vector.items() == oracle.items() == list(counters.items())
    assert list(vector) == list(oracle)
    for source in [*counters, bytes(16), b"\xff" * 16]:
        assert vector.get(source) == oracle.get(source)
        assert (source in vector) == (source in oracle)
    assert vector.encode() == oracle.encode()


@given(positive, st.lists(st.tuples(strategies.sources, st.integers(1, COUNTER_MAX))))
def test_counters_only_rise(counters: Counters, raises: list[tuple[bytes, int]]) -> None:
    vector, oracle = both(counters)
    for source, counter in raises:
        assert vector.raise_to(source, counter) == oracle.raise_to(source, counter)
    assert vector.items() == oracle.items()


@given(positive, positive)
def test_merge_compare_need_and_have_are_those_of_a_dict(left: Counters, right: Counters) -> None:
    (one, one_oracle), (two, two_oracle) = both(left), both(right, b"another secret!!")
    assert one.dominates(two) == one_oracle.dominates(two_oracle)
    assert one.compare(two) == one_oracle.compare(two_oracle)
    assert sorted(one.need(two)) == sorted(one_oracle.need(two_oracle))
    assert sorted(one.have(two)) == sorted(one_oracle.have(two_oracle))
    assert (one == two) == (one_oracle == two_oracle)
    one.merge(two)
    one_oracle.merge(two_oracle)
    assert dict(one.items()) == dict(one_oracle.items())
    assert two.items() == list(right.items())
    assert one.dominates(two) and one.need(two) == []


@given(positive, positive, positive)
def test_merge_is_commutative_associative_and_idempotent(
    a: Counters, b: Counters, c: Counters
) -> None:
    def merged(*parts: Counters) -> Any:
        total = of({})
        for part in parts:
            total.merge(of(part))
        return total

    inner = of(b)
    inner.merge(of(c))
    nested = of(a)
    nested.merge(inner)
    assert merged(a, b, c) == merged(c, a, b) == merged(b, b, c, a, a) == nested


@given(positive, positive)
def test_compare_is_a_partial_order(left: Counters, right: Counters) -> None:
    one, two = of(left), of(right)
    mirrored = {"before": "after", "after": "before"}
    place = one.compare(two)
    assert two.compare(one) == mirrored.get(place, place)
    assert one.compare(one) == "equal"
    assert (place == "equal") == (one == two)
    one.merge(two)
    assert one.compare(two) in ("equal", "after")


@given(positive, st.integers(1, 6), st.binary(max_size=5))
def test_pages_of_a_vector_make_it_again(counters: Counters, size: int, before: bytes) -> None:
    vector = of({strategies.SOURCES[0]: 3})
    items = list(counters.items())
    parts = [items[i : i + size] for i in range(0, len(items), size)] or [[]]
    for number, part in enumerate(parts):
        mark = (FIRST if number == 0 else 0) | (LAST if number == len(parts) - 1 else 0)
        page = before + bytes(write_vector(part, mark).data)
        assert vector.merge_page(page, len(before)) == bool(mark & LAST)
    expected = dict(counters)
    expected[strategies.SOURCES[0]] = max(expected.get(strategies.SOURCES[0], 0), 3)
    assert dict(vector.items()) == expected


def test_an_id_listed_twice_counts_with_the_highest() -> None:
    vector = of({})
    source = strategies.SOURCES[0]
    assert vector.merge_page(bytes(write_vector([(source, 5), (source, 3), (source, 4)]).data))
    assert vector.items() == [(source, 5)]


def test_the_form_byte_for_byte() -> None:
    one, two = bytes(range(16)), b"\xff" * 16
    vector = of({one: 1, two: 300})
    assert vector.encode() == b"\x03\x03" + one + b"\x01" + two + b"\xac\x02"
    assert of({}).encode() == b"\x03\x03"


@pytest.fixture(params=kernel_names())
def each_kernel(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every kernel that this processor has, not only the one that is chosen."""
    chosen = kernel()
    use_kernel(request.param)
    yield request.param
    use_kernel(chosen)


@pytest.mark.parametrize("count", [*range(70), 127, 128, 129, 1000])
def test_every_length_merges_aligned_and_shuffled(count: int, each_kernel: str) -> None:
    """Each length meets another end of a vector kernel's loop; equal order is its fast path."""
    choose = random.Random(count)
    ids = [choose.randbytes(16) for _ in range(count)]
    left = {source: choose.choice([1, 7, COUNTER_MAX - 1, 2**32, 2**31]) for source in ids}
    right = {source: choose.choice([1, 7, COUNTER_MAX, 2**32 - 1, 2**31]) for source in ids}
    shuffled = dict(choose.sample(list(right.items()), count))
    expected = {source: max(left[source], right[source]) for source in ids}
    for other in (right, shuffled, dict(list(right.items())[: count // 2])):
        one, two = of(left), of(other)
        wanted = {source: max(left[source], other.get(source, 0)) for source in ids}
        higher = sorted((s, left[s], c) for s, c in other.items() if c > left[s])
        assert sorted(one.need(two)) == higher
        assert one.dominates(two) == (not higher)
        one.merge(two)
        assert dict(one.items()) == wanted
        assert wanted == expected or other is not right
        assert two.items() == list(other.items())


def test_a_vector_keeps_its_place_as_it_grows() -> None:
    choose = random.Random(1)
    counters = {choose.randbytes(16): choose.randint(1, COUNTER_MAX) for _ in range(5000)}
    vector = of(counters)
    assert vector.items() == list(counters.items())
    assert all(vector.get(source) == counter for source, counter in counters.items())
    again = of({})
    assert again.merge_page(vector.encode()) and again == vector


def test_a_copy_is_independent() -> None:
    source, other = strategies.SOURCES[:2]
    vector = of({source: 1})
    copy = vector.copy()
    copy.raise_to(source, 2)
    copy.raise_to(other, 1)
    assert vector.items() == [(source, 1)] and copy.items() == [(source, 2), (other, 1)]
    assert vector != copy and vector == of({source: 1})


def test_merging_a_vector_with_itself_changes_nothing() -> None:
    vector = of({source: n + 1 for n, source in enumerate(strategies.SOURCES)})
    before = vector.items()
    vector.merge(vector)
    assert vector.items() == before and vector.compare(vector) == "equal"


def test_other_things_are_not_equal_and_not_contained() -> None:
    vector = of({strategies.SOURCES[0]: 1})
    assert vector != {} and vector != None and vector != b"x"  # noqa: E711
    assert b"short" not in vector and None not in vector


@pytest.mark.parametrize("counter", [-1, COUNTER_MAX + 1, 2**63, 2**64, 2**70])
def test_counters_out_of_range_are_refused(counter: int) -> None:
    vector = of({})
    with pytest.raises((ValueError, OverflowError)):
        vector.raise_to(bytes(16), counter)
    assert len(vector) == 0
    assert vector.raise_to(bytes(16), COUNTER_MAX) and vector.get(bytes(16)) == COUNTER_MAX


@pytest.mark.parametrize("wrong", [b"", bytes(15), bytes(17), None, "x" * 16, 5])
def test_ids_are_sixteen_bytes(wrong: Any) -> None:
    vector = of({})
    for call in (vector.get, lambda id_: vector.raise_to(id_, 1), VersionVector):
        with pytest.raises((ValueError, TypeError)):
            call(wrong)
    assert len(vector) == 0


@pytest.mark.parametrize("wrong", [None, {}, b"x", 5])
def test_vectors_merge_only_with_vectors(wrong: Any) -> None:
    vector = of({})
    for call in (vector.merge, vector.dominates, vector.compare, vector.need, vector.have):
        with pytest.raises(TypeError):
            call(wrong)
    with pytest.raises(TypeError):
        vector.merge_page(wrong if wrong != b"x" else None)


@pytest.mark.parametrize("offset", [-1, -(2**62), 3, 2**62])
def test_an_offset_outside_the_bytes_is_refused(offset: int) -> None:
    with pytest.raises((WireError, ValueError, OverflowError)):
        of({}).merge_page(b"\x03\x03", offset)


def test_the_widest_kernel_is_chosen_and_others_can_be() -> None:
    assert kernel_names()[0] == "portable"
    assert kernel() == kernel_names()[-1] in ("avx512", "avx2", "neon", "portable")
    with pytest.raises(ValueError, match="abacus"):
        use_kernel("abacus")
