"""Small worlds to explore: who may do what, in elections with real votes or with free ones."""

from __future__ import annotations

from collections.abc import Sequence

from tests.elections.explorer import CHANGE, Action, Recorder, World
from vines._core.tally import NONE, REFUSE, Roll
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import ballot, number_of
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.phases import HOLDING

YES, NO = 0, REFUSE
CRITERIA = Criteria((), 2)


def electorate(weights: Sequence[int], tiebreak: bool = False) -> Electorate:
    """An electorate whose ranks have these weights, whatever the hash says."""
    roll = {b"%d" % index: weight for index, weight in enumerate(weights)}
    made = Electorate(bytes(16), roll, tiebreak=tiebreak)
    made.voters = tuple(roll)
    strengths = (2 * weights[0] + tiebreak, *(2 * weight for weight in weights[1:]))
    made.shared = made.shared.replace(roll=Roll(list(weights)), strengths=strengths)
    return made


class Free(Election):
    """A claimant that may propose whatever it wishes for: more than any votes allow."""

    wish = b""

    def fresh_value(self) -> bytes:
        return self.wish

    def fault(self, value: bytes) -> str:
        return ""


def wishes(rank: int) -> list[tuple[str, bytes]]:
    """One value of each kind."""
    return [
        ("commit", values.commit(YES, rank, CRITERIA, b"", ())),
        ("abort", values.abort(0, CRITERIA, b"", ())),
        ("expire", values.expired(0, CRITERIA, b"", ())),
    ]


def free(
    weights: Sequence[int] = (1, 1, 1),
    claimants: Sequence[int] = (0, 1),
    ballots: int = 2,
    crashes: int = 1,
    outcomes: int = 3,
    kind: type[Free] = Free,
    tiebreak: bool = False,
    refusals: bool = False,
    amnesia: bool = False,
    voters: Electorate | None = None,
    nacks: bool = False,
    records: bool = True,
    unwritten: bool = False,
) -> World:
    """Claimants propose what they like."""
    voters = voters or electorate(weights, tiebreak)

    def member(rank: int, record: Record, boot: int) -> Election:
        return started(kind(voters, rank, CRITERIA, record=record), boot)

    def actions(one: Election) -> list[tuple[str, int, Action]]:
        found: list[tuple[str, int, Action]] = []
        if one.me in claimants:
            if one.may_open:
                found += [
                    (f"claims the first ballot to {name}", 0, wishing(wish, "claim"))
                    for name, wish in wishes(one.me)[:outcomes]
                ]
            found += claims(one, claimants, ballots)
            if one.phase == HOLDING:
                found += [
                    (f"proposes to {name}", 0, wishing(wish, "proceed"))
                    for name, wish in wishes(one.me)[:outcomes]
                ]
        if hasattr(one, "forget") and one.closed:
            found.append(("forgets", 0, lambda member, out: member.forget(out)))
        if refusals:
            found.append(("refuses", 0, lambda member, out: void(member.refuse(out))))
        return found

    return World(
        member,
        len(weights),
        actions,
        crashes=crashes,
        unwritten=unwritten,
        amnesia=amnesia,
        nacks=nacks,
        records=records,
    )


def claims(one: Election, claimants: Sequence[int], most: int) -> list[tuple[str, int, Action]]:
    """Attempts above the first, at numbers up to `most` that are shared out among claimants, as if
    each had been told of the one before: a claimant may always be told of more.
    """

    def claiming(number: int) -> Action:
        def act(member: Election, out: Recorder) -> None:
            member.outbid = ballot(number - 1, 0)
            if type(member).fresh_value is Free.fresh_value:
                member.wish = b""  # type: ignore[attr-defined]
            member.claim(out)
            member.outbid = 0
            vars(member).clear() if hasattr(member, "__dict__") else None

        return act

    share = sorted(claimants).index(one.me)
    return [
        (f"claims number {number}", 0, claiming(number))
        for number in range(max(number_of(one.record.promised) + 1, 1), most + 1)
        if number % len(claimants) == share and one.may_claim
    ]


def wishing(wish: bytes, method: str) -> Action:
    def act(member: Election, out: Recorder) -> None:
        member.wish = wish  # type: ignore[attr-defined]
        getattr(member, method)(out)
        del member.wish  # type: ignore[attr-defined]

    return act


def started(one: Election, boot: int) -> Election:
    """As it is after so many crashes."""
    if boot:
        one.resume()
    return one


def void(_: object) -> None:
    pass


def voting(
    weights: Sequence[int] = (1, 1, 1),
    claimants: Sequence[int] = (0, 1),
    ballots: int = 2,
    crashes: int = 1,
    changes: int = 1,
    castings: Sequence[int] = (YES, YES, NONE),
    criteria: Sequence[Criteria] = (CRITERIA,),
    expiry: bool = True,
    kind: type[Election] = Election,
    records: bool = True,
) -> World:
    """Members have voted, may change their votes, and claimants propose what the votes say."""
    voters = electorate(weights)

    def member(rank: int, record: Record, boot: int) -> Election:
        wanted = criteria[rank % len(criteria)]
        return started(kind(voters, rank, wanted, boot=boot, record=record), boot)

    def actions(one: Election) -> list[tuple[str, int, Action]]:
        found: list[tuple[str, int, Action]] = []
        found += [
            (f"votes {choice}", CHANGE, casting(choice, claimants))
            for choice in ((YES, NO) if changes else ())
            if choice != one.tally.choice_of(one.me)
        ]
        if expiry and not one.late and not one.closed:
            found.append(("its time is up", 0, lambda member, out: member.pass_deadline(out)))
        if one.me in claimants:
            if one.may_open and one.fresh_value():
                found.append(("claims the first ballot", 0, lambda member, out: member.claim(out)))
            else:
                found += claims(one, claimants, ballots)
        return found

    def begin(one: Election, out: Recorder) -> None:
        if castings[one.me] != NONE:
            casting(castings[one.me], claimants)(one, out)

    return World(member, len(weights), actions, begin, crashes, changes, records=records)


def casting(choice: int, claimants: Sequence[int]) -> Action:
    """A vote, sent to those who may propose."""

    def act(member: Election, out: Recorder) -> None:
        vote = member.cast(choice)
        if vote is not None:
            for rank in claimants:
                if rank != member.me:
                    out.send(rank, vote, 0)

    return act
