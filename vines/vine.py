"""Vine: what users hold. The fluent face of an engine.

Arguments are checked and understood here, before anything changes; the work is done by the Engine.
Every method that makes sense chained returns the vine, may be called from any thread and from
callbacks, and raises Closed once the vine has ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import TracebackType

from vines import addresses
from vines._core.table import DATA
from vines.callbacks.listeners import Callback, Listener, check_event
from vines.checks import (
    check_id,
    check_mapping,
    check_members,
    check_seconds,
    check_timeout,
)
from vines.config import Config, seeds_of_environment
from vines.engine.engine import Engine
from vines.errors import InvalidAddress
from vines.events import ALIVE, Member
from vines.hints import Any, Self, TypeVar, overload
from vines.keyspace import Keyspace
from vines.protocol.machine import Address
from vines.voting import Voting

LEAVE_SECONDS = 5.0
"""How long leaving may wait for others to take what they lack."""

FLUSH_SECONDS = 5.0
"""How long a flush waits: dialling, a join and a broken link fit in, a dead cluster shows."""

_Function = TypeVar("_Function", bound=Callable[..., object])


class Vine(Keyspace, Voting):
    """A member of a cluster of processes that share their keys, with no server.

    `name`: what people call it. `cluster`: only nodes of one label talk to each other, and on one
    host they find each other without addresses. `tags`: short texts that every member sees.
    `data_dir`: a directory of its own, made if it is missing, that keeps its identity and what it
    promised in elections; with a name, `new=True` says that it has never voted before. `insecure`:
    may reach beyond this machine without a key. `observer`: only watches. `settings`: the others
    that docs/guide.md and vines.config.Config have. What is not given comes from VINES_NAME,
    VINES_CLUSTER and so on in the environment.

    Raises InvalidConfig, and StorageLocked if the data directory is open already. With one that
    cannot be trusted the vine begins all the same and takes no part in elections: whoever calls for
    one or votes is told why by a StorageError.
    """

    def __init__(
        self,
        name: str | None = None,
        cluster: str | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        insecure: bool | None = None,
        observer: bool | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(data_dir, os.PathLike):
            data_dir = os.fspath(data_dir)
        settings |= {"name": name, "cluster": cluster, "tags": tags, "data_dir": data_dir}
        settings |= {"insecure": insecure, "observer": observer}
        self._engine = Engine(Config.from_environment(**settings))

    # Members.

    def listen(
        self, port: int = 0, host: str | None = None, advertise: str | Address | None = None
    ) -> Self:
        """Let others join at this port, TCP and UDP (0: any free one).

        `host`: the address to bind: the loopback by default, all interfaces if `insecure`.
        `advertise`: the "host" or "host:port" that others dial, if that is another one. Raises
        AddressInUse, InvalidAddress, Insecure, AlreadyListening; then nothing changed.
        """
        port = addresses.check_port(port)
        if host is None:
            host = "0.0.0.0" if self._engine.config.insecure else "127.0.0.1"
        self._require_secure(addresses.check_host(host), "listening on")
        told = None if advertise is None else addresses.parse_advertised(advertise, port)
        if told is not None:
            self._require_secure(told[0], "advertising")
        self._engine.listen(host, port, told)
        return self

    def join(self, *seeds: Any) -> Self:
        """Join the cluster of these nodes; they are dialled until one answers, however long.

        A seed is "host:port", "[IPv6]:port", (host, port), or a port of this machine; join(port,
        host) and lists work, too. Without seeds: those of VINES_SEEDS, separated by commas, and
        what a named cluster finds on this host. Raises InvalidAddress, Insecure.
        """
        wanted = addresses.parse_seeds(seeds or seeds_of_environment())
        for host, _port in wanted:
            self._require_secure(host, "joining")
        if not wanted and not self._engine.config.cluster:
            raise InvalidAddress(
                "join whom? Say join('host:port') or set VINES_SEEDS; only a named cluster finds"
                " its members by itself, and only on one host"
            )
        self._engine.join(wanted)
        return self

    def leave(self, timeout: float = LEAVE_SECONDS) -> Self:
        """Hand over what others lack, tell them that this member leaves, and end.

        What is not handed over within `timeout` seconds is lost; a warning in the log says so.
        Leaving after the end is harmless. Raises InvalidArgument.
        """
        self._engine.leave(check_seconds(timeout))
        return self

    def end(self) -> Self:
        """Close everything at once and call nobody back any more. Ending twice is harmless."""
        self._engine.end()
        return self

    def close(self) -> None:
        """The same as `end`."""
        self._engine.end()

    @property
    def id(self) -> bytes:
        """The 16 bytes that name this node."""
        return self._engine.node.id

    @property
    def name(self) -> str:
        """What people call this node."""
        return self._engine.config.name or self.id[:4].hex()

    @property
    def address(self) -> Address | None:
        """Where others dial this node, as (host, port); None if it does not listen."""
        self._engine.check_open()
        if self._engine.bound is None:
            return None
        return self.members()[0].address

    def members(self, *, gone: bool = False) -> list[Member]:
        """The members alive, this one first, then by name; with `gone` those remembered, too."""
        everybody = self._engine.ask(lambda _now: self._engine.node.members())
        return [member for member in everybody if gone or member.state == ALIVE]

    def member(self, id: bytes | str) -> Member | None:
        """The member of this id (in hex if it is a str), alive or remembered; None if unknown.

        Raises InvalidArgument for what is no id, as a name.
        """
        wanted = check_id(id)
        return next((one for one in self.members(gone=True) if one.id == wanted), None)

    def tags(self, tags: Mapping[str, str] | None = None, /, **more: str) -> Self:
        """Replace all tags of this node, which every member sees, by keywords or a mapping.

        Raises InvalidConfig, InvalidArgument.
        """
        engine = self._engine
        given = {} if tags is None else check_mapping(tags, "tags", "texts by names")
        config = engine.config.replace(tags={**given, **more})
        wanted = dict(config.tags)
        engine.ask(lambda now: engine.node.tags(wanted, now))
        engine.config = config
        return self

    def wait_for(self, members: int, timeout: float | None = None) -> Self:
        """Wait until so many members are alive, this one among them.

        Raises TimedOut after `timeout` seconds (None: never), NotListening before the first listen
        or join, InvalidArgument.
        """
        self._engine.wait_for(check_members(members), check_timeout(timeout))
        return self

    def flush(self, timeout: float | None = FLUSH_SECONDS, members: int = 1) -> Self:
        """Wait until so many other members hold everything written so far; observers do not count.

        Raises TimedOut after `timeout` seconds (what is late is still sent), NotListening before
        the first listen or join, InvalidArgument.
        """
        self._engine.flush(check_members(members), check_timeout(timeout))
        return self

    # Callbacks.

    @overload
    def on(self, event: str, callback: Callback, /) -> Self: ...
    @overload
    def on(self, event: str, key: str | None, callback: Callback, /) -> Self: ...
    @overload
    def on(self, event: str, key: str | None = None, /) -> Callable[[_Function], _Function]: ...
    def on(self, event: str, key: Any = None, callback: Any = None, /) -> Any:
        """Call back when something happens; without a callback, a decorator that registers one.

        Events: `gossip`, `delete` and `lapse` of one key, of a prefix ("config/*") or of all keys;
        `join`, `suspect`, `fail`, `leave`, `update` of members; `quorum` (here alone, to act),
        `closed`, `expire`, `timeout` of elections; `synced`, `refused`, `conflict`,
        `clock_suspect`, `quota`, `lagged`. A callback takes the event or nothing; of `gossip` with
        one key, the value; of elections, the outcome.

        A listener of `gossip` is called with what is there, then with every change, own writes
        included, in order; a value that is replaced before its turn comes is left out. Callbacks
        run one at a time, on a thread of their own; what they raise is logged. Raises UnknownEvent,
        InvalidCallback, InvalidKey.
        """
        if callback is None and not isinstance(key, str | None):
            key, callback = None, key
        if callback is None:
            check_event(event, key)

            def register(function: _Function) -> _Function:
                self.on(event, key, function)
                return function

            return register
        self._engine.watch(Listener(event, key, callback))
        return self

    def off(self, event: str, key: Any = None, callback: Callback | None = None, /) -> Self:
        """Call back no more: for an event, with a key, a callback or both also given only those.

        Raises UnknownEvent, InvalidKey.
        """
        if callback is None and not isinstance(key, str | None):
            key, callback = None, key
        self._engine.unwatch(event, key, callback)
        return self

    # Looking at it.

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and what is held and waits now, by part."""
        engine = self._engine
        return {
            "node": engine.ask(lambda _now: engine.node.stats()),
            "loop": engine.loop.stats(),
            "callbacks": engine.dispatcher.stats(),
            "data": engine.node.data.statistics(),
            "control": engine.node.control.statistics(),
        }

    def __repr__(self) -> str:
        engine = self._engine
        state = "joined" if engine.started else "alone"
        if engine.bound is not None:
            state = "at {}:{}".format(*(engine.advertised or engine.bound))
        if engine.refusal:
            state = "ended"
        return f"<Vine {self.name!r} {state}, {engine.table.count(DATA):,} keys>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "a vine cannot be copied or pickled, as it is a member itself: have the other process"
            " make a Vine() of its own, and join"
        )

    def __enter__(self) -> Self:
        self._engine.check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.leave()
        else:
            self.end()

    def _require_secure(self, host: str, wanted: str) -> None:
        if not self._engine.config.insecure:
            addresses.require_loopback(host, wanted)
