"""A cast for the demo without processes: actors that report what a cluster would, at once.

So the whole play runs in milliseconds, and a test can take any one thing that happens away and see
that the demo does not claim it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any, cast

from vines.cli.demo.cast import Actor, Cast

MISSING = object()

Fault = Callable[["Puppet", str, dict[str, Any]], bool]
"""Whether a report of this actor, of this event with these fields, does not happen."""


class Dead:
    """What is left of a process."""

    pid = 4711
    stdin = stdout = None

    def poll(self) -> int:
        return 0

    def wait(self, _seconds: float) -> int:
        return 0

    def kill(self) -> None:
        pass


class Puppet(Actor):
    """Reports what the others would make it report."""

    def __init__(self, name: str, troupe: Troupe) -> None:
        super().__init__(name, cast("subprocess.Popen[str]", Dead()))
        self.troupe = troupe
        self.values: dict[str, Any] = {}
        self.serial = len(troupe.puppets)
        self.linked = False
        self.last_word = "leave"
        self.say("ready", id=str(self.serial))

    def say(self, event: str, **fields: Any) -> None:
        self.troupe.clock += 1000
        if not self.troupe.fault(self, event, fields):
            self.hear({"event": event, "at": self.troupe.clock, **fields})

    def others(self) -> list[Puppet]:
        return [one for one in self.troupe.puppets if one is not self and one.linked]

    def meet(self, other: Puppet) -> None:
        self.say("join", id=str(other.serial))
        for key, value in other.values.items():
            self.take(key, value)

    def take(self, key: str, value: Any) -> None:
        if self.values.get(key, MISSING) != value:
            self.values[key] = value
            self.say("gossip", key=key, value=value)

    def part(self, event: str) -> None:
        self.linked = False
        for other in self.others():
            other.say(event, id=str(self.serial))
        self.say("ended")

    def tell(self, order: str, **arguments: Any) -> None:
        getattr(self, f"on_{order}")(**arguments)

    def kill(self) -> int:
        at = super().kill()
        self.troupe.clock = max(self.troupe.clock, at)
        self.part("fail")
        return at

    def on_listen(self) -> None:
        self.say("listening", address=["127.0.0.1", 8000])

    def on_join(self, seed: str) -> None:
        assert seed == "127.0.0.1:8000"
        self.say("joining")
        self.linked = self.troupe.puppets[0].linked = True
        for other in self.others():
            self.meet(other)
            other.meet(self)

    def on_write(self, key: str, value: Any) -> None:
        self.values[key] = value
        self.say("wrote", key=key, value=value)
        for other in self.others():
            other.take(key, value)

    def on_rounds(self, keys: tuple[str, ...], members: int) -> None:
        assert members == len(self.others())
        for number, key in enumerate(keys):
            self.on_write(key, number)
        self.say("rounded")

    def on_erase(self, key: str) -> None:
        self.say("erased", key=key)
        for one in (self, *self.others()):
            if not self.troupe.fault(one, "erasing", {}):
                del one.values[key]
        for other in self.others():
            other.say("delete", key=key)

    def on_look(self) -> None:
        self.say("keys", values=dict(self.values))

    def on_elect(self, topics: tuple[str, ...], total: int) -> None:
        for topic in topics:
            self.say("called", topic=topic)
        self.troupe.callers.append(self)
        if len(self.troupe.callers) < total:
            return
        for number, topic in enumerate(topics):
            owner = self.troupe.callers[number % total]
            for caller in self.troupe.callers:
                caller.say("closed", topic=topic, outcome="commit", owner=str(owner.serial))
            for _ in range(2 if self.troupe.twice == topic else 1):
                owner.say("quorum", topic=topic, outcome="commit", owner=str(owner.serial))

    def on_leave(self) -> None:
        self.say("leaving")
        self.part(self.last_word)


class Troupe(Cast):
    """Puppets instead of processes."""

    def __init__(self, fault: Fault = lambda *_: False) -> None:
        super().__init__()
        self.fault = fault
        self.clock = 0
        self.puppets: list[Puppet] = []
        self.callers: list[Puppet] = []
        self.twice = ""
        """A topic on which its owner acts twice."""

    def start(self, name: str) -> Actor:
        puppet = Puppet(name, self)
        self.puppets.append(puppet)
        return puppet

    def listen(self, seconds: float) -> bool:
        """Nothing is ever on its way: what is missing now will be missing."""
        return False
