"""How the claims of the demo are checked: each answers with what it measured, or None for not yet.

Times are differences between moments that processes reported: of a call in one, and of a callback
in another.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from typing import Any

from vines.cli.demo.cast import Actor
from vines.cli.demo.screen import Measured
from vines.cli.demo.stage import Missed
from vines.cli.stories import address_text


def listens(actor: Actor) -> Measured | None:
    """Where, and in which process; how long Python takes to start is not measured."""
    report = actor.first("listening")
    if report is None:
        return None
    return Measured(note=f"{address_text(report['address'])}, pid {actor.process.pid}")


def sees(actor: Actor, others: Sequence[Actor]) -> Measured | None:
    """Since it began to join, or if it waits to be joined, since the first other began."""
    joins = [join for other in others if (join := actor.first("join", id=other.id))]
    begins = [begin for one in (actor, *others) if (begin := one.first("joining"))]
    if len(joins) < len(others) or not begins:
        return None
    own = actor.first("joining")
    began = own["at"] if own else min(report["at"] for report in begins)
    return Measured(max(report["at"] for report in joins) - began)


def called_back(writer: Actor, actor: Actor, key: str, value: Any) -> Measured | None:
    """From the call that wrote the value to the callback that got it."""
    wrote = writer.first("wrote", key=key, value=value)
    return None if wrote is None else since(wrote["at"], actor, "gossip", key=key, value=value)


def since(at: int, actor: Actor, event: str, **fields: Any) -> Measured | None:
    """From a moment to an event in a process."""
    report = actor.first(event, **fields)
    return None if report is None else Measured(report["at"] - at)


def delays(writer: Actor, actor: Actor, keys: Collection[str]) -> Measured | None:
    """The median of the delays of many keys, once all have arrived."""
    times = []
    for key in keys:
        start, end = writer.moments.get(("wrote", key)), actor.moments.get(("gossip", key))
        if start is None or end is None:
            return None
        times.append(end - start)
    return Measured(int(statistics.median(times)), slowest=max(times))


def caught_up(actor: Actor, keys: Collection[str]) -> Measured | None:
    """From its joining to the last of its first callbacks for these keys."""
    joining = actor.first("joining")
    moments = [actor.moments.get(("gossip", key)) for key in keys]
    told = [at for at in moments if at is not None]
    if joining is None or len(told) < len(moments):
        return None
    return Measured(max(told) - joining["at"])


def elected(actors: Sequence[Actor], topics: Collection[str]) -> Measured | None:
    """From the last call to the last that is told, once all know all; that one each may act."""
    ends = [actor.first("closed", topic=topic) for actor in actors for topic in topics]
    calls = [actor.first("called", topic=topic) for actor in actors for topic in topics]
    if None in ends or None in calls:
        return None
    outcomes = {(end["topic"], end["outcome"], end["owner"]) for end in ends if end}
    acting = [report["topic"] for actor in actors for report in actor.heard.get("quorum", ())]
    if len(outcomes) > len(topics) or len(acting) > len(set(acting)):
        raise Missed("all are told the same, and one acts", f"{len(acting)} acted")
    if sorted(acting) != sorted(topics):
        return None
    last = max(report["at"] for report in (*ends, *calls) if report)
    first = min(report["at"] for report in calls if report)
    counts = ", ".join(f"{actor.name} {len(actor.heard.get('quorum', ()))}" for actor in actors)
    return Measured(last - first, note=f"callbacks: {counts}")


def left(leaver: Actor, actor: Actor) -> Measured | None:
    """From the call to the event, the leaver's process being gone. Raises Missed on `fail`."""
    if actor.first("fail", id=leaver.id):
        raise Missed(f"{actor.name} is told that {leaver.name} left", "it heard `fail`")
    leaving = leaver.first("leaving")
    if leaving is None or not leaver.first("ended"):
        return None
    return since(leaving["at"], actor, "leave", id=leaver.id)
