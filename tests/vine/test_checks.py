"""Arguments that are not what their names say: refused by name, and nothing has changed."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import pytest

from vines import Vine, errors
from vines.checks import SECONDS_MAX, check_id, check_members, check_seconds, check_timeout

NO_TIMES = [True, "1", b"", [], {}, float("nan"), timedelta(seconds=1), print]
NO_NUMBERS = [None, True, -1, 1.0, "2", float("nan"), float("inf"), [], print]
NO_MAPPINGS = [True, 0, 1, "", "a=b", b"", [], [("a", "b")], ("a",), print]
NO_IDS = [None, True, 0, 1.5, "", "web-1", "00" * 15, "0g" * 16, b"short", [], print]


@pytest.fixture
def vine():
    vine = Vine(name="a", tags={"role": "web"}).listen()
    yield vine
    vine.end()


@pytest.mark.parametrize("wrong", NO_TIMES, ids=repr)
@pytest.mark.parametrize(
    "wait",
    [
        lambda vine, timeout: vine.flush(timeout),
        lambda vine, timeout: vine.wait_for(2, timeout),
        lambda vine, timeout: vine.wait("topic", timeout),
        lambda vine, timeout: vine.leave(timeout),
    ],
    ids=["flush", "wait_for", "wait", "leave"],
)
def test_what_is_no_time_to_wait_is_refused(vine, wait, wrong):
    with pytest.raises(errors.InvalidArgument, match=r"^timeout is a number of seconds.*nothing"):
        wait(vine, wrong)
    assert vine.members()  # it has not ended, nor does anybody wait
    assert vine._engine._asker._counts == []


def test_leaving_has_an_end(vine):
    with pytest.raises(errors.InvalidArgument, match=r"timeout is a number of seconds, not None"):
        vine.leave(None)
    vine.leave(10**400)


def test_times_are_what_they_were_and_without_end_where_they_may_be():
    assert check_timeout(None) is None
    assert [check_timeout(each) for each in (-1, 0, 0.5, 3)] == [-1, 0, 0.5, 3]
    assert check_seconds(float("inf")) == check_seconds(10**400) == SECONDS_MAX


@pytest.mark.parametrize("wrong", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize(
    "wait",
    [
        lambda vine, members: vine.flush(0.01, members),
        lambda vine, members: vine.wait_for(members, 0.01),
    ],
    ids=["flush", "wait_for"],
)
def test_what_is_no_number_of_members_is_refused(vine, wait, wrong):
    with pytest.raises(errors.InvalidArgument, match=r"^members is a whole number"):
        wait(vine, wrong)
    assert [check_members(each) for each in (0, 1, 10**30)] == [0, 1, 10**30]


@pytest.mark.parametrize("wrong", NO_IDS, ids=repr)
def test_what_is_no_id_is_refused_and_a_name_is_none(vine, wrong):
    with pytest.raises(errors.InvalidArgument, match=r"^id is 16 bytes"):
        vine.member(wrong)
    assert check_id(vine.id.hex().upper()) == vine.id
    assert check_id(type("Id", (bytes,), {})(vine.id)) == vine.id


@pytest.mark.parametrize("wrong", NO_MAPPINGS, ids=repr)
def test_what_is_no_mapping_is_refused(vine, wrong):
    with pytest.raises(
        errors.InvalidArgument, match=r"^values is a mapping of values by keys, not"
    ):
        vine.update(wrong)
    with pytest.raises(errors.InvalidArgument, match=r"^tags is a mapping of texts by names, not"):
        vine.tags(wrong)
    assert vine.keys() == []
    assert vine.members()[0].tags == {"role": "web"}


@pytest.mark.parametrize("wrong", [None, 0, 1, "no", []], ids=repr)
def test_ephemeral_is_true_or_false(vine, wrong):
    with pytest.raises(errors.InvalidArgument, match=r"^ephemeral is True or False, not"):
        vine.gossip("key", 1, ephemeral=wrong)
    with pytest.raises(errors.InvalidArgument, match=r"^ephemeral is True or False, not"):
        vine.update({"key": 1}, ephemeral=wrong)
    assert vine.keys() == []


@pytest.mark.parametrize("wrong", [True, 0, 1.5, b"x", [], print], ids=repr)
def test_what_is_no_path_is_refused_by_name(wrong):
    with pytest.raises(
        errors.InvalidConfig, match=r"^data_dir must be the path of a directory, not"
    ):
        Vine(data_dir=wrong)


def test_errors_show_the_beginning_of_what_was_given(vine):
    for call in (
        lambda: vine.join("x" * 10_000),
        lambda: vine.listen("x" * 10_000),
        lambda: vine.on("x" * 10_000, print),
        lambda: vine.election(**{"x" * 10_000: 1}),
        lambda: vine.member("x" * 10_000),
        lambda: Vine("x" * 10_000),
        lambda: Vine(**{"x" * 10_000: 1}),
    ):
        with pytest.raises((errors.LocalError, TypeError)) as caught:
            call()
        assert "xxx..." in str(caught.value)
        assert len(str(caught.value)) < 500


def test_an_unknown_option_is_named_beside_those_there_are(vine):
    with pytest.raises(errors.InvalidElection, match=r"no option 'quorum': it has .*min.*voters"):
        vine.election(topic="topic", total=2, quorum=2, expire=1)


def test_writing_nothing_after_the_end_is_refused_like_writing_something(vine):
    vine.end()
    with pytest.raises(errors.Closed):
        vine.update({})


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_vine_is_neither_copied_nor_pickled(vine, how):
    with pytest.raises(TypeError, match=r"make a Vine"):
        how(vine)
