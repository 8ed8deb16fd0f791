"""A voter in a process of its own, for tests that kill it. What it does and hears is in a journal.

Its one argument is a JSON object, the options of Voter. Orders come on its standard input, a line
each; what its driver waits for goes to its standard output.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from vines import InvalidElection, Outcome, Vine, VoteRefused
from vines.protocol.elections import value as values
from vines.protocol.elections.election import Election
from vines.protocol.elections.shelf import Shelf
from vines.protocol.elections.signup import SignUp
from vines.storage.directory import DirectoryStorage

LONG, SHORT = 6.0, (0.05, 0.8)
"""Seconds until an election expires."""

ANEW = 3.0
"""The same, at the end."""

AGAIN_SECONDS = 1.5
"""After which what has not closed is called again, at the end."""


def topic_of(number: int) -> str:
    return f"topic/{number}"


def last_round(number: int) -> int:
    """Every fifth topic is called for a second round."""
    return 0 if number % 5 else 1


class Voter:
    """A vine that calls, votes and acts as its driver says. `voters` or `total`: the electorate;
    `planted`: what is wrong with this one; `fragile`: how likely it dies at a commit; `dies`:
    (step of the sign-up, before or after) at which it does; `acting`: how long it acts at least.
    """

    def __init__(
        self,
        *,
        journal: str,
        seed: str,
        name: str = "",
        data_dir: str | None = None,
        new: bool = False,
        voters: list[str] | None = None,
        total: int | None = None,
        planted: str = "",
        fragile: float = 0.0,
        dies: tuple[str, str] | None = None,
        acting: float = 0.0,
    ) -> None:
        self._acting = acting
        self._driver = os.getppid()
        self._random = random.Random(seed)
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._over = threading.Condition()
        self._size = total or len(voters or ())
        self._electorate = {"total": total} if voters is None else {"voters": voters}
        PLANTS[planted]()
        if fragile:
            _die_at_commits(random.Random(f"{seed} fragile"), fragile)
        if dies:
            _die_at(*dies)
        self.vine = Vine(name or None, data_dir=data_dir, new=new)
        interrupted = [_told(outcome) for outcome in self.vine.interrupted()]
        self._note("start", id=self.vine.id.hex(), interrupted=interrupted)
        self.vine.on("quorum", self._act).on("closed", self._closed).listen()
        address = self.vine.address
        assert address is not None
        self._say(f"ready {address[1]}")

    def serve(self) -> None:
        """Carry out orders until there are no more."""
        for line in sys.stdin:
            order, *arguments = line.split()
            getattr(self, f"_on_{order}")(*arguments)

    # Orders.

    def _on_join(self, *ports: str) -> None:
        self.vine.join([int(port) for port in ports])

    def _on_call(self, first: str, last: str) -> None:
        """Call for some topics, in any order, and vote: mostly for them."""
        numbers = list(range(int(first), int(last)))
        self._random.shuffle(numbers)
        for number in numbers:
            seconds = LONG if self._random.random() < 0.8 else self._random.uniform(*SHORT)
            self._call(number, seconds)
            if self._random.random() < 0.9:
                self._vote(number, self._random.choice([True] * 7 + [False, False, None]))
            self._pause(0.005)
        self._say(f"called {last}")

    def _on_ask(self, number: str, seconds: str) -> None:
        """Call for a topic, and do not vote."""
        self._call(int(number), float(seconds))
        self._say(f"asked {number}")

    def _on_vote(self, number: str) -> None:
        """Vote for a topic."""
        self._vote(int(number), True)

    def _on_settle(self, last: str) -> None:
        """Call for all that is not over again and again, until it is."""
        everything = range(int(last))
        while not all(map(self._is_over, everything)) and os.getppid() == self._driver:
            for number in everything:
                if not self._is_over(number):
                    self._insist(number)
            with self._over:
                self._over.wait_for(lambda: all(map(self._is_over, everything)), AGAIN_SECONDS)

    def _on_leave(self) -> None:
        self.vine.leave()
        self._note("left")
        self._say("left")

    def _insist(self, number: int) -> None:
        known = self.vine.outcome(topic_of(number))
        self._call(number, ANEW)
        if known is not None:
            self._call_again(number)
        self._vote(number, True)

    def _call(self, number: int, seconds: float) -> None:
        least = 1 + number % self._size
        topic = topic_of(number)
        self._note("call", topic=topic)
        self.vine.election(topic=topic, expire=seconds, min=least, **self._electorate)

    def _call_again(self, number: int) -> None:
        try:
            self.vine.rerun(topic_of(number))
        except InvalidElection:
            pass  # not called here in this life, or it is another round that is undecided

    def _vote(self, number: int, choice: bool | None) -> None:
        try:
            self.vine.vote(topic_of(number), choice)
        except VoteRefused:
            pass

    def _is_over(self, number: int) -> bool:
        outcome = self.vine.outcome(topic_of(number))
        return outcome is not None and outcome.round >= last_round(number)

    # What it hears.

    def _act(self, outcome: Outcome) -> None:
        self._note("begin", synced=True, **_told(outcome))
        self._say(f"begin {outcome.topic}")
        self._pause(self._random.choice([0.0, 0.002, 0.02, 0.05]))
        time.sleep(self._acting)
        self._note("end", synced=True, **_told(outcome))

    def _closed(self, outcome: Outcome) -> None:
        self._note("closed", **_told(outcome))
        number = int(outcome.topic.partition("/")[2])
        if outcome.round < last_round(number):
            self._call_again(number)
            self._vote(number, True)
        with self._over:
            self._over.notify_all()

    def _pause(self, most: float) -> None:
        time.sleep(self._random.uniform(0, most))

    # What it leaves behind.

    def _note(self, what: str, *, synced: bool = False, **fields: Any) -> None:
        line = json.dumps({"what": what, "pid": os.getpid(), **fields}) + "\n"
        os.write(self._journal, line.encode())  # in one piece, whoever else writes
        if synced:
            os.fsync(self._journal)

    def _say(self, line: str) -> None:
        with self._lock:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "topic": outcome.topic,
        "round": outcome.round,
        "election": outcome.election.hex(),
        "kind": outcome.kind,
        "owner": _spelled(outcome.owner),
        "votes": sorted((_spelled(voter), choice) for voter, choice in outcome.votes.items()),
    }


def _spelled(voter: bytes | str | None) -> str:
    return voter.hex() if isinstance(voter, bytes) else voter or ""


# What may be wrong with it.


def _everybody_acts() -> None:
    def is_mine(_self: Election, value: bytes) -> bool:
        return values.decode(value).kind == values.COMMIT

    Election.is_mine = is_mine  # type: ignore[method-assign]


def _forgets_that_it_acted() -> None:
    find = Shelf.find

    def forgetful(self: Shelf, records: Any) -> Any:
        for key, part, roll in find(self, records):
            yield key, part.replace(record=part.record.replace(fired=False)), roll

    Shelf.find = forgetful  # type: ignore[method-assign]


def _forgets_what_it_began() -> None:
    find = Shelf.find

    def forgetful(self: Shelf, records: Any) -> Any:
        for key, part, roll in find(self, records):
            yield key, part.replace(finished=True), roll

    Shelf.find = forgetful  # type: ignore[method-assign]


def _hears_of_no_end() -> None:
    tell = Vine.on

    def on(self: Vine, event: str, *arguments: Any) -> Any:
        return self if event == "closed" else tell(self, event, *arguments)

    Vine.on = on  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "everybody acts": _everybody_acts,
    "forgets that it acted": _forgets_that_it_acted,
    "forgets what it began": _forgets_what_it_began,
    "hears of no end": _hears_of_no_end,
}


# Where it may die.


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_commits(chance: random.Random, likely: float) -> None:
    write = DirectoryStorage.write

    def fragile(self: DirectoryStorage, batch: Any) -> None:
        drawn = chance.random()
        if drawn < likely / 2:
            _die()
        write(self, batch)
        if drawn > 1 - likely / 2:
            _die()

    DirectoryStorage.write = fragile  # type: ignore[method-assign]


def _die_at(step: str, when: str) -> None:
    function = getattr(SignUp, step)

    def deadly(self: SignUp, *arguments: Any) -> Any:
        if when == "before":
            _die()
        result = function(self, *arguments)
        _die()
        return result

    setattr(SignUp, step, deadly)


if __name__ == "__main__":
    logging.basicConfig()  # what a vine says of a bug is kept with what this process says
    Voter(**json.loads(sys.argv[1])).serve()
