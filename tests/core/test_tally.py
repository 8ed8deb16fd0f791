"""Votes against an election that recounts them all, and against whatever is no vote."""

from __future__ import annotations

import copy
import enum
import gc
import pickle
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vines._core import tally as core
from vines._core.tally import (
    ABSTAIN,
    CHOICES_MAX,
    LOST,
    NONE,
    PENDING,
    REFUSE,
    TOTAL_MAX,
    VOTERS_MAX,
    WEIGHT_MAX,
    Roll,
    Tally,
    count,
)
from vines.errors import WireError

from . import model_tally as model

SEQUENCE_MAX = 2**63 - 1

weights = st.one_of(
    st.lists(st.integers(0, 3), min_size=1, max_size=7),
    st.lists(st.just(1), min_size=1, max_size=7),
    st.lists(st.integers(0, WEIGHT_MAX), min_size=1, max_size=7),
).filter(any)


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[int], int, int, bool]:
    """Weights, choices, least, plurality."""
    each = draw(weights)
    total = sum(each)
    few = st.integers(1, total) | st.just(total // 2 + 1) | st.just(total)
    return each, draw(st.integers(1, 5)), draw(few), draw(st.booleans())


def codes(choices: int) -> st.SearchStrategy[int]:
    return st.integers(0, choices - 1) | st.sampled_from([REFUSE, ABSTAIN])


@st.composite
def ballots(draw: st.DrawFn, rules: tuple[list[int], int, int, bool]) -> list[tuple[int, int, int]]:
    """Votes of which some are stale, or as old as the one held, and most change it."""
    rank = st.integers(0, len(rules[0]) - 1)
    step = st.sampled_from([1, 1, 1, 2, 0, -1, SEQUENCE_MAX])
    held = [0] * len(rules[0])
    votes = []
    for at, further, code in draw(st.lists(st.tuples(rank, step, codes(rules[1])), max_size=30)):
        sequence = min(max(held[at] + further, 1), SEQUENCE_MAX)
        held[at] = max(held[at], sequence)
        votes.append((at, sequence, code))
    return votes


contests = elections().flatmap(lambda rules: st.tuples(st.just(rules), ballots(rules)))


def pair(rules: tuple[list[int], int, int, bool]) -> tuple[Tally, model.Tally]:
    each, choices, least, plurality = rules
    return (
        Tally(Roll(each), choices, least, plurality=plurality),
        model.Tally(each, choices, least, plurality=plurality),
    )


def observe(tally: Tally | model.Tally, voters: int, choices: int) -> list[object]:
    """All that can be asked."""
    return [
        tally.outcome,
        tally.closing(),
        tally.uncast,
        tally.voted,
        tally.packed(),
        [tally.choice_of(rank) for rank in range(voters)],
        [tally.sequence_of(rank) for rank in range(voters)],
        [tally.weight_of(code) for code in [*range(choices), REFUSE, ABSTAIN, NONE]],
    ]


def unchanged_by(tally: Tally, action: Callable[[], object], error: Any) -> None:
    before = tally.state_bytes(), tally.outcome, tally.closing(), tally.uncast, tally.voted
    with pytest.raises(error):
        action()
    after = tally.state_bytes(), tally.outcome, tally.closing(), tally.uncast, tally.voted
    assert after == before


def test_the_codes_are_those_of_the_model() -> None:
    for name in ("PENDING", "LOST", "REFUSE", "ABSTAIN", "NONE"):
        assert getattr(core, name) == getattr(model, name)
    assert CHOICES_MAX == REFUSE
    assert (VOTERS_MAX, WEIGHT_MAX, TOTAL_MAX) == (1_000_000, 2**32 - 1, 2**48 - 1)


@given(contests)
def test_after_every_vote_it_says_what_a_recount_says(contest: Any) -> None:
    rules, votes = contest
    tally, oracle = pair(rules)
    size = len(rules[0]), rules[1]
    assert observe(tally, *size) == observe(oracle, *size)
    for vote in votes:
        assert tally.vote(*vote) is oracle.vote(*vote)
        assert observe(tally, *size) == observe(oracle, *size)


@pytest.mark.parametrize("plurality", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_leads_that_change_again_and_again(seed: int, plurality: bool) -> None:
    """Few voters of about the same weight, who mostly vote for a choice: ties come and go."""
    choose = random.Random(seed)
    choices = choose.randint(1, 5)
    each = [choose.choice([1, 1, 1, 2, 0]) for _ in range(choose.randint(3, 9))] + [1]
    rules = each, choices, choose.randint(1, sum(each) // 2 + 1), plurality
    tally, oracle = pair(rules)
    for sequence in range(1, 200):
        code = choose.choice([*range(choices), *range(choices), REFUSE, ABSTAIN])
        vote = choose.randrange(len(each)), sequence, code
        assert tally.vote(*vote) is oracle.vote(*vote)
        assert observe(tally, len(each), choices) == observe(oracle, len(each), choices)


@given(contests, st.booleans())
def test_votes_in_bulk_decide_what_they_decide_one_by_one(contest: Any, closing: bool) -> None:
    (each, choices, least, plurality), votes = contest
    tally, _ = pair(contest[0])
    for vote in votes:
        tally.vote(*vote)
    found = count(Roll(each), tally.packed(), choices, least, plurality=plurality, closing=closing)
    assert found == (tally.closing() if closing else tally.outcome)


@given(st.data(), st.sampled_from([1, 2, 5, 251, 252, 253]), st.booleans(), st.booleans())
def test_long_packed_votes_are_those_of_the_model(
    data: st.DataObject, choices: int, plurality: bool, closing: bool
) -> None:
    """Of every length around the width of the loop, and every number of choices at the edges."""
    voters = data.draw(st.integers(1, 70))
    seed = data.draw(st.integers(0, 1000))
    choose = random.Random(seed)
    each = [choose.randrange(4) for _ in range(voters - 1)] + [1]
    options = [0, choices - 1, choose.randrange(choices), REFUSE, ABSTAIN, NONE]
    packed = bytes(choose.choice(options) for _ in range(voters))
    least = choose.randrange(sum(each)) // choose.choice([1, 4]) + 1
    assert count(
        Roll(each), packed, choices, least, plurality=plurality, closing=closing
    ) == model.decide(each, packed, choices, least, plurality=plurality, closing=closing)


@given(contests, contests)
def test_a_copy_goes_its_own_way(contest: Any, other: Any) -> None:
    rules, votes = contest
    tally, oracle = pair(rules)
    for vote in votes[::2]:
        tally.vote(*vote)
        oracle.vote(*vote)
    twin, size = tally.copy(), (len(rules[0]), rules[1])
    before = tally.state_bytes()
    assert twin.state_bytes() == before
    for vote in votes[1::2]:
        assert twin.vote(*vote) is oracle.vote(*vote)
        assert observe(twin, *size) == observe(oracle, *size)
    assert tally.state_bytes() == before
    del tally
    assert observe(twin, *size) == observe(oracle, *size)


@given(contests, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_matter(contest: Any, choose: random.Random) -> None:
    rules, votes = contest
    held = {(rank, sequence): (rank, sequence, choice) for rank, sequence, choice in votes}
    tallies = []
    for _ in range(3):
        shuffled = list(held.values())
        choose.shuffle(shuffled)
        tally, _ = pair(rules)
        for vote in shuffled:
            tally.vote(*vote)
        tallies.append(tally)
    final = {rank: held[rank, sequence] for rank, sequence in sorted(held)}
    direct, _ = pair(rules)
    for vote in final.values():
        assert direct.vote(*vote)
    assert {tally.state_bytes() for tally in tallies} == {direct.state_bytes()}
    size = len(rules[0]), rules[1]
    assert all(observe(tally, *size) == observe(direct, *size) for tally in tallies)


small = st.tuples(
    st.lists(st.integers(0, 1), min_size=1, max_size=2).filter(any),
    st.integers(1, 2),
    st.just(1),
    st.booleans(),
)
small_votes = st.lists(
    st.tuples(st.just(0), st.integers(1, 2), st.sampled_from([0, REFUSE])), max_size=2
)


@given(small, small_votes, small, small_votes)
@example(([1], 1, 1, False), [(0, 1, 0)], ([1], 1, 1, False), [(0, 2, 0)])
def test_states_are_equal_bytes_if_and_only_if_they_are_equal(
    rules: Any, votes: Any, other_rules: Any, other_votes: Any
) -> None:
    (one, one_model), (two, two_model) = pair(rules), pair(other_rules)
    for tally, cast in ((one, votes), (one_model, votes), (two, other_votes)):
        for vote in cast:
            tally.vote(*vote)
    for vote in other_votes:
        two_model.vote(*vote)
    same = one_model.state() == two_model.state()
    assert (one.state_bytes() == two.state_bytes()) is same


def test_states_that_differ_in_one_thing_differ() -> None:
    def made(
        each: list[int], choices: int, least: int, plurality: bool, *votes: tuple[int, int, int]
    ) -> bytes:
        tally = Tally(Roll(each), choices, least, plurality=plurality)
        for vote in votes:
            assert tally.vote(*vote)
        return tally.state_bytes()

    states = [
        made([2, 1], 2, 2, False),
        made([1, 2], 2, 2, False),
        made([2, 1, 0], 2, 2, False),
        made([2, 1], 3, 2, False),
        made([2, 1], 2, 3, False),
        made([2, 1], 2, 2, True),
        made([2, 1], 2, 2, False, (0, 1, 0)),
        made([2, 1], 2, 2, False, (1, 1, 0)),
        made([2, 1], 2, 2, False, (0, 2, 0)),
        made([2, 1], 2, 2, False, (0, 1, 1)),
        made([2, 1], 2, 2, False, (0, 1, REFUSE)),
        made([2, 1], 2, 2, False, (0, 1, ABSTAIN)),
        made([2, 1], 2, 2, False, (0, SEQUENCE_MAX, 0)),
        made([2, WEIGHT_MAX], 2, 2, False),
    ]
    assert len(set(states)) == len(states)


# What must not be, whatever the votes.


@given(contests)
def test_a_boolean_election_never_both_commits_and_aborts(contest: Any) -> None:
    (each, _, least, _), votes = contest
    tally = Tally(Roll(each), 1, least)
    total = sum(each)
    for rank, sequence, choice in votes:
        tally.vote(rank, sequence, choice if choice in (0, ABSTAIN) else REFUSE)
        against = tally.weight_of(REFUSE) + tally.weight_of(ABSTAIN)
        commit, abort = tally.weight_of(0) >= least, against > total - least
        assert not (commit and abort)
        assert tally.outcome == (0 if commit else LOST if abort else PENDING)
        assert tally.closing() == tally.outcome


@given(contests)
def test_no_two_choices_both_have_more_than_half(contest: Any) -> None:
    (each, choices, _, plurality), votes = contest
    least = sum(each) // 2 + 1
    tally = Tally(Roll(each), choices, least, plurality=plurality)
    for vote in votes:
        tally.vote(*vote)
        enough = [choice for choice in range(choices) if tally.weight_of(choice) >= least]
        assert len(enough) <= 1
        assert tally.closing() in (*enough, LOST, PENDING)
        assert plurality or enough in ([], [tally.outcome])


@given(contests)
def test_all_weight_is_behind_one_code(contest: Any) -> None:
    rules, votes = contest
    tally, _ = pair(rules)
    for vote in votes:
        tally.vote(*vote)
    everything = [*range(rules[1]), REFUSE, ABSTAIN, NONE]
    assert sum(tally.weight_of(code) for code in everything) == sum(rules[0])


@given(contests)
def test_what_is_decided_is_decided_at_the_deadline_too(contest: Any) -> None:
    rules, votes = contest
    tally, _ = pair(rules)
    for vote in votes:
        tally.vote(*vote)
        assert tally.outcome in (PENDING, tally.closing())
        if tally.uncast == 0:
            assert tally.closing() != PENDING or not rules[3]


@given(contests)
def test_won_is_won_while_no_vote_changes(contest: Any) -> None:
    """First votes alone take an outcome from pending to the end, if `least` is above half."""
    (each, choices, _, _), votes = contest
    tally = Tally(Roll(each), choices, sum(each) // 2 + 1)
    decided = PENDING
    for rank, _, choice in votes:
        tally.vote(rank, 1, choice)
        assert decided in (PENDING, tally.outcome)
        decided = tally.outcome


# The rules, by example.


def cast(tally: Tally, *choices: int) -> Tally:
    """The next vote of ranks 0, 1, 2 ..."""
    for rank, choice in enumerate(choices):
        if choice != NONE:
            assert tally.vote(rank, tally.sequence_of(rank) + 1, choice)
    return tally


UNIT = Roll([1] * 5)


@pytest.mark.parametrize(
    ("votes", "choices", "least", "outcome"),
    [
        ([], 1, 3, PENDING),
        ([0, 0], 1, 3, PENDING),
        ([0, 0, 0], 1, 3, 0),
        ([0, 0, REFUSE, REFUSE], 1, 3, PENDING),
        ([0, 0, REFUSE, ABSTAIN, REFUSE], 1, 3, LOST),
        ([REFUSE, ABSTAIN, REFUSE], 1, 3, LOST),
        ([REFUSE], 1, 5, LOST),
        ([2, 1], 3, 1, 1),
        ([2, 1, 2], 3, 1, 2),
        ([0, 1, 2, 0, 1], 3, 3, LOST),
        ([0, 1, 2, 0], 3, 3, PENDING),
        ([0, 0, 1, 1], 2, 4, LOST),
        ([0, 1, 1, 0], 2, 2, 0),
    ],
)
def test_by_threshold(votes: list[int], choices: int, least: int, outcome: int) -> None:
    tally = cast(Tally(UNIT, choices, least), *votes)
    assert tally.outcome == tally.closing() == outcome


@pytest.mark.parametrize(
    ("votes", "choices", "least", "outcome", "closing"),
    [
        ([], 3, 1, PENDING, PENDING),
        ([ABSTAIN], 3, 1, PENDING, PENDING),
        ([1], 3, 1, PENDING, 1),
        ([1], 3, 2, PENDING, PENDING),
        ([1, 2], 3, 2, PENDING, LOST),
        ([1, 2], 3, 1, PENDING, LOST),
        ([1, 2, 1], 3, 1, PENDING, 1),
        ([1, 1, 1, 1], 3, 1, PENDING, 1),
        ([1, 1, 2, 2, 0], 3, 1, LOST, LOST),
        ([1, 1, 2, REFUSE, 0], 3, 2, 1, 1),
        ([1, 1, 2, REFUSE, 0], 3, 3, LOST, LOST),
        ([1, REFUSE, ABSTAIN], 3, 4, LOST, LOST),
        ([REFUSE, ABSTAIN, REFUSE, ABSTAIN, ABSTAIN], 3, 1, LOST, LOST),
    ],
)
def test_by_plurality(
    votes: list[int], choices: int, least: int, outcome: int, closing: int
) -> None:
    tally = cast(Tally(UNIT, choices, least, plurality=True), *votes)
    assert (tally.outcome, tally.closing()) == (outcome, closing)


def test_a_voter_without_weight_is_not_waited_for() -> None:
    tally = cast(Tally(Roll([1, 0, 2]), 2, 1, plurality=True), 0, NONE, 1)
    assert (tally.outcome, tally.voted, tally.uncast) == (1, 2, 0)
    assert tally.vote(1, 1, 0)
    assert (tally.outcome, tally.voted) == (1, 3)


def test_an_outcome_follows_votes_that_change() -> None:
    tally = cast(Tally(UNIT, 2, 3), 0, 0, 0)
    assert tally.outcome == 0
    assert not tally.vote(2, 1, 1)
    assert tally.outcome == 0
    assert tally.vote(2, 2, 1)
    assert tally.outcome == PENDING
    assert cast(tally, NONE, NONE, NONE, 1, REFUSE).outcome == LOST
    assert cast(tally, NONE, 1).outcome == 1


def test_leading_choices_hand_over_through_ties() -> None:
    tally = cast(Tally(UNIT, 3, 1), 2, 2, 1, 1)
    assert tally.outcome == 1
    assert cast(tally, NONE, NONE, NONE, ABSTAIN).outcome == 2
    assert cast(tally, NONE, 0, NONE, 0).outcome == 0
    assert cast(tally, NONE, 2).outcome == 2


def test_as_many_choices_as_there_may_be() -> None:
    roll = Roll([1] * CHOICES_MAX)
    tally = cast(Tally(roll, CHOICES_MAX, 1, plurality=True), *range(CHOICES_MAX))
    assert tally.outcome == LOST
    assert tally.vote(0, 2, CHOICES_MAX - 1)
    assert tally.outcome == tally.closing() == CHOICES_MAX - 1
    assert tally.weight_of(CHOICES_MAX - 1) == 2
    assert count(roll, tally.packed(), CHOICES_MAX, 2, plurality=True) == CHOICES_MAX - 1


def test_the_heaviest_roll_there_may_be() -> None:
    """Nothing overflows: 65,535 voters of all but the largest weight, and the rest."""
    each = [WEIGHT_MAX] * 65_535 + [TOTAL_MAX - WEIGHT_MAX * 65_535 - WEIGHT_MAX, WEIGHT_MAX]
    roll = Roll(each)
    assert roll.total == TOTAL_MAX
    packed = bytes(len(each) - 1)
    assert count(roll, packed + b"\0", 1, TOTAL_MAX) == 0
    assert count(roll, packed + b"\xff", 1, TOTAL_MAX) == PENDING
    assert count(roll, packed + b"\xfd", 1, TOTAL_MAX) == LOST
    with pytest.raises(ValueError, match=r"2\*\*48"):
        Roll([*each, 1])


def test_as_many_voters_as_there_may_be() -> None:
    roll = Roll([1] * VOTERS_MAX)
    assert count(roll, bytes(VOTERS_MAX), 1, VOTERS_MAX) == 0
    with pytest.raises(ValueError, match="voters"):
        Roll([1] * (VOTERS_MAX + 1))


# Rolls.


@given(weights)
def test_a_roll_is_the_weights_it_was_made_of(each: list[int]) -> None:
    for given_as in (each, tuple(each)):
        roll = Roll(given_as)
        assert (len(roll), roll.total, roll.weights()) == (len(each), sum(each), tuple(each))
        assert [roll.weight(rank) for rank in range(len(each))] == each
    each.append(1)
    assert len(roll) == len(each) - 1


@pytest.mark.parametrize(
    "each", [[], (), [0], [0, 0], [-1, 2], [1, 2**32], [2**70], [-(2**70), 1], range(10**15)]
)
def test_what_is_no_electorate_is_refused(each: Any) -> None:
    with pytest.raises(ValueError, match=r"voters|a weight is|the total"):
        Roll(each)


@pytest.mark.parametrize(
    "each",
    [None, 1, {1: 1}, {1}, iter([1]), "1", [None], ["1"], [1.0], [True], [1, False], [[1]], [1j]],
    ids=repr,
)
def test_what_is_no_sequence_of_integers_is_refused(each: Any) -> None:
    with pytest.raises(TypeError):
        Roll(each)


class Liar(list):  # type: ignore[type-arg]
    """Says that it is shorter, or longer, than it is."""

    def __init__(self, items: list[int], said: int) -> None:
        super().__init__(items)
        self.said = said

    def __len__(self) -> int:
        return self.said


@pytest.mark.parametrize("said", [1, 5])
def test_a_sequence_that_lies_about_its_length_is_read_whole(said: int) -> None:
    assert Roll(Liar([1, 2, 3], said)).weights() == (1, 2, 3)


# Hostile callers.


WRONG_TYPES = [None, True, False, 1.0, float("nan"), "1", b"1", [1], object(), 1j, int]
BEYOND = [-1, -(2**31), -(2**63), -(2**64), 2**63, 2**64, 2**64 + 1, 2**200, -(2**200)]


def begun() -> Tally:
    return cast(Tally(Roll([1, 2, 3]), 3, 4), 0, 1)


@pytest.mark.parametrize("wrong", WRONG_TYPES, ids=repr)
def test_numbers_of_another_type_are_refused(wrong: Any) -> None:
    tally, roll = begun(), Roll([1, 2, 3])
    for arguments in ((wrong, 9, 0), (0, wrong, 0), (0, 9, wrong)):
        unchanged_by(tally, lambda each=arguments: tally.vote(*each), TypeError)  # type: ignore[misc]
    for method in (tally.weight_of, tally.choice_of, tally.sequence_of, roll.weight):
        with pytest.raises(TypeError):
            method(wrong)
    for choices, least in ((wrong, 1), (1, wrong)):
        with pytest.raises(TypeError):
            Tally(roll, choices, least)
        with pytest.raises(TypeError):
            count(roll, bytes(3), choices, least)


@pytest.mark.parametrize("rank", [*BEYOND, 3, 4, 255, 2**32])
def test_a_rank_outside_is_refused(rank: int) -> None:
    tally = begun()
    unchanged_by(tally, lambda: tally.vote(rank, 9, 0), IndexError)
    for method in (tally.choice_of, tally.sequence_of, Roll([1, 2, 3]).weight):
        with pytest.raises(IndexError):
            method(rank)


@pytest.mark.parametrize("sequence", [*BEYOND, 0])
def test_a_sequence_number_out_of_range_is_refused(sequence: int) -> None:
    tally = begun()
    for rank in range(3):
        unchanged_by(tally, lambda at=rank: tally.vote(at, sequence, 0), ValueError)  # type: ignore[misc]


@pytest.mark.parametrize("choice", [*BEYOND, 3, 4, 252, 256, 256 + REFUSE, 2**32])
def test_a_choice_that_is_none_is_refused(choice: int) -> None:
    tally = begun()
    unchanged_by(tally, lambda: tally.vote(0, 9, choice), ValueError)
    with pytest.raises(ValueError, match="no such choice"):
        tally.weight_of(choice)


def test_a_vote_cannot_be_taken_back() -> None:
    tally = begun()
    for rank in range(3):
        unchanged_by(tally, lambda at=rank: tally.vote(at, 9, NONE), ValueError)  # type: ignore[misc]
    assert tally.weight_of(NONE) == tally.uncast == 3


@pytest.mark.parametrize("choices", [*BEYOND, 0, 254, 256, 257])
def test_a_number_of_choices_out_of_range_is_refused(choices: int) -> None:
    with pytest.raises(ValueError, match="choices"):
        Tally(UNIT, choices, 1)
    with pytest.raises(ValueError, match="choices"):
        count(UNIT, bytes(5), choices, 1)


@pytest.mark.parametrize("least", [*BEYOND, 0, 6])
def test_a_least_weight_that_is_none_is_refused(least: int) -> None:
    with pytest.raises(ValueError, match="least"):
        Tally(UNIT, 1, least)
    with pytest.raises(ValueError, match="least"):
        count(UNIT, bytes(5), 1, least)


@pytest.mark.parametrize(
    "roll", [None, [1], (1,), 1, begun()], ids=lambda roll: type(roll).__name__
)
def test_what_is_no_roll_is_refused(roll: Any) -> None:
    with pytest.raises(TypeError):
        Tally(roll, 1, 1)
    with pytest.raises(TypeError):
        count(roll, b"\0", 1, 1)


def test_an_integer_of_a_class_of_its_own_is_one() -> None:
    class Colour(enum.IntEnum):
        RED = 0
        BLUE = 1

    tally = Tally(UNIT, 2, 1)
    assert tally.vote(0, 1, Colour.BLUE)
    assert tally.choice_of(0) == Colour.BLUE
    assert type(tally.choice_of(0)) is int


# Packed votes of a peer.


@pytest.mark.parametrize("choices", [1, 2, 3, 128, 252, 253])
@pytest.mark.parametrize("voters", [1, 3, 4, 5, 16, 33, 64, 100])
def test_every_byte_that_is_no_code_is_refused_wherever_it_is(choices: int, voters: int) -> None:
    """All others have not voted, so that this one alone decides."""
    roll = Roll([1] * voters)
    for byte in range(256):
        for at in {0, voters // 2, voters - 1}:
            packed = bytearray(b"\xff" * voters)
            packed[at] = byte
            if byte < choices or byte >= REFUSE:
                lost = voters == 1 and byte != NONE
                wanted = byte if byte < choices else LOST if lost else PENDING
                assert count(roll, bytes(packed), choices, 1) == wanted
            else:
                with pytest.raises(WireError):
                    count(roll, bytes(packed), choices, 1)


def test_a_byte_that_is_no_code_is_refused_even_without_weight() -> None:
    roll = Roll([0, 1])
    with pytest.raises(WireError):
        count(roll, bytes([3, 0]), 3, 1)


@given(weights, st.binary(max_size=20), st.integers(1, 5))
def test_packed_bytes_are_votes_or_refused(each: list[int], packed: bytes, choices: int) -> None:
    well_formed = len(packed) == len(each) and all(
        byte < choices or byte >= REFUSE for byte in packed
    )
    if well_formed:
        assert count(Roll(each), packed, choices, 1) == model.decide(each, packed, choices, 1)
    else:
        with pytest.raises(WireError):
            count(Roll(each), packed, choices, 1)


@pytest.mark.parametrize("length", [0, 1, 4, 6, 10, 1000])
def test_packed_votes_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(WireError):
        count(UNIT, bytes(length), 1, 1)


@pytest.mark.parametrize(
    "packed", [None, "00000", bytearray(5), memoryview(bytes(5)), [0] * 5, 5], ids=repr
)
def test_packed_votes_are_bytes(packed: Any) -> None:
    with pytest.raises(TypeError):
        count(UNIT, packed, 1, 1)


# Objects.


def test_a_roll_outlives_the_name_it_had() -> None:
    tallies = [Tally(Roll([1, 2, 3]), 1, 4) for _ in range(100)]
    gc.collect()
    noise = [Roll([7] * 3) for _ in range(1000)]
    for tally in tallies:
        assert cast(tally, NONE, 0, 0).outcome == 0
        assert tally.uncast == 1
    del noise


def test_neither_is_made_without_arguments_or_made_again() -> None:
    for kind in (Roll, Tally):
        with pytest.raises(TypeError):
            kind.__new__(kind)
    tally = begun()
    before = tally.state_bytes()
    tally.__init__(Roll([1]), 1, 1)  # type: ignore[misc]
    assert tally.state_bytes() == before


def test_neither_can_be_pickled_or_copied_by_the_library() -> None:
    for made in (Roll([1]), begun()):
        with pytest.raises(TypeError):
            pickle.dumps(made)
        with pytest.raises(TypeError):
            copy.deepcopy(made)


def test_rules_and_results_cannot_be_set() -> None:
    tally = begun()
    for name in ("outcome", "uncast", "voted", "memory", "other"):
        with pytest.raises(AttributeError):
            setattr(tally, name, 1)
    with pytest.raises(AttributeError):
        Roll([1]).total = 2  # type: ignore[misc]


@pytest.mark.parametrize("choices", [1, 253])
@pytest.mark.parametrize("voters", [1, 5, 1000])
def test_a_voter_takes_nine_bytes(voters: int, choices: int) -> None:
    tally = Tally(Roll([1] * voters), choices, 1)
    assert tally.memory == tally.copy().memory == sys.getsizeof(tally)  # before the first vote
    tally.vote(0, 1, ABSTAIN)
    assert tally.memory == sys.getsizeof(tally) + 8 * (choices + 3) + 9 * voters
    assert tally.copy().memory == tally.memory
