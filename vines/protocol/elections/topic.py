"""One topic and round at one member: who says what about which roll, and to which part it goes.

A member takes part in one roll at a time. What is asked about another is answered: it is not known
here. Who asked says which roll it is, and is refused that for ever, so that nobody waits for an
answer that cannot come.
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
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Sign,
    Signed,
    Unknown,
    Vote,
)
from vines.protocol.elections.signup import SignUp, Surroundings

QUESTIONS: Final = (Vote, Prepare, Accept)
"""What somebody waits for an answer to."""


def receive(
    signup: SignUp,
    sender: bytes,
    election: bytes,
    message: Said,
    out: Surroundings,
) -> None:
    """Take what a member says about an election of this topic and round."""
    if isinstance(message, Sign):
        signup.on_sign(sender, election, message, out)
    elif isinstance(message, Signed):
        signup.on_signed(sender, election, message, out)
    elif isinstance(message, Formed):
        signup.on_formed(election, out)
    elif isinstance(message, Cancel):
        signup.on_cancel(sender, election, out)
    elif isinstance(message, Refusal):
        signup.on_refusal(sender, election, out)
    elif signup.election is not None and signup.enrolment.bound == election:
        claims = isinstance(message, Prepare | Accept)  # what nobody does before the roll stands
        if claims and not signup.enrolment.formed and signup.election.electorate.rank(sender) >= 0:
            signup.on_formed(election, out)
        deliver(signup.election, sender, election, message, out)
    elif isinstance(message, QUESTIONS):
        out.say(sender, election, Unknown(), 0)  # what it refuses for ever it has to keep


def deliver(
    part: Election,
    sender: bytes,
    election: bytes,
    message: Said,
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
    if isinstance(message, Vote):
        part.on_vote(rank, message, effects)
    elif isinstance(message, Accept):
        part.on_accept(rank, message, effects)
    elif isinstance(message, Accepted):
        part.on_accepted(rank, message, effects)
    elif isinstance(message, Prepare):
        part.on_prepare(rank, message, effects)
    elif isinstance(message, Promise):
        part.on_promise(rank, message, effects)
    elif isinstance(message, Nack):
        part.on_nack(rank, message, effects)
