"""Frames of elections: golden bytes, both ways exactly, and what becomes of them when any part is
wrong.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.elections.defined import changed, defined
from vines._core.tally import CHOICES_MAX
from vines.errors import WireError
from vines.protocol.elections.ballots import NEVER
from vines.protocol.elections.criteria import LABEL_BYTES_MAX
from vines.protocol.elections.electorate import VOTER_BYTES_MAX, VOTERS_MAX
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Definition,
    Formed,
    Introduction,
    Message,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Sign,
    Signed,
    Unknown,
    Vote,
    VoteAck,
)
from vines.protocol.wire import fields
from vines.protocol.wire.ballot import (
    DECISION_BYTES_MAX,
    ENTRIES_MAX,
    SLOT_MAX,
    Ballots,
    frame_of,
    pack,
)
from vines.protocol.wire.definition import (
    LEAST_MAX,
    NUMBER_MAX,
    REMAINING_MAX,
    ROLL_BYTES_MAX,
    SIGNUP_BYTES_MAX,
    pack_roll,
)
from vines.protocol.wire.framing import FRAME_BYTES_MAX, LENGTH_BYTES, Framer

from .golden import BALLOTS, DEFINITION, DIGEST, ID, SEVERAL, VOTES, ballot
from .test_hostile_fields import EVERY_TYPE, MALFORMED, packed
from .test_hostile_turns import LENGTHS
from .test_messages import FORCED

HEAD = bytes((14, 0))
WEIGHT_MAX = 2**32 - 1

every_frame = pytest.mark.parametrize("name", BALLOTS)
every_map = pytest.mark.parametrize("name", ["define", "define yes or no", "sign"])
_NAMES = (
    *("vote", "ack", "prepare", "promise", "accept", "accepted", "nack", "refusal", "decided"),
    *("define", "sign", "signed", "formed", "cancel", "unknown"),
)
WORDS = {word: number for number, word in enumerate(_NAMES)}
ENTRY = struct.Struct("<IB16sI")


def golden(name: str) -> bytes:
    """A frame as `receive` gets it: without its length."""
    return bytes.fromhex(BALLOTS[name][1])[LENGTH_BYTES:]


def decodes_or_is_refused(data: bytes) -> bool:
    """Whether it decodes, to what goes both ways; nothing but WireError may come of it if not."""
    try:
        decoded = Ballots.decode(data)
    except WireError:
        return False
    again = Ballots.decode(decoded.encode()[LENGTH_BYTES:])
    assert repr(again) == repr(decoded)  # types of all parts included
    assert again == decoded
    return True


def entry(word: str | int, body: bytes, election: bytes = ID, slot: int = 0) -> bytes:
    """A frame that says one thing, well-formed but for its body."""
    number = WORDS[word] if isinstance(word, str) else word
    return HEAD + ENTRY.pack(len(body), number, election, slot) + body


def map_of(one: Ballots) -> dict[str, object]:
    """The fields of a definition as they travel."""
    return fields.unpack(one.encode()[LENGTH_BYTES:], len(HEAD) + ENTRY.size)


def with_map(one: Ballots, data: bytes) -> bytes:
    """The frame with another map."""
    word = "sign" if isinstance(one.ballots[0][2], Sign) else "define"
    return entry(word, data)


def with_fields(one: Ballots, **changes: object) -> bytes:
    """The frame with some fields changed."""
    return with_map(one, fields.pack(map_of(one) | changes))


def without(one: Ballots, name: str) -> bytes:
    """The frame with a field left out."""
    return with_map(one, fields.pack({k: v for k, v in map_of(one).items() if k != name}))


# What is on the wire.


@every_frame
def test_encoding_is_golden(name: str) -> None:
    message, data = BALLOTS[name]
    assert message.encode().hex() == data


@every_frame
def test_decoding_gives_the_message_back(name: str) -> None:
    message, _ = BALLOTS[name]
    decoded = Ballots.decode(golden(name))
    assert decoded == message
    assert repr(decoded) == repr(message)


def test_everything_that_can_be_said_has_golden_bytes() -> None:
    kinds = {type(said) for message, _ in BALLOTS.values() for _, _, said in message.ballots}
    assert kinds == set(get_args(Message | Introduction))


def test_what_differs_only_in_its_class_is_not_equal() -> None:
    assert ballot(Formed()) != ballot(Cancel())
    assert ballot(Prepare(1)) != ballot(VoteAck(1))
    assert ballot(Formed()) != Formed()
    assert ballot(Formed()) == ballot(Formed())
    assert len({ballot(Formed()), ballot(Formed()), Ballots(((ID, 1, Formed()),))}) == 2


# Both ways.

numbers = st.one_of(st.integers(0, 3), st.integers(0, NUMBER_MAX), st.just(NUMBER_MAX))
sequences = st.one_of(st.integers(1, 3), st.integers(1, NUMBER_MAX), st.just(NUMBER_MAX))
codes = st.integers(0, 254)
maybe_digests = st.one_of(st.just(b""), st.binary(min_size=8, max_size=8))
decisions = st.binary(min_size=1, max_size=80)
testimonies = st.dictionaries(
    st.one_of(st.integers(0, 9), st.integers(0, VOTERS_MAX - 1)), st.tuples(sequences, codes)
).map(lambda votes: tuple((rank, *votes[rank]) for rank in sorted(votes)))
rolls = st.dictionaries(
    st.binary(min_size=1, max_size=VOTER_BYTES_MAX), st.integers(0, WEIGHT_MAX), min_size=1
).map(lambda roll: tuple(sorted(roll.items())))
labels = st.text(min_size=1, max_size=LABEL_BYTES_MAX // 4)
choices = st.lists(labels, unique=True, max_size=9).filter(lambda found: len(found) != 1)
topics = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=64)
acceptances = st.one_of(st.just((NEVER, b"")), st.tuples(numbers, decisions))
promises = st.tuples(numbers, acceptances, testimonies, maybe_digests, st.booleans()).map(
    lambda parts: Promise(parts[0], *parts[1], parts[2], parts[3], parts[4])
)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    roll = draw(rolls)
    return defined(
        topic=draw(topics),
        round=draw(numbers),
        roll=roll,
        signup=draw(st.binary(max_size=SIGNUP_BYTES_MAX)),
        council=draw(st.integers(0, len(roll))),
        tiebreak=draw(st.booleans()),
        choices=tuple(draw(choices)),
        least=draw(st.integers(1, LEAST_MAX)),
        plurality=draw(st.booleans()),
        remaining_ms=draw(st.integers(0, REMAINING_MAX)),
    )


all_votes = st.builds(Vote, sequences, codes, maybe_digests, st.booleans())
SAID: dict[type, st.SearchStrategy[Said]] = {
    Vote: all_votes,
    VoteAck: st.builds(VoteAck, sequences, maybe_digests),
    Prepare: st.builds(Prepare, numbers),
    Promise: promises,
    Accept: st.builds(Accept, numbers, decisions, st.booleans()),
    Accepted: st.builds(Accepted, numbers, st.binary(min_size=8, max_size=8)),
    Nack: st.builds(Nack, numbers, numbers, st.booleans()),
    Refusal: st.just(Refusal()),
    Decided: st.builds(Decided, decisions),
    Definition: definitions(),
    Sign: st.builds(Sign, definitions()),
    Signed: st.builds(Signed, st.none() | all_votes),
    Formed: st.builds(Formed, st.just(0) | sequences),
    Cancel: st.just(Cancel()),
    Unknown: st.just(Unknown()),
}
elections = st.binary(min_size=16, max_size=16)


@pytest.mark.parametrize("kind", get_args(Message | Introduction))
@given(data=st.data(), election=elections, slot=st.integers(0, SLOT_MAX))
def test_every_message_goes_both_ways(
    kind: type, data: st.DataObject, election: bytes, slot: int
) -> None:
    message = Ballots(((election, slot, data.draw(SAID[kind])),))
    (frame,) = framed(message.encode())
    decoded = Ballots.decode(frame)
    assert decoded == message
    assert repr(decoded) == repr(message)


def framed(stream: bytes) -> list[bytes]:
    """What a Framer cuts out of a stream once the greetings are over."""
    framer = Framer()
    framer.feed(b"\x02\0\0\0\x0c\0")
    return framer.feed(stream)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    decodes_or_is_refused(data)
    decodes_or_is_refused(HEAD + data)


plain = st.one_of(
    st.sampled_from(EVERY_TYPE),
    st.sampled_from(
        (1, 254, 255, NUMBER_MAX, b"\0" * 8, b"\0" * 13, b"\1a" + bytes(8), ["a", "b"])
    ),
    st.integers(-(2**63), NUMBER_MAX),
    st.binary(max_size=40),
    st.text(max_size=9),
    st.lists(st.text(max_size=3), max_size=4),
)


@given(
    st.sampled_from(("define", "define yes or no", "sign")),
    st.lists(st.tuples(st.sampled_from(sorted(map_of(ballot(DEFINITION)))), plain), max_size=3),
)
def test_any_map_decodes_or_is_refused(name: str, some: list[tuple[str, object]]) -> None:
    decodes_or_is_refused(with_fields(BALLOTS[name][0], **dict(some)))


@given(st.integers(0, 20), st.binary(max_size=80), st.integers(0, SLOT_MAX))
def test_any_body_decodes_or_is_refused(word: int, body: bytes, slot: int) -> None:
    decodes_or_is_refused(entry(word, body, slot=slot))


edits = st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4))


@given(st.sampled_from(list(BALLOTS)), st.lists(edits, min_size=1, max_size=4))
def test_any_edits_of_a_frame_decode_or_are_refused(
    name: str, changes: list[tuple[int, int, bytes]]
) -> None:
    data = golden(name)
    for place, removed, added in changes:
        at = place % len(data)
        data = data[:at] + added + data[at + removed :] or HEAD
    decodes_or_is_refused(data)


# Damaged frames.


@every_frame
def test_no_prefix_decodes_and_nothing_may_follow(name: str) -> None:
    data = golden(name)
    for length in range(len(data)):
        assert not decodes_or_is_refused(data[:length]), f"{length} bytes of {name} decode"
    for more in (b"\x00", b"\x80", b"\xc0", data, bytes(24)):
        assert not decodes_or_is_refused(data + more)


@every_frame
def test_another_type_or_flag_is_refused(name: str) -> None:
    data = golden(name)
    for head in (b"\x0d\x00", b"\x0f\x00", b"\x0e\x01", b"\x0e\x80"):
        assert not decodes_or_is_refused(head + data[2:])


@every_frame
def test_every_bit_flip_is_refused_or_is_another_message(name: str) -> None:
    message, data = BALLOTS[name][0], golden(name)
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            if decodes_or_is_refused(bytes(flipped)):
                assert Ballots.decode(bytes(flipped)) != message


@every_frame
def test_every_byte_deleted_or_doubled_is_refused_or_is_another_message(name: str) -> None:
    data = golden(name)
    for position in range(len(data)):
        decodes_or_is_refused(data[:position] + data[position + 1 :])
        decodes_or_is_refused(data[: position + 1] + data[position:])


def forced(data: bytes) -> Iterator[bytes]:
    """Whatever can be a length in a frame, set to what lies."""
    for position in range(len(data)):
        for value in FORCED:
            for width in (1, 2, 4):
                if value < 1 << 8 * width:
                    for coded in (value.to_bytes(width, "little"), value.to_bytes(width, "big")):
                        yield data[:position] + coded + data[position + width :]
        for coded in LENGTHS:
            yield data[:position] + coded + data[position + len(coded) :]


@every_frame
def test_every_length_forced_anywhere_costs_nothing(name: str) -> None:
    mutants = list(forced(golden(name)))
    started = time.thread_time()
    for mutant in mutants:
        decodes_or_is_refused(mutant)
    assert (time.thread_time() - started) / len(mutants) < 0.001


def test_several_said_together_come_in_order_and_one_wrong_refuses_all() -> None:
    message, data = SEVERAL
    assert message.encode().hex() == data
    (frame,) = framed(bytes.fromhex(data))
    assert Ballots.decode(frame).ballots == message.ballots
    for wrong in (entry("vote", b"")[2:], entry(len(WORDS), b"")[2:], b"\0"):
        assert not decodes_or_is_refused(frame + wrong)


def test_so_many_in_one_frame_and_no_more() -> None:
    one = pack(ID, 0, Formed())
    assert len(Ballots.decode(HEAD + one * ENTRIES_MAX).ballots) == ENTRIES_MAX == 1024
    with pytest.raises(WireError, match="too many"):
        Ballots.decode(HEAD + one * (ENTRIES_MAX + 1))
    with pytest.raises(WireError, match="without one"):
        Ballots.decode(HEAD)
    with pytest.raises(AssertionError):
        frame_of([one] * (ENTRIES_MAX + 1))


@every_map
def test_what_the_scanner_refuses_is_refused_in_every_field(name: str) -> None:
    message = BALLOTS[name][0]
    values = map_of(message)
    for what, value in MALFORMED.items():
        for field in (*values, "later"):
            data = with_map(message, packed(values, **{field: value}))
            assert not decodes_or_is_refused(data), f"{what} as {field}"
        assert not decodes_or_is_refused(with_map(message, value)), f"{what} as the map"
    many = {f"field{index}": index for index in range(10_000)}
    assert not decodes_or_is_refused(with_map(message, packed(values | many)))
    whole = packed(values)
    twice = bytes([whole[0] + 1]) + whole[1:] + packed({"round": 0})[1:]
    assert not decodes_or_is_refused(with_map(message, twice))


@every_map
def test_unknown_fields_are_skipped(name: str) -> None:
    message = BALLOTS[name][0]
    for later in EVERY_TYPE:
        assert Ballots.decode(with_fields(message, later=later)) == message


# Words, one by one.

MOST = struct.pack("<Q", NUMBER_MAX)
OVER = struct.pack("<Q", NUMBER_MAX + 1)
ONE, NO, YES = struct.pack("<Q", 1), b"\0", b"\1"
LONGEST = bytes(DECISION_BYTES_MAX)

AT_BOUNDS: dict[str, tuple[bytes, ...]] = {
    "vote": (ONE + b"\0\0", MOST + b"\xfe\1", ONE + b"\xfd\1" + DIGEST),
    "ack": (ONE, MOST),
    "prepare": (bytes(8), MOST),
    "promise": (
        *(MOST + b"\0", bytes(8) + b"\1", bytes(8) + b"\2" + DIGEST),
        *(ONE + b"\4" + MOST + b"\1\0\0\0v", ONE + b"\7" + DIGEST + MOST + b"\1\0\0\0v"),
        ONE + b"\4" + bytes(8) + struct.pack("<I", DECISION_BYTES_MAX) + LONGEST,
    ),
    "accept": (bytes(8) + NO + b"v", MOST + YES + LONGEST),
    "accepted": (bytes(8) + DIGEST, MOST + DIGEST),
    "nack": (bytes(16) + NO, MOST + MOST + YES),
    "refusal": (b"",),
    "decided": (b"v", LONGEST),
    "signed": (b"", ONE + b"\0\0", MOST + b"\0\1" + DIGEST),
    "formed": (b"", ONE, MOST),
    "cancel": (b"",),
    "unknown": (b"",),
}

WRONG: dict[str, tuple[bytes, ...]] = {
    "vote": (
        *(b"", ONE, ONE + b"\0", bytes(8) + b"\0\0", OVER + b"\0\0", ONE + b"\xff\0"),
        *(ONE + b"\0\2", ONE + b"\0\0" + bytes(7), ONE + b"\0\0" + bytes(9)),
        ONE + b"\0\0" + bytes(16),
    ),
    "ack": (b"", bytes(7), bytes(8), bytes(9), OVER),
    "prepare": (b"", bytes(7), bytes(9), OVER),
    "promise": (
        *(b"", bytes(8), OVER + b"\0", bytes(8) + b"\x08", bytes(8) + b"\xff"),
        *(bytes(8) + b"\2", bytes(8) + b"\2" + bytes(7), bytes(8) + b"\0" + bytes(1)),
        *(bytes(8) + b"\0" + bytes(12), bytes(8) + b"\0" + bytes(14), ONE + b"\4" + bytes(11)),
        *(ONE + b"\4" + bytes(8) + b"\0\0\0\0", ONE + b"\4" + bytes(8) + b"\2\0\0\0v"),
        *(ONE + b"\4" + OVER + b"\1\0\0\0v", ONE + b"\4" + bytes(8) + b"\xff\xff\xff\xffv"),
        ONE + b"\4" + bytes(8) + struct.pack("<I", DECISION_BYTES_MAX + 1) + LONGEST + b"v",
    ),
    "accept": (
        b"",
        bytes(8),
        bytes(9),
        bytes(8) + b"\2v",
        OVER + b"\0v",
        bytes(9) + LONGEST + b"v",
    ),
    "accepted": (b"", bytes(8), bytes(15), bytes(17), OVER + DIGEST),
    "nack": (b"", bytes(16), bytes(18), bytes(16) + b"\2", OVER + bytes(9), bytes(8) + OVER + NO),
    "refusal": (b"\0",),
    "decided": (b"", LONGEST + b"v"),
    "signed": (NO, ONE, bytes(8) + b"\0\0", OVER + b"\0\0", ONE + b"\xff\0", ONE + b"\0\2"),
    "formed": (NO, bytes(7), bytes(8), bytes(9), OVER),
    "cancel": (b"\0",),
    "unknown": (b"\0",),
}


@pytest.mark.parametrize("word", WRONG)
def test_a_word_at_its_bounds_comes_back_and_beyond_them_is_refused(word: str) -> None:
    for body in AT_BOUNDS[word]:
        data = entry(word, body, slot=SLOT_MAX)
        assert Ballots.decode(data).encode()[LENGTH_BYTES:] == data
    for body in WRONG[word]:
        assert not decodes_or_is_refused(entry(word, body)), body[:40].hex()


def test_every_word_is_tried_and_no_other_is_known() -> None:
    assert WRONG.keys() == AT_BOUNDS.keys() == WORDS.keys() - {"define", "sign"}
    for word in range(len(WORDS), 256):
        assert not decodes_or_is_refused(entry(word, b""))


# Fields of definitions, one by one.

GOOD: dict[str, tuple[object, ...]] = {
    "topic": ("t", "t" * 256, "é" * 128, "a b", "\u202e", "\U0010ffff", "'; DROP"),
    "round": (0, 1, NUMBER_MAX),
    "signup": (b"", b"s", bytes(SIGNUP_BYTES_MAX)),
    "council": (0, 1),
    "tiebreak": (False, True),
    "choices": (
        [],
        ["a", "b"],
        ["a\n", "é" * (LABEL_BYTES_MAX // 2)],
        [str(number) for number in range(CHOICES_MAX)],
    ),
    "least": (1, LEAST_MAX),
    "plurality": (False, True),
    "remaining": (0, 1, REMAINING_MAX),
}

NUMBER: tuple[object, ...] = (-1, -(2**63), 1.0, "1", b"1", True, None, [], {})
TRUTH: tuple[object, ...] = (0, 1, None, "true", b"", 1.0, [], {})
TEXT: tuple[object, ...] = (None, True, 0, b"vote", ["vote"], {})

BAD: dict[str, tuple[object, ...]] = {
    "topic": (*TEXT, "", "t" * 257, "é" * 129, "a\0", "a\nb", "\x1b[2J", "\x7f", "\x80", "\x9f"),
    "round": NUMBER,
    "roll": ("r" * 10, 0, None, False, [], [["v", 1]], {"v": 1}, b""),
    "signup": (bytes(SIGNUP_BYTES_MAX + 1), "", 0, None, False, [], {}),
    "council": NUMBER,
    "tiebreak": TRUTH,
    "choices": (
        *("ab", b"ab", 0, None, False, {"a": "b"}),
        *(["a"], ["a", "a"], ["a", ""], ["a", b"b"], ["a", 1], ["a", None], ["a", ["b"]]),
        ["a", "b" * (LABEL_BYTES_MAX + 1)],
        [str(number) for number in range(CHOICES_MAX + 1)],
    ),
    "least": (*NUMBER, 0, LEAST_MAX + 1),
    "plurality": TRUTH,
    "remaining": (*NUMBER, REMAINING_MAX + 1),
}


def test_the_caps_are_those_that_were_agreed_on() -> None:
    assert (SLOT_MAX, NUMBER_MAX, LEAST_MAX) == (2**32 - 1, 2**63 - 1, 2**48)
    assert (REMAINING_MAX, SIGNUP_BYTES_MAX) == (2**53, 64)
    assert (DECISION_BYTES_MAX, ROLL_BYTES_MAX) == (262_144, 1_966_080)
    assert (VOTERS_MAX, VOTER_BYTES_MAX, CHOICES_MAX, LABEL_BYTES_MAX) == (10_000, 255, 253, 256)


def test_every_field_is_tried() -> None:
    known = map_of(ballot(DEFINITION)).keys()
    assert BAD.keys() == known
    assert GOOD.keys() | {"roll"} == known


@every_map
def test_a_field_at_its_bounds_comes_back(name: str) -> None:
    message = BALLOTS[name][0]
    for field in map_of(message).keys() & GOOD.keys():
        for value in GOOD[field]:
            data = with_fields(message, **{field: value})
            again = Ballots.decode(data).encode()[LENGTH_BYTES:]
            assert again == data, field


@every_map
def test_a_field_that_is_wrong_is_refused(name: str) -> None:
    message = BALLOTS[name][0]
    for field in map_of(message):
        for value in BAD[field]:
            with pytest.raises(WireError, match=f"'{field}'"):
                Ballots.decode(with_fields(message, **{field: value}))


@every_map
def test_a_field_that_is_missing_is_refused(name: str) -> None:
    message = BALLOTS[name][0]
    for field in map_of(message):
        with pytest.raises(WireError, match=field):
            Ballots.decode(without(message, field))


# What is packed.


def votes_of(*votes: tuple[int, int, int]) -> bytes:
    """A promise with these votes, whatever they are."""
    data = b"".join(struct.pack("<IQB", *vote) for vote in votes)
    return entry("promise", ONE + b"\0" + data)


@pytest.mark.parametrize(
    "votes",
    [
        [(0, 0, 0)],
        [(0, 1, 255)],
        [(0, NUMBER_MAX + 1, 0)],
        [(0, 2**64 - 1, 0)],
        [(VOTERS_MAX, 1, 0)],
        [(2**32 - 1, 1, 0)],
        [(1, 1, 0), (1, 1, 0)],
        [(1, 1, 0), (1, 2, 0)],
        [(1, 1, 0), (0, 1, 0)],
        [(VOTERS_MAX, 1, 0), (0, 1, 0)],
        [(0, 1, 0), (1, 0, 0)],
        [(0, 0, 0), (1, 1, 0)],
        [(0, 1, 255), (1, 1, 0)],
    ],
)
def test_votes_that_nobody_can_have_cast_are_refused(votes: list[tuple[int, int, int]]) -> None:
    with pytest.raises(WireError, match="votes"):
        Ballots.decode(votes_of(*votes))


def test_votes_at_their_bounds_come_back() -> None:
    for votes in ((), ((0, 1, 0),), ((VOTERS_MAX - 1, NUMBER_MAX, 254),), VOTES):
        assert Ballots.decode(votes_of(*votes)) == ballot(Promise(1, votes=votes))


def roll_of(*roll: tuple[bytes, int], more: bytes = b"", council: int = 0) -> bytes:
    """A definition with this roll, whatever it is."""
    definition = ballot(DEFINITION)
    return with_fields(definition, roll=pack_roll(roll) + more, council=council)


@pytest.mark.parametrize(
    "roll",
    [
        [(b"", 1)],
        [(b"a", 2**32)],
        [(b"a", 2**64 - 1)],
        [(b"a", 1), (b"a", 1)],
        [(b"a", 1), (b"a", 2)],
        [(b"b", 1), (b"a", 1)],
        [(b"a", 1), (b"", 1)],
        [(b"ab", 1), (b"a", 1)],
        [(b"\x80", 1), (b"\x7f", 1)],
    ],
)
def test_a_roll_that_is_none_is_refused(roll: list[tuple[bytes, int]]) -> None:
    with pytest.raises(WireError, match="roll"):
        Ballots.decode(roll_of(*roll))


@pytest.mark.parametrize(
    "more", [b"\0", b"\1", b"\1b", b"\1b" + bytes(7), b"\xff" + bytes(20), b"\2bb" + bytes(7)]
)
def test_a_roll_that_is_cut_short_is_refused(more: bytes) -> None:
    with pytest.raises(WireError, match="roll"):
        Ballots.decode(roll_of((b"a", 1), more=more))
    with pytest.raises(WireError, match="roll"):
        Ballots.decode(with_fields(ballot(DEFINITION), roll=more, council=0))


def test_a_roll_at_its_bounds_comes_back() -> None:
    for roll in (
        ((b"\0", 0),),
        ((b"a", 0), (b"a\0", WEIGHT_MAX), (b"b", 1)),
        ((b"\xff" * VOTER_BYTES_MAX, WEIGHT_MAX),),
    ):
        for council in range(len(roll) + 1):
            definition = changed(DEFINITION, roll=roll, council=council)
            assert Ballots.decode(roll_of(*roll, council=council)) == ballot(definition)
        with pytest.raises(WireError, match="council"):
            Ballots.decode(roll_of(*roll, council=len(roll) + 1))


# Sizes.


def voters(count: int, size: int = 2) -> tuple[tuple[bytes, int], ...]:
    return tuple((number.to_bytes(size, "big"), WEIGHT_MAX) for number in range(count))


def goes_both_ways(said: Said) -> int:
    """The length of its frame."""
    stream = Ballots(((b"\xff" * 16, SLOT_MAX, said),)).encode()
    (frame,) = framed(stream)
    assert Ballots.decode(frame).ballots[0][2] == said
    return len(frame)


def test_the_largest_promise_fits_a_frame() -> None:
    votes = tuple((rank, NUMBER_MAX, 254) for rank in range(VOTERS_MAX))
    value = bytes(DECISION_BYTES_MAX)
    length = goes_both_ways(Promise(NUMBER_MAX, NUMBER_MAX, value, votes, DIGEST, True))
    assert length < 400_000


def test_the_largest_definition_fits_a_frame() -> None:
    size = VOTER_BYTES_MAX
    count = ROLL_BYTES_MAX // (1 + size + 8)
    roll = voters(count, size)
    left = ROLL_BYTES_MAX - len(pack_roll(roll)) - 9
    largest = defined(
        topic="t" * 256,
        round=NUMBER_MAX,
        roll=(*roll, (b"\xff" * left, WEIGHT_MAX)),
        signup=bytes(SIGNUP_BYTES_MAX),
        council=count,
        tiebreak=True,
        choices=tuple(f"{number:0256}" for number in range(CHOICES_MAX)),
        least=LEAST_MAX,
        plurality=True,
        remaining_ms=REMAINING_MAX,
    )
    assert len(pack_roll(largest.terms.roll)) == ROLL_BYTES_MAX
    for said in (largest, Sign(largest)):
        assert goes_both_ways(said) <= FRAME_BYTES_MAX
    longer = changed(largest, roll=(*roll, (b"\xff" * (left + 1), WEIGHT_MAX)))
    data = with_fields(ballot(largest), roll=pack_roll(longer.terms.roll))
    with pytest.raises(WireError, match="roll"):
        Ballots.decode(data)
    with pytest.raises(AssertionError, match="roll"):
        ballot(longer).encode()


def test_ten_thousand_voters_and_no_more() -> None:
    definition = changed(DEFINITION, roll=voters(VOTERS_MAX), council=VOTERS_MAX)
    goes_both_ways(definition)
    goes_both_ways(Sign(changed(DEFINITION, roll=voters(VOTERS_MAX, 16))))
    with pytest.raises(WireError, match="roll"):
        Ballots.decode(roll_of(*voters(VOTERS_MAX + 1)))
    many = bytes(13 * (VOTERS_MAX + 1))
    with pytest.raises(WireError, match="votes"):
        Ballots.decode(entry("promise", ONE + b"\0" + many))


def test_the_longest_roll_of_the_shortest_voters_is_refused_soon() -> None:
    data = roll_of(*voters(ROLL_BYTES_MAX // 12, 3))
    started = time.thread_time()
    with pytest.raises(WireError, match="roll"):
        Ballots.decode(data)
    assert time.thread_time() - started < 0.1
