from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from vines import errors
from vines.vine import Vine


@pytest.fixture
def vine():
    with Vine() as one:
        yield one


def test_own_writes_can_be_read_at_once(vine):
    assert vine.gossip("foo", "hello, world") is vine
    assert vine["foo"] == vine.get("foo") == "hello, world"
    assert "foo" in vine
    vine["foo"] = 2
    assert vine["foo"] == 2


def test_what_is_not_there(vine):
    assert "foo" not in vine
    assert vine.get("foo") is None
    assert vine.get("foo", 5) == 5
    with pytest.raises(KeyError, match="foo"):
        vine["foo"]
    with pytest.raises(errors.MissingKey):
        del vine["foo"]
    assert vine.delete("foo") is vine


def test_none_is_a_value_and_not_absence(vine):
    vine.gossip("foo", None)
    assert "foo" in vine
    assert vine["foo"] is None
    assert vine.get("foo", 5) is None
    assert vine.snapshot() == {"foo": None}


def test_delete_takes_a_key_away(vine):
    vine.update({"a": 1, "b": 2})
    assert vine.delete("a").delete("a").keys() == ["b"]
    del vine["b"]
    assert vine.keys() == []
    assert vine.gossip("a", 3)["a"] == 3


def test_keys_and_snapshot_are_sorted_and_take_a_prefix(vine):
    vine.update({"b/2": 2, "a": 1, "b/10": 10, "ü": 4})
    assert vine.keys() == list(vine) == ["a", "b/10", "b/2", "ü"]
    assert vine.keys("b/") == ["b/10", "b/2"]
    assert vine.snapshot("b/") == {"b/10": 10, "b/2": 2}
    assert list(vine.snapshot()) == vine.keys()
    assert vine.keys("c") == []
    assert vine.keys("b/*") == []


def test_many_keys_are_all_listed(vine):
    expected = {f"{number:05}": number for number in range(5000)}
    assert vine.update(expected).snapshot() == expected
    assert vine.keys() == list(expected)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1, 2**64 - 1, -(2**63), 1.5, "", "ü", b"", b"\xff", [], {}, [1, [2]],
        {"a": {1: [None]}}, datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "x" * 1_000_000,
    ],
    ids=repr,
)  # fmt: skip
def test_values_come_back_equal(vine, value):
    assert vine.gossip("foo", value)["foo"] == value
    assert type(vine["foo"]) is type(value)


def test_a_value_is_copied_at_the_call_and_at_each_read(vine):
    value = {"list": [1]}
    vine.gossip("foo", value)
    value["list"].append(2)
    vine["foo"]["list"].append(3)
    assert vine["foo"] == {"list": [1]}


class Odd:
    pass


def endless() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value", [Odd(), {1, 2}, print, 1j, {None: 1}, datetime(2026, 1, 1)], ids=repr
)
def test_what_cannot_be_carried_is_a_type_error_at_the_call(vine, value):
    with pytest.raises((TypeError, ValueError)) as caught:
        vine.gossip("foo", value)
    assert isinstance(caught.value, errors.LocalError)
    assert "foo" not in vine


@pytest.mark.parametrize(
    "value",
    [float("nan"), 2**64, "x" * 2_000_000, endless(), "\ud800", [[[[[[[[[1]]]]]]]]]],
    ids=range(6),
)
def test_what_is_out_of_bounds_is_a_value_error_at_the_call(vine, value):
    with pytest.raises(errors.InvalidValue):
        vine.gossip("foo", value)
    assert "foo" not in vine


def test_update_changes_nothing_if_one_of_many_is_refused(vine):
    with pytest.raises(TypeError):
        vine.update({"a": 1, "b": Odd()})
    with pytest.raises(errors.InvalidKey):
        vine.update({"a": 1, "": 2})
    assert vine.keys() == []


BAD_KEYS = ["", "x" * 1025, "ü" * 513, "\ud800", "a\udfff", None, 5, b"a", ["a"]]


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
@pytest.mark.parametrize(
    "use",
    [
        lambda vine, key: vine.gossip(key, 1),
        lambda vine, key: vine.get(key),
        lambda vine, key: vine[key],
        lambda vine, key: vine.delete(key),
        lambda vine, key: key in vine,
        lambda vine, key: vine.on("gossip", [key], print),
    ],
    ids=["gossip", "get", "[]", "delete", "in", "on"],
)
def test_what_is_no_key_is_refused(vine, key, use):
    with pytest.raises(ValueError, match="key"):
        use(vine, key)
    assert vine.keys() == []


@pytest.mark.parametrize("key", ["x" * 1024, "ü" * 512, "\x00", "a b\n", "*", "__class__", "🌱"])
def test_every_other_text_is_a_key(vine, key):
    vine.gossip(key, 1)
    assert vine.keys() == [key]
    assert vine[key] == 1


def test_a_str_of_a_subclass_is_a_plain_key(vine):
    class Name(str):
        def encode(self, *args):
            return b"something else"

    vine.gossip(Name("foo"), 1)
    assert vine.keys() == ["foo"]
    assert type(vine.keys()[0]) is str


def test_threads_write_and_read_at_once(vine):
    def work(name: int) -> None:
        for number in range(500):
            vine.gossip(f"{name}/{number}", number)
            assert vine[f"{name}/{number}"] == number
            vine.gossip("shared", name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vine.keys()) == 2001


def test_its_repr_says_where_and_how_much_and_no_key_or_value(vine):
    vine.gossip("secret", "value")
    text = repr(vine)
    assert "1 keys" in text
    assert vine.name in text
    assert "secret" not in text
    assert "value" not in text
