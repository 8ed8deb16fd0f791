"""Engine: what works under a Vine. A node, the loop that drives it, the thread that calls back.

Three threads meet here. The caller's writes to the table; the loop's owns the node and its sockets,
and starts with the first `listen` or `join`; the dispatcher's calls back. What only the loop may
touch is asked of it (Asker); what it has to say it hands over and forgets. An engine begins once
and ends once, by its user, a bug or a fork; from then on `refusal` says why nothing can be done.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from time import time_ns

from vines._core.table import DATA, EXPIRING
from vines.callbacks.dispatch import Dispatcher
from vines.callbacks.listeners import Callback, Listener
from vines.config import Config
from vines.engine import processes
from vines.engine.asking import Answer, Asker
from vines.engine.discovery import Discovery
from vines.engine.electing import Electing
from vines.errors import (
    AlreadyListening,
    Closed,
    NotListening,
    StorageDamaged,
    StorageError,
    StorageLocked,
    TimedOut,
    WireError,
)
from vines.events import ALIVE, Conflict, Fail, KeysChanged, Outcome, Quorum
from vines.hints import TYPE_CHECKING, TypeVar
from vines.log import logger
from vines.net.loop import Loop
from vines.protocol.machine import Address, Memory
from vines.protocol.node import Node

if TYPE_CHECKING:
    from vines.storage.committer import Committer
    from vines.storage.contract import Storage

STOP_SECONDS = 1.0
"""How long ending may take to send what is queued."""

HAND_OVER_SHARE = 0.8
"""The part of the time to leave that may go into handing over; the rest is for saying goodbye."""

DRAIN_SECONDS = 0.01
"""Between two looks whether a node that leaves has handed everything over."""

ENDED = "this vine has ended: make a new one with Vine(); nothing changed"
INERT = (
    "this vine belongs to process {parent}, which forked this one after listen() or join(), or with"
    " a data directory: make a new one here, or fork before that; nothing changed"
)
BROKEN = "this vine met a bug and has ended: please report the traceback in the log of 'vines'"

_NOTED = (Fail, Conflict)
"""Events that the engine itself has use for."""
_KEYS_ALONE = {KeysChanged}
"""What is told after most turns; nobody waits for that but listeners."""

Result = TypeVar("Result")


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return time_ns() // 1_000_000


class Engine:
    """The working parts of one vine. Methods may be called from any thread and raise Closed."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.refusal = ""
        """Why nothing can be done any more; empty as long as something can."""
        self.unstored: StorageError | None = None
        """What was wrong with the data directory."""
        self._begin()
        processes.remember(self)

    def _begin(self) -> None:
        """Take a fresh identity, and empty tables."""
        from vines.engine.chance import Chance  # `random` is slow to import

        self._process = os.getpid()
        self.storage: Storage | None = None
        self.storage = self._open_storage()
        config, memory = self.config, None
        if self.storage is not None:
            config = config.replace(node_id=self.storage.identity, data_dir="")
            memory = Memory(self.storage.records(), self.storage.boot)
        self.chance = Chance()
        """Another one in a forked child, which must not draw what its parent draws."""
        try:
            self.node = Node(config, self.chance, wall_clock, now=time.monotonic(), memory=memory)
        except WireError as error:
            self._distrust(StorageDamaged(f"the data directory holds no elections: {error}"))
            self.node = Node(self.config, self.chance, wall_clock, now=time.monotonic())
        self.committer = None if self.storage is None else self._commit_to(self.storage)
        self.table = self.node.data
        name = f"vines-{self.config.name or self.node.id[:4].hex()}"
        self.loop = Loop(
            self.node, tell=self._tell, crashed=self._crashed, name=name, disk=self.committer
        )
        if self.committer is not None:
            self.committer.post = self.loop.call
        self.waker = self.loop.waker
        self.dispatcher = Dispatcher(self.table, name=f"{name}-callbacks")
        self.dispatcher.acted = self._acted
        self.loop.follow = self.dispatcher.ring
        self.discovery = Discovery(self.config, self.node)
        self.started = False
        self.bound: Address | None = None
        self.advertised: Address | None = None
        self._lifecycle = threading.RLock()
        self._asker = Asker(self.node, self._call)
        self._electing = Electing(self.node, self._asker, self._post)
        self._owed: list[Listener] = []
        """Listeners taken over from before a fork: told what is there once this vine begins."""

    def _open_storage(self) -> Storage | None:
        """The data directory. One that cannot be trusted is not used, and everybody is told."""
        if not self.config.data_dir:
            return None
        from vines.storage.directory import open_directory

        try:
            path = os.path.expanduser(self.config.data_dir)
            return open_directory(path, name=self.config.name, new=self.config.new)
        except StorageLocked:
            raise
        except StorageError as error:
            self._distrust(error)
            return None

    def _distrust(self, error: StorageError) -> None:
        self.unstored = error
        logger.error("this node takes no part in elections: %s", error)
        if self.storage is not None:
            self.storage.close()
            self.storage = None

    def _commit_to(self, storage: Storage) -> Committer:
        from vines.storage.committer import Committer

        return Committer(storage, self.node)

    def check_open(self) -> None:
        """Raises Closed if nothing can be done any more."""
        if self.refusal:
            raise Closed(self.refusal)

    def write(
        self, key: bytes, flags: int, packed: bytes, left: int = 0, *, admitted: bool = False
    ) -> None:
        """Write to the table and tell listeners here; `waker` has the loop send it. `left`: ms
        until it lapses, 0 for never. `admitted`: the quotas were asked.
        """
        if self.refusal:
            raise Closed(self.refusal)
        if left:
            self.table.tick(time.monotonic())
        wall = time_ns() // 1_000_000 << 16
        stamp = self.table.write(key, flags, packed, wall, left, admitted)
        if self.dispatcher.wants_keys:
            self._written(key, stamp, alone=not admitted)

    def write_plain(self, key: str, value: object) -> bool:
        """`write` with encoding and packing in one step, which most writes allow: not refused, a
        key of ASCII, a value that holds no others. False, and nothing happened, for the rest.
        """
        if self.refusal:
            return False
        stamp = self.table.write_plain(key, value, time_ns())
        if stamp and self.dispatcher.wants_keys:
            self._written(key.encode(), stamp, alone=True)
        return stamp > 0

    def _written(self, key: bytes, stamp: int, *, alone: bool) -> None:
        """Tell listeners here of a write. One that comes `alone`, and finds the loop asleep, is on
        its way to others first: the loop wakes the thread that calls back once it has sent, which
        else would have the interpreter, and the processor, just when the loop is to send.
        """
        waker = self.waker
        if alone and waker.asleep and not waker.awake:
            self.dispatcher.written(key, stamp, ring=False)
            waker.owing = True
        else:
            self.dispatcher.written(key, stamp)

    # Being a member.

    def listen(self, host: str, port: int, told: Address | None) -> None:
        """Bind and begin; `told` (its port may be 0: the one bound) is what others dial."""
        with self._lifecycle:
            self.check_open()
            if self.bound is not None:
                raise AlreadyListening("this vine already listens at {}:{}".format(*self.bound))
            self.bound = self.loop.listen(host, port, told if told and told[1] else None)
            if told is not None:
                self.advertised = advertised = (told[0], told[1] or self.bound[1])
                if not told[1]:
                    bound = self.bound
                    self.loop.call(lambda now: self.node.listening(advertised, now, bound=bound))
            self._start()
            self.discovery.start(self.loop, self.bound)

    def join(self, seeds: list[Address]) -> None:
        """Begin, and dial these; without any, what discovery finds."""
        if seeds:
            self.ask(lambda now: self.node.join(seeds, now))
        with self._lifecycle:
            self.check_open()
            if not self.started:
                self.discovery.start(self.loop, None)
                self._start()

    def _start(self) -> None:
        self.loop.start()
        self.started = True
        if self.unstored is not None:
            # Whoever listens hears of it, as of a disk that fails later.
            text = str(self.unstored)
            self.loop.call(lambda _now: self.node.storage_failed(text))
        owed, self._owed = self._owed, []
        for listener in owed:
            self._begin_watching(listener)

    def leave(self, timeout: float, stop_seconds: float = STOP_SECONDS) -> None:
        """Hand over what others lack, say that this node leaves, and end. Idempotent."""
        deadline = time.monotonic() + timeout
        if self.started and not self.refusal:
            try:
                self._hand_over(timeout * HAND_OVER_SHARE)
            except TimedOut:
                logger.warning("left before another member held everything written here")
            except Closed:
                pass  # somebody else has ended it meanwhile
            try:
                self._announce(max(0.0, deadline - time.monotonic()))
            except (TimedOut, Closed):
                pass  # others will find out
        self.end(stop_seconds=stop_seconds)

    def _hand_over(self, timeout: float) -> None:
        """Wait until another member holds everything, if there is one that counts."""
        members = self.ask(lambda _now: self.node.members(), timeout)
        if any(one.state == ALIVE and not one.local and not one.observer for one in members):
            self.flush(1, timeout)

    def _announce(self, timeout: float) -> None:
        """Say that this node leaves, and wait until the links have taken that."""

        def question(now: float, answer: Answer[None]) -> None:
            def look(_now: float) -> None:
                if self.node.drained:
                    answer.give(None)

            self.node.leave(now)
            self.loop.every(DRAIN_SECONDS, look)

        self._asker.wait(question, timeout, "some links did not take everything in time")

    def end(self, refusal: str = ENDED, stop_seconds: float = STOP_SECONDS) -> None:
        """Close everything. Idempotent, legal from callbacks."""
        with self._lifecycle:
            if self.refusal:
                return
            self.refusal = refusal
        self._asker.close(refusal)
        if not self.loop.stop(stop_seconds) and not self.loop.dead:
            logger.warning("the loop has not ended within %.1f s", stop_seconds)
        self.discovery.close()
        self.dispatcher.stop()
        if self.committer is not None:
            self.committer.stop()
        processes.forget(self)

    # Asking the loop's thread.

    def ask(self, function: Callable[[float], Result], timeout: float | None = None) -> Result:
        """What function(now) returns or raises where the node lives."""
        self.check_open()
        return self._asker.ask(function, timeout)

    def flush(self, members: int, timeout: float | None) -> None:
        """Wait until so many other members hold everything written before."""
        self._require_started()
        self._asker.flush(members, timeout)

    def wait_for(self, members: int, timeout: float | None) -> None:
        """Wait until so many members are alive, this one among them."""
        self._require_started()
        self._asker.wait_for(members, timeout)

    # Electing.

    @property
    def electing(self) -> Electing:
        """Calls and votes. Raises Closed, StorageError."""
        if self.refusal:
            raise Closed(self.refusal)
        if self.unstored is not None:
            raise type(self.unstored)(f"{self.unstored}; this node takes no part in elections")
        return self._electing

    def rerun(self, topic: str, abandon: bool) -> None:
        """Call for the next round of a topic."""
        self.electing.forget(topic)
        self.ask(lambda now: self.node.elections().rerun(topic, abandon, now))

    def wait_outcome(self, topic: str, timeout: float | None) -> Outcome:
        """Wait until the outcome of a topic is known."""
        self._require_started()
        return self._asker.wait_outcome(topic, timeout)

    def outcomes(self) -> list[Outcome]:
        """The outcomes known here."""
        return self.ask(lambda _now: self.node.elections().outcomes())

    def outcome(self, topic: str) -> Outcome | None:
        """The outcome of a topic, if it is known here."""
        return self.ask(lambda _now: self.node.elections().outcome(topic))

    def interrupted(self) -> list[Outcome]:
        """Outcomes this node began to act on in an earlier life."""
        return self.ask(lambda _now: self.node.elections().interrupted())

    def _acted(self, outcome: Outcome) -> None:
        self.loop.call(lambda _now: self.node.elections().finished(outcome.topic, outcome.round))

    def _require_started(self) -> None:
        self.check_open()
        if not self.started:
            raise NotListening("nobody else can be here yet: listen() or join() first")

    def _call(self, function: Callable[[float], object]) -> bool:
        """Run it on the loop's thread; before there is one, here: nobody else is at the node."""
        with self._lifecycle:
            if not self.started:
                function(time.monotonic())
                return True
        return self.loop.call(function)

    def _post(self, function: Callable[[float], object]) -> None:
        """The same, without waiting for it. Raises Closed if it will never run."""
        if not (self.loop.call(function) if self.started else self._call(function)):
            raise Closed(self.refusal or "this vine has ended; nothing changed")

    # Calling back.

    def watch(self, listener: Listener) -> None:
        """Tell a listener what is there, and what changes: each change is in one or the other."""
        with self._lifecycle:
            self.check_open()
            self.dispatcher.add(listener)
            self._begin_watching(listener)

    def _begin_watching(self, listener: Listener) -> None:
        def begin(now: float) -> None:
            self.table.tick(now)
            # Between two frames: the next one is told, the last one is in the table.
            self.node.watching = self.dispatcher.wants_keys
            if listener.event == "gossip":
                self.dispatcher.replay(listener)
            elif listener.event == "quorum":
                self.node.elections().listen()
            elif listener.event in ("closed", "expire"):
                self.dispatcher.catch_up(listener, self.node.elections().outcomes())

        self._call(begin)

    def unwatch(self, event: str, key: str | None, callback: Callback | None) -> None:
        """Tell these listeners nothing any more."""
        with self._lifecycle:
            self.check_open()
            self.dispatcher.remove(event, key, callback)
            if not self.dispatcher.wants_keys:
                self.node.watching = False
            if event == "quorum" and event not in self.dispatcher.audience.others:
                self._call(lambda _now: self.node.elections().listen(False))

    # On the loop's thread.

    def _tell(self, events: list[object]) -> None:
        if len(events) == 1 and type(events[0]) is KeysChanged:
            self.dispatcher.tell(events)
            return
        kinds = set(map(type, events))
        if not kinds.isdisjoint(_NOTED):
            for event in events:
                if type(event) is Fail:
                    self.discovery.refused(event.member.address)
                elif type(event) is Conflict and event.kind == "storage":
                    self.unstored = self.unstored or StorageError(event.text)
        if Quorum in kinds and self._asker.awaits_outcomes:
            # Who is to act is told first; those who only wait would be woken beside it, and each
            # wants the interpreter's lock: they hear of it in the next turn, after what is sent.
            self.dispatcher.tell(events)
            self.loop.call(lambda _now: self._asker.tell(events, kinds))
            return
        if kinds != _KEYS_ALONE:
            self._asker.tell(events, kinds)
        self.dispatcher.tell(events)

    def _crashed(self, _error: BaseException) -> None:
        self.end(BROKEN)

    # What the process does.

    def forked(self) -> None:
        """This is a child's copy: inert if it had begun, else made anew."""
        if self.refusal:
            return
        if self.started or self.loop.dead or self.storage is not None:
            self.refusal = INERT.format(parent=self._process)
            self.dispatcher.stop()
            return
        self.table.tick(time.monotonic())
        records = self.table.records()
        left = {(family, key): left for family, key, left in self.table.expiring()}
        listeners = self.dispatcher.audience.listeners
        self._begin()
        for family, key, stamp, _origin, _source, _counter, flags, packed in records:
            remaining = left.get((family, key), 0)
            # What has lapsed, or is due, nobody else has seen: it need not be told of.
            if family == DATA and (remaining > 0 or not flags & EXPIRING):
                self.table.put(DATA, key, flags, packed, stamp, remaining)
        for one in listeners:
            listener = Listener(one.event, one.pattern, one.callback)
            self.dispatcher.add(listener)
            self._owed.append(listener)

    def exiting(self, seconds: float) -> None:
        """The interpreter ends: leave, in this time at most."""
        self.leave(seconds / 2, seconds / 2)
