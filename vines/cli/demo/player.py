"""One process of the demo: a vine that does what it is told on its standard input and reports what
it hears on its standard output, one JSON object a line.

Every report carries the moment it is about, on the performance counter: that clock is one for the
whole machine, so the moment of a call in one process and that of a callback in another can be
subtracted. A callback takes it before it does anything else. When the input ends, whoever gave the
orders is gone, and so is this process.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from vines import Vine
from vines.addresses import parse_seed
from vines.cli.output import settle_standard_output
from vines.errors import VinesError
from vines.events import Delete, Gossip
from vines.log import hush

FLUSH_SECONDS = 5.0
"""A round that takes longer has failed; the demo has given up by then."""


class Player:
    """A vine, its orders and its reports."""

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()  # callbacks report from their thread, orders from this one
        # No label: nobody is found but through the seed, and no other program is met by chance.
        self.vine = Vine(name, "")
        for event in ("join", "fail", "leave"):
            self.vine.on(event, self._member_teller(event))
        self.vine.on("gossip", self._gossip).on("delete", self._delete)
        self.vine.on("quorum", self._election_teller("quorum"))
        self.vine.on("closed", self._election_teller("closed"))

    def report(self, event: str, at: int, **fields: Any) -> None:
        """Say what happened at a moment."""
        line = json.dumps({"event": event, "at": at, **fields}) + "\n"
        with self._lock:
            sys.stdout.write(line)
            sys.stdout.flush()

    def listen(self) -> None:
        """Take a free port of the loopback, and say which."""
        at = now()
        self.vine.listen(0, "127.0.0.1")
        self.report("listening", at, address=self.vine.address)

    def join(self, seed: str) -> None:
        """Join through one seed."""
        at = now()
        self.vine.join(parse_seed(seed))
        self.report("joining", at)

    def write(self, key: str, value: Any) -> None:
        """Set a key."""
        at = now()
        self.vine.gossip(key, value)
        self.report("wrote", at, key=key, value=value)

    def rounds(self, keys: list[str], members: int) -> None:
        """Set keys one at a time, each when so many members hold the one before."""
        for number, key in enumerate(keys):
            at = now()
            self.vine.gossip(key, number).flush(FLUSH_SECONDS, members)
            # Not before: a report costs time that would be measured.
            self.report("wrote", at, key=key, value=number)
        self.report("rounded", now())

    def erase(self, key: str) -> None:
        """Delete a key."""
        at = now()
        self.vine.delete(key)
        self.report("erased", at, key=key)

    def look(self) -> None:
        """Say which keys are here."""
        self.report("keys", now(), values=self.vine.snapshot())

    def elect(self, topics: list[str], total: int) -> None:
        """Call for elections, and vote in each."""
        for topic in topics:
            at = now()
            self.vine.election(topic=topic, expire=60, total=total).vote(topic, True)
            self.report("called", at, topic=topic)

    def leave(self) -> None:
        """Announce it, and end."""
        self.report("leaving", now())
        self.vine.leave()
        raise SystemExit

    def _member_teller(self, event: str) -> Callable[[Any], None]:
        def tell(news: Any) -> None:
            self.report(event, now(), name=news.member.name, id=news.member.id.hex())

        return tell

    def _election_teller(self, event: str) -> Callable[[Any], None]:
        def tell(outcome: Any) -> None:
            owner = None if outcome.owner is None else outcome.owner.hex()
            self.report(event, now(), topic=outcome.topic, outcome=outcome.kind, owner=owner)

        return tell

    def _gossip(self, event: Gossip) -> None:
        at = now()
        if not event.local:
            self.report("gossip", at, key=event.key, value=event.value)

    def _delete(self, event: Delete) -> None:
        at = now()
        if not event.local:
            self.report("delete", at, key=event.key)


def now() -> int:
    """Nanoseconds on a clock that all processes of this machine share."""
    return time.perf_counter_ns()


def main(name: str) -> None:
    """Carry out orders until there are no more."""
    hush()  # the stage says what went wrong
    player = Player(name)
    orders: dict[str, Callable[..., None]] = {
        "listen": player.listen,
        "join": player.join,
        "write": player.write,
        "rounds": player.rounds,
        "erase": player.erase,
        "look": player.look,
        "elect": player.elect,
        "leave": player.leave,
    }
    player.report("ready", now(), id=player.vine.id.hex())
    try:
        for line in sys.stdin:
            order, arguments = json.loads(line)
            orders[order](**arguments)
    except VinesError as error:
        player.report("error", now(), text=str(error))
    except BrokenPipeError:
        pass  # nobody listens any more
    finally:
        player.vine.end()
        settle_standard_output()


if __name__ == "__main__":
    main(sys.argv[1])
