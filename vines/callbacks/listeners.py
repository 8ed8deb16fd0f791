"""Who wants to be told what: one Listener per registration, and the Audience that finds those of a
key.

An Audience never changes: registering makes a new one, so the threads that look into it need no
lock. It answers two questions: which of a list of changes anybody wants (asked by the loop before
it wakes anybody), and who wants this key. A Listener also knows what it was told during a replay,
so that nothing reaches it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from vines import events
from vines._core.changes import Changes
from vines._core.table import DATA
from vines.errors import InvalidCallback, UnknownEvent, shortened
from vines.hints import Any
from vines.values.keys import encode_key

Callback = Callable[..., object]

Mark = tuple[int, bytes, bool]
"""(stamp, origin) of a change, its place in the conflict order, and whether it is a lapse of that
record, which may come and, of an ephemeral one, go."""

KEYED_EVENTS = ("gossip", "delete", "lapse")

_EVENT_NAMES: dict[type, str] = {
    events.Join: "join",
    events.Suspect: "suspect",
    events.Fail: "fail",
    events.Leave: "leave",
    events.Update: "update",
    events.Refused: "refused",
    events.Conflict: "conflict",
    events.ClockSuspect: "clock_suspect",
    events.Quota: "quota",
    events.Synced: "synced",
    events.Lagged: "lagged",
    events.Quorum: "quorum",
    events.Settled: "closed",
    events.Expired: "expire",
    events.Overdue: "timeout",
}
EVENTS = (*KEYED_EVENTS, *_EVENT_NAMES.values())

SEEN_MAX = 65_536
"""Elections remembered, and keys during a replay: a duplicate would have to wait behind more events
than this."""


class Listener:
    """One callback for one event, perhaps of one key or of the keys with one prefix."""

    __slots__ = (
        *("active", "beginning", "callback", "elections", "event", "exact", "key", "pattern"),
        *("replays", "seen", "tell", "wants_value"),
    )

    def __init__(self, event: str, key: str | None, callback: Callback) -> None:
        check_event(event, key)
        self.event = event
        self.pattern = key
        self.key = encode_pattern(key)
        self.beginning = self.key.decode()
        """The key, or what stands before the closing '*', as text."""
        self.exact = key is not None and key[-1:] != "*"
        self.wants_value = self.exact and event == "gossip"
        """Whether it is called with the value alone: who named the key knows the rest."""
        self.callback = callback
        self.tell = _with_one_argument(callback)
        self.active = True
        self.elections: dict[bytes, None] = {}
        """Those of whose end it was told lately: each is told once, also to who listens late."""
        self.replays = 0
        """Replays that are due, under way, or not settled."""
        self.seen: dict[str, Mark] | None = None
        """What it was told since the first of them began."""

    def remember(self) -> None:
        """From now on remember what is told: one more replay is due."""
        self.replays += 1
        if self.seen is None:
            self.seen = {}

    def forget(self) -> None:
        """Nothing that one replay told can come again; after the last one all is forgotten."""
        self.replays -= 1
        if self.replays == 0:
            self.seen = None

    def is_news(self, key: str, mark: Mark) -> bool:
        """Whether it was not told this already, or better; remembers it."""
        seen = self.seen
        if seen is None:
            return True
        known = seen.get(key)
        if known is not None and (known == mark or known[:2] > mark[:2]):
            return False
        if len(seen) >= SEEN_MAX:
            self.seen = seen = dict(islice(seen.items(), SEEN_MAX // 4, None))
        seen[key] = mark
        return True

    def remember_end(self, election: bytes) -> bool:
        """Remember that it is told of the end of this election; False if it was before."""
        known = self.elections
        if election in known:
            return False
        if len(known) >= SEEN_MAX:
            self.elections = known = dict(islice(known.items(), SEEN_MAX // 4, None))
        known[election] = None
        return True


class Hearers:
    """Those who listen to one event of keys; immutable.

    `of_key` says who wants a key: those with prefixes first, each kind in order of registration.
    """

    __slots__ = ("beginning", "everybody", "prefixed", "with_key")

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.prefixed = tuple(one for one in listeners if not one.exact)
        self.with_key: dict[str, tuple[Listener, ...]] = {}
        for one in listeners:
            if one.exact:
                key = one.beginning
                self.with_key[key] = (*self.with_key.get(key, ()), one)
        self.beginning = self.prefixed[0].beginning if len(self.prefixed) == 1 else None
        """The prefix of the only one who has one, which is common."""
        self.everybody = not self.with_key and all(not one.beginning for one in self.prefixed)
        """Whether all want every key: then `prefixed` are those of any key, and the usual case."""

    def of_key(self, key: str) -> tuple[Listener, ...]:
        """Who wants a key."""
        found = self.with_key.get(key, ())
        if self.beginning is not None:
            if not key.startswith(self.beginning):
                return found
            return (*self.prefixed, *found) if found else self.prefixed
        if self.prefixed:
            wanting = [one for one in self.prefixed if key.startswith(one.beginning)]
            return (*wanting, *found)
        return found


class Audience:
    """All listeners at one moment; immutable."""

    __slots__ = (
        *("_keys", "_prefixes", "delete", "gossip", "lapse", "listeners", "others", "wants_keys"),
    )

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self.listeners = tuple(listeners)
        self.others: dict[str, tuple[Listener, ...]] = {}
        """The listeners of each event, by its name."""
        for one in self.listeners:
            self.others[one.event] = (*self.others.get(one.event, ()), one)
        self.gossip = Hearers(self.others.pop("gossip", ()))
        self.delete = Hearers(self.others.pop("delete", ()))
        self.lapse = Hearers(self.others.pop("lapse", ()))
        keyed = [one for one in self.listeners if one.event in KEYED_EVENTS]
        self._keys = frozenset(one.key for one in keyed if one.exact)
        self._prefixes = tuple({one.key for one in keyed if not one.exact})
        self.wants_keys = bool(self._keys or self._prefixes)
        """Whether anybody listens to keys at all."""

    def wants(self, key: bytes) -> bool:
        """Whether anybody listens to a key."""
        return key in self._keys or key.startswith(self._prefixes)

    def wanted(self, changes: Changes) -> Changes:
        """The changes of user data that somebody listens to."""
        return changes.select(DATA, self._keys, self._prefixes)

    def with_one(self, listener: Listener) -> Audience:
        """The audience with one listener more."""
        return Audience((*self.listeners, listener))

    def without(self, event: str, key: str | None, callback: Callback | None) -> Audience:
        """The audience without the listeners of an event, a key and a callback (None: any)."""
        check_event(event, key)
        pattern = encode_pattern(key)
        exact = key is not None and key[-1:] != "*"
        kept = []
        for one in self.listeners:
            same_key = key is None or (one.key, one.exact) == (pattern, exact)
            if one.event == event and same_key and callback in (None, one.callback):
                one.active = False
            else:
                kept.append(one)
        return Audience(kept)


def event_name(event: object) -> str:
    """The name users listen to for a rare event; empty if it is none of their business."""
    return _EVENT_NAMES.get(type(event), "")


def check_event(event: object, key: object) -> None:
    """Raises UnknownEvent for an event nobody tells, or for the key of one that has none."""
    if event not in EVENTS:
        raise UnknownEvent(f"{shortened(event)} is no event: there are {', '.join(EVENTS)}")
    if key is not None and event not in KEYED_EVENTS:
        raise UnknownEvent(f"{event!r} has no keys: only {', '.join(KEYED_EVENTS)} have")


def encode_pattern(key: object) -> bytes:
    """The bytes of a key, or of what stands before the closing '*'; empty for every key."""
    if key is None or key == "*":
        return b""
    return encode_key(key.removesuffix("*") if isinstance(key, str) else key)


def _with_one_argument(callback: Any) -> Callback:
    """The callback as something that takes one argument, whether it does or not."""
    if not callable(callback):
        raise InvalidCallback(f"{callback!r} cannot be called; nothing was registered")
    import inspect  # slow to import, and not needed by those who do not call back

    if inspect.iscoroutinefunction(callback):
        raise InvalidCallback(
            f"{callback!r} is a coroutine function, and nobody here awaits it: register a plain"
            " function that hands the event to your loop, with loop.call_soon_threadsafe"
        )
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # some built-ins have none
        return callback  # type: ignore[no-any-return]
    for arguments in ((None,), ()):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return callback if arguments else lambda _event: callback()
    raise InvalidCallback(f"{callback!r} needs more than one argument; nothing was registered")
