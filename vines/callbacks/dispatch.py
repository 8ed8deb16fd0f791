"""The thread that calls back: what a vine tells its user is told here, in order, one thing at a
time.

Slow callbacks hold up nobody but each other: handing over never waits, and what waits is bounded
(Backlog). When changes had to be dropped, the listeners hear `Lagged` and then the current value of
every key again, from the table: the state is the queue. The same replay tells a new listener what
was there before it. During a replay, and until all that was applied before its end must have been
handed over, a listener remembers what it was told, so that nothing is told twice.

Rare events (members come and go) are told before changes of keys, and neither waits for a replay.
The thread sleeps on a bell that somebody else rings; who hands something over rings only if it
sleeps, because each wake-up may cost a busy process 5 ms of waiting for the interpreter. The loop,
which has sent by then, lets it run at once; a thread that writes goes on, and may write more.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from vines._core.bell import Bell
from vines._core.changes import Changes
from vines._core.table import DATA, Table
from vines.callbacks.backlog import KEYS_MAX, Backlog
from vines.callbacks.listeners import Audience, Callback, Listener, event_name
from vines.callbacks.telling import DECISIONS, Teller
from vines.events import KeysChanged, Lagged, Outcome, Quorum, Settled
from vines.hints import NamedTuple
from vines.log import logger

SLICE = 64
"""Changes told before rare events are looked at again."""

LATE_CHANGES = 8_192
LATE_BATCHES = 64
"""With more than that waiting, a value that has been replaced meanwhile is left out."""

EVENTS_MAX = 65_536
"""Rare events that may wait: all members of the largest cluster, several times."""

SETTLE_SECONDS = 10.0
"""By then what was in the table has been handed over: a turn of the loop takes milliseconds."""

LEAD_SECONDS = 0.001
"""How long the loop waits until the thread runs that tells who is to act on a decision: all that it
would send meanwhile wakes others, who want the processor or the interpreter before it."""

STOP_SECONDS = 0.25
"""How long `stop` waits for a running callback: a quick one finishes, a slow one is left alone."""


class _Replay(NamedTuple):
    listener: Listener
    cursor: int = 0
    told: bool = False


class Dispatcher:
    """Tells listeners what happens; its thread starts when there is something to tell.

    `tell` and `written` may be called from any thread and never wait. `table` is the data table.
    """

    def __init__(
        self, table: Table, *, name: str = "vines-callbacks", keys_max: int = KEYS_MAX
    ) -> None:
        self.audience = Audience()
        """Who listens now."""
        self.wants_keys = False
        """Whether anybody listens to keys at all."""
        self.acted: Callable[[Outcome], None] = lambda _outcome: None
        """Called when everybody has returned who was told to act on an outcome."""
        self._table = table
        self._writes = -1
        """Local writes there had been at the end of the turn before."""
        self._teller = Teller(table)
        self._name = name
        self._backlog = Backlog(keys_max)
        self._events: deque[object] = deque(maxlen=EVENTS_MAX)
        self._decisions: deque[tuple[Listener | None, object]] = deque()
        """Ends of elections: as many as there are, none may be lost. For one listener, or all."""
        self._events_dropped = 0
        self._replays: deque[_Replay] = deque()
        self._settling: deque[tuple[float, Listener]] = deque()
        self._dropped = 0
        self._lock = threading.RLock()  # for registering and for starting, which are rare
        self._thread: threading.Thread | None = None
        self._bell = Bell()
        self._asleep = False

    def add(self, listener: Listener) -> None:
        """Tell a listener what happens from now on. One of `gossip` is owed a `replay`."""
        if listener.event == "gossip":
            listener.remember()
        with self._lock:
            self._admit(self.audience.with_one(listener))

    def remove(self, event: str, key: str | None, callback: Callback | None) -> None:
        """Tell the listeners of an event, a key and a callback (None: of any) nothing any more."""
        with self._lock:
            self._admit(self.audience.without(event, key, callback))

    def replay(self, listener: Listener) -> None:
        """Tell an added listener of `gossip` the current value of each of its keys, once."""
        if self._table.count(DATA):
            self._replays.append(_Replay(listener))
            self._ring()
        else:
            listener.forget()

    def tell(self, events: Sequence[object]) -> None:
        """Hand over all that a node emitted in one turn of its loop."""
        audience = self.audience
        writes, self._writes = self._writes, self._table.counter
        news = acts = False
        others = audience.others
        for event in events:
            if type(event) is KeysChanged:
                wanted = audience.wanted(event.changes)
                if wanted:
                    self._backlog.add(wanted, writes)
                    news = True
            elif type(event) is Quorum or event_name(event) in others:
                # A Quorum also if its last listener has gone meanwhile: `acted` is to be called.
                if type(event) in DECISIONS:
                    self._decisions.append((None, event))
                    acts = acts or type(event) is Quorum
                else:
                    self._events_dropped += len(self._events) == EVENTS_MAX
                    self._events.append(event)
                news = True
        if news:
            self._ring(call=True, first=acts)

    def catch_up(self, listener: Listener, outcomes: Sequence[Outcome]) -> None:
        """Tell a late listener of `closed` or `expire` what it missed."""
        for outcome in outcomes:
            if listener.event == "closed" or outcome.kind == "expired":
                self._decisions.append((listener, Settled(outcome)))
        if self._decisions:
            self._ring()

    def written(self, key: bytes, stamp: int, *, ring: bool = True) -> None:
        """Hand over a local write: its key and the stamp it was given. Without `ring` it is told
        once somebody else rings.
        """
        if self.audience.wants(key):
            self._backlog.add(Changes.written(key, stamp))
            if ring:
                self._ring()

    def ring(self, _now: float) -> None:
        """Tell what was handed over and not rung for; from a thread that has time."""
        if self._backlog.waits():
            self._ring(call=True)

    def start(self) -> None:
        """Start the thread now, rather than when there is something to tell; idempotent."""
        with self._lock:
            if self._thread is None and not self._teller.stopped:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread = thread
                try:
                    thread.start()
                except RuntimeError:  # no room for one more thread, or the interpreter ends
                    self._thread = None
                    raise

    def stop(self) -> None:
        """Call nobody back any more; waits a little for a callback that is running. Idempotent."""
        self._teller.stopped = True
        for listener in self.audience.listeners:
            listener.active = False
        self._bell.ring()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(STOP_SECONDS)

    def stats(self) -> dict[str, int]:
        """Counts since the start, and what waits now."""
        return {
            "callbacks": self._teller.told,
            "callbacks_failed": self._teller.failed,
            "changes_superseded": self._teller.superseded,
            "changes_unreadable": self._teller.unreadable,
            "changes_dropped": self._dropped,
            "changes_waiting": len(self._backlog),
            "events_waiting": len(self._events),
            "replays_waiting": len(self._replays),
        }

    def _admit(self, audience: Audience) -> None:
        self.audience = self._teller.audience = audience
        self.wants_keys = audience.wants_keys

    def _ring(self, *, call: bool = False, first: bool = False) -> None:
        """Wake the thread if it sleeps. `call`: it is to run at once, and its caller has time;
        `first`: before its caller goes on.
        """
        if self._asleep:
            self._asleep = False
            if first:
                self._bell.lead(LEAD_SECONDS)
            elif call:
                self._bell.call()
            else:
                self._bell.ring()
        elif self._thread is None:
            self.start()

    def _run(self) -> None:
        while not self._teller.stopped:
            try:
                # Mostly there is one of these.
                if self._events or self._decisions or self._events_dropped:
                    self._tell_events()
                self._tell_changes()
                if self._replays:
                    self._tell_page()
                if self._settling:
                    self._settle()
            except Exception:  # callbacks' own are caught where they are called
                logger.critical("telling listeners met a bug; some were not told", exc_info=True)
            self._rest()

    def _rest(self) -> None:
        self._asleep = True
        news = self._decisions or self._events or self._backlog.waits() or self._replays
        if not (news or self._teller.stopped):
            self._bell.sleep(SETTLE_SECONDS if self._settling else -1.0)
        self._asleep = False

    def _tell_events(self) -> None:
        dropped, self._events_dropped = self._events_dropped, 0
        if dropped:
            self._lag(dropped)
        while self._decisions and not self._teller.stopped:
            listener, event = self._decisions.popleft()
            if listener is None:
                self._teller.event(event)
                if type(event) is Quorum and not self._teller.stopped:
                    self.acted(event.outcome)
            elif listener.active:
                self._teller.tell_one(listener, event)
        while self._events and not self._teller.stopped:
            self._teller.event(self._events.popleft())

    def _tell_changes(self) -> None:
        if not self._backlog.waits():
            return
        batches, dropped = self._backlog.take()
        if dropped:
            self._lag(dropped)
            self._replay_all()
        # What a replay has told since may be newer than what was handed over before it.
        doubtful = bool(self._replays or self._settling)
        waiting = 0
        for batch in batches:
            waiting += len(batch.changes)
        late = len(batches) > LATE_BATCHES or waiting > LATE_CHANGES
        for batch in batches:
            changes = batch.changes
            known = -1 if doubtful or late else batch.writes
            for start in range(0, len(changes), SLICE):
                self._teller.changes(changes, known, start, start + SLICE)
                if self._events or self._decisions:
                    self._tell_events()
                if self._teller.stopped:
                    return

    def _lag(self, dropped: int) -> None:
        self._dropped += dropped
        logger.warning("callbacks are too slow: %d changes were dropped", dropped)
        self._teller.event(Lagged(dropped))

    def _replay_all(self) -> None:
        begun = [replay.listener for replay in self._replays if replay.cursor == 0]
        for listener in self.audience.listeners:
            if listener.event == "gossip" and listener not in begun:
                listener.remember()
                self._replays.append(_Replay(listener))

    def _tell_page(self) -> None:
        # It is waited for until it is over: what is told now is still of the replay.
        listener, cursor, told = self._replays[0]
        before = self._teller.told
        try:
            following = self._teller.replay(listener, cursor) if listener.active else None
        finally:
            self._replays.popleft()
        told = told or self._teller.told > before
        if following is not None:
            self._replays.append(_Replay(listener, following, told))
        elif told:
            self._settling.append((time.monotonic() + SETTLE_SECONDS, listener))
        else:
            listener.forget()

    def _settle(self) -> None:
        while self._settling and self._settling[0][0] <= time.monotonic():
            self._settling.popleft()[1].forget()
