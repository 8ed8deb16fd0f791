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
)
from vines.protocol.elections.signup import SignUp, Surroundings

QUESTIONS: Final = (Vote, Prepare, Accept)
"""What somebody waits for an answer to."""
HANDLERS: Final[dict[type, str]] = {
    Vote: "on_vote",
    Prepare: "on_prepare",
    Promise: "on_promise",
    Accept: "on_accept",
    Accepted: "on_accepted",
    Nack: "on_nack",
}
"""What an election's part takes from a voter, and how."""


def receive(
    signup: SignUp,
    sender: bytes,
    election: bytes,
    message: Message | Introduction,
    out: Surroundings,
) -> None:
    """Take what a member says about an election of this topic and round."""
    kind = type(message)
    if kind in HANDLERS or kind is Decided:
        part = signup.election if signup.enrolment.bound == election else None
        if part is not None:
            deliver(part, sender, election, message, out)
        elif kind in QUESTIONS:
            out.say(sender, election, Refusal(), signup.ticket)
    elif isinstance(message, Sign):
        signup.on_sign(sender, election, message, out)
    elif kind is Signed:
        signup.on_signed(sender, election, out)
    elif kind is Formed:
        signup.on_formed(election, out)
    elif kind is Cancel:
        signup.on_cancel(sender, election, out)
    elif kind is Refusal:
        signup.on_refusal(sender, election, out)


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
    handle = HANDLERS.get(type(message))
    if handle is not None:
        getattr(part, handle)(rank, message, effects)
