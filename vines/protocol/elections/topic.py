"""One topic and round at one member: who says what about which roll, and to which part it goes.

A member takes part in one roll at a time. Whatever is said about another is answered with the
refusal that stands for it, so that nobody waits for an answer that cannot come.
"""

from __future__ import annotations

from typing import Final

from vines.protocol.elections.election import Election
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Formed,
    Introduction,
    Message,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Sign,
    Signed,
    Vote,
    VoteAck,
)
from vines.protocol.elections.signup import SignUp, Surroundings

QUESTIONS: Final = (Vote, Prepare, Accept)
"""What somebody waits for an answer to."""


def receive(
    signup: SignUp,
    sender: bytes,
    election: bytes,
    message: Message | Introduction,
    out: Surroundings,
) -> None:
    """Take what a member says about an election of this topic and round."""
    match message:
        case Sign():
            signup.on_sign(sender, election, message, out)
        case Signed():
            signup.on_signed(sender, election, out)
        case Formed():
            signup.on_formed(election, out)
        case Cancel():
            signup.on_cancel(sender, election, out)
        case Refusal():
            signup.on_refusal(sender, election, out)
        case _:
            part = signup.election if signup.enrolment.bound == election else None
            if part is not None:
                deliver(part, sender, election, message, out)
            elif isinstance(message, QUESTIONS):
                out.say(sender, election, Refusal(), signup.ticket)


def deliver(
    part: Election,
    sender: bytes,
    election: bytes,
    message: Message | Introduction,
    out: Surroundings,
) -> None:
    """Take what is said about an election that this member takes part in."""
    effects = out.effects(election)
    if isinstance(message, Decided):
        part.on_decided(message, effects)
        return
    rank = part.electorate.rank(sender)
    if rank < 0:
        return
    match message:
        case Vote():
            part.on_vote(rank, message, effects)
        case Prepare():
            part.on_prepare(rank, message, effects)
        case Promise():
            part.on_promise(rank, message, effects)
        case Accept():
            part.on_accept(rank, message, effects)
        case Accepted():
            part.on_accepted(rank, message, effects)
        case Nack():
            part.on_nack(rank, message, effects)
        case VoteAck():
            pass
