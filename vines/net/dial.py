"""Dialling: from an address to a stream that is up, without ever waiting.

Of a name that gives several addresses all are tried: the next one when one fails, or beside one
that keeps silent (RFC 8305). The first that answers wins. Each dial of the same name begins behind
the last address that was tried, so that a name with many nodes behind it leads to all of them in
time, also when most are gone for good.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Callable

from vines.net.limits import Limits
from vines.net.reactor import WRITE, Reactor
from vines.net.resolve import Resolver, Target, numeric
from vines.net.sockets import is_itself
from vines.net.timers import Timer
from vines.protocol.machine import Address

_UNDER_WAY = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR}
_REFUSED = {errno.ECONNREFUSED, errno.ECONNRESET}
_NAMES_MAX = 256


class Dialler:
    """All dials under way. Each ends in exactly one call: `opened(socket, ticket, now)` or
    `failed(...)`.

    `own` says whether a socket is connected to this very node: of several addresses, those are
    passed over.
    """

    def __init__(
        self,
        reactor: Reactor,
        resolver: Resolver,
        limits: Limits,
        *,
        timeout: float,
        opened: Callable[[socket.socket, int, float], None],
        failed: Callable[[int, bool, float], None],
        own: Callable[[socket.socket], bool],
    ) -> None:
        self.reactor = reactor
        self.resolver = resolver
        self.limits = limits
        self.timeout = timeout
        self.opened = opened
        self.failed = failed
        self.own = own
        self._turns: dict[Address, int] = {}
        self._dials: set[_Dial] = set()

    def __len__(self) -> int:
        return len(self._dials)

    def dial(self, ticket: int, address: Address, now: float) -> None:
        """Begin; nothing is called back before the next turn but for what fails at once."""
        dial = _Dial(self, ticket, address)
        self._dials.add(dial)
        dial.begin(now)

    def rotate(self, address: Address, targets: list[Target]) -> list[Target]:
        """The targets in the order of this dial: from where the last one of this name left off."""
        if len(targets) < 2:
            return targets
        first = self._turns.get(address, 0) % len(targets)
        return (targets[first:] + targets[:first])[: self.limits.addresses_max]

    def tried(self, address: Address) -> None:
        """One more address of a name is being tried."""
        turn = self._turns.pop(address, 0)
        while len(self._turns) >= _NAMES_MAX:
            del self._turns[next(iter(self._turns))]
        self._turns[address] = turn + 1

    def end(self, dial: _Dial) -> None:
        """A dial has been answered."""
        self._dials.discard(dial)

    def close(self) -> None:
        """Drop every dial; nobody is told."""
        for dial in list(self._dials):
            dial.drop()


class _Dial:
    """One ticket: the addresses left to try and the attempts under way."""

    def __init__(self, dialler: Dialler, ticket: int, address: Address) -> None:
        self._dialler = dialler
        self._ticket = ticket
        self._address = address
        self._left: deque[Target] = deque()
        self._several = False
        self._attempts: set[_Attempt] = set()
        self._answered = 0
        self._silent = 0
        self._over = False
        self._deadline: Timer | None = None
        self._stagger: Timer | None = None

    def begin(self, now: float) -> None:
        timers, timeout = self._dialler.reactor.timers, self._dialler.timeout
        self._deadline = timers.at(now + timeout, self._expired)
        targets = numeric(self._address)
        if targets:
            self._found(targets, now)
        else:
            self._dialler.resolver.resolve(self._address, self._found)

    def _found(self, targets: list[Target], now: float) -> None:
        if not self._over:
            self._several = len(targets) > 1
            self._left.extend(self._dialler.rotate(self._address, targets))
            self._next(now)

    def _next(self, now: float) -> None:
        """Try the next address; when none is left and none is under way, that was it."""
        if self._stagger is not None:
            self._stagger.cancel()
        while self._left:
            attempt = _Attempt(self)
            self._attempts.add(attempt)
            if self._several:
                self._dialler.tried(self._address)
            if attempt.begin(self._left.popleft()):
                self._stagger = self._dialler.reactor.timers.at(
                    now + self._dialler.limits.stagger_seconds, self._next
                )
                return
            self._attempts.discard(attempt)
        if not self._attempts:
            self._fail(now, expired=False)

    def lost(self, attempt: _Attempt, reason: int, now: float) -> None:
        """An attempt failed, for this errno."""
        self._attempts.discard(attempt)
        self.note(reason)
        self._next(now)

    def note(self, reason: int) -> None:
        """Remember whether somebody said no or nobody said anything."""
        if reason in _REFUSED:
            self._answered += 1
        else:
            self._silent += 1

    def objection(self, sock: socket.socket) -> int:
        """Why a socket that is connected is not the one, as an errno; 0 if it is.

        It may lead back to this node, which matters if others are left; and whoever took it may
        have reset it since: then it has no peer to ask about any more.
        """
        try:
            if is_itself(sock):
                return errno.ECONNREFUSED
            if self._several and self._dialler.own(sock):
                return errno.EADDRNOTAVAIL
        except OSError:
            return errno.ECONNRESET
        return 0

    def won(self, attempt: _Attempt, sock: socket.socket, now: float) -> None:
        """An attempt is connected: it is the one."""
        self._attempts.discard(attempt)
        self.drop()
        self._dialler.opened(sock, self._ticket, now)

    def _expired(self, now: float) -> None:
        self._fail(now, expired=True)

    def _fail(self, now: float, *, expired: bool) -> None:
        refused = bool(self._answered) and not self._silent and not expired
        if refused:
            reason = "refused"
        elif self._answered or self._silent or self._attempts:
            reason = "silent"
        else:
            reason = "unresolved"
        self.drop()
        host, port = self._address
        self.reactor.count("dials_failed", f"{host}:{port}", reason)
        self._dialler.failed(self._ticket, refused, now)

    def drop(self) -> None:
        """Let go of everything; nothing is called back any more."""
        self._over = True
        for timer in (self._deadline, self._stagger):
            if timer is not None:
                timer.cancel()
        self._left.clear()
        self._dialler.resolver.forget(self._address, self._found)
        for attempt in self._attempts:
            attempt.close()
        self._attempts.clear()
        self._dialler.end(self)

    @property
    def reactor(self) -> Reactor:
        """Where attempts are watched."""
        return self._dialler.reactor


class _Attempt:
    """One socket on its way to one address."""

    def __init__(self, dial: _Dial) -> None:
        self._dial = dial
        self._socket: socket.socket | None = None
        self.closed = False
        self.served = 0

    def begin(self, target: Target) -> bool:
        """Start connecting; False, noted with the dial, if that failed at once."""
        family, sockaddr = target
        try:
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            reason = self._socket.connect_ex(sockaddr)
        except (OSError, ValueError, OverflowError) as error:
            reason = getattr(error, "errno", None) or errno.EINVAL
        if reason not in _UNDER_WAY:
            self._dial.note(reason)
            self.close()
            return False
        assert self._socket is not None
        try:
            self._dial.reactor.watch(self._socket, WRITE, self)
        except OSError as error:
            self._dial.note(error.errno or errno.EINVAL)
            self.close()
            return False
        return True

    def ready(self, _mask: int, now: float) -> None:
        """Connected, or failed for good."""
        assert self._socket is not None
        sock = self._socket
        reason = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or self._dial.objection(sock)
        if reason:
            self.close()
            self._dial.lost(self, reason, now)
            return
        self._dial.reactor.forget(sock)
        self._socket, self.closed = None, True
        self._dial.won(self, sock, now)

    def close(self) -> None:
        """Give the socket back."""
        self.closed = True
        if self._socket is not None:
            self._dial.reactor.forget(self._socket)
            self._socket.close()
            self._socket = None
