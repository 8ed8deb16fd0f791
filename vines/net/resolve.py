"""Names to addresses, off the loop: the resolver of the system may hang for half a minute.

Each look-up has a short-lived daemon thread of its own, at most a few at once; the others wait. All
bookkeeping is on the loop's thread: a thread takes a name and posts an answer, and shares nothing.
A daemon thread that hangs in the resolver when the interpreter ends is cut off with it. A name may
be anybody's, so what it leads to is held to what an address is: nowhere and groups are left out.
"""

from __future__ import annotations

import functools
import socket
import threading
from collections import deque
from collections.abc import Callable

from vines.hints import Any, TypeAlias
from vines.protocol.machine import Address
from vines.spelling import is_address

Target: TypeAlias = tuple[socket.AddressFamily, tuple[Any, ...]]
"""A family and what `connect` wants for it."""

Answer: TypeAlias = Callable[[list[Target], float], None]
"""Takes the addresses found (none: the name does not resolve now) and the time."""

LookUp: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""socket.getaddrinfo, or a test's stand-in."""


def numeric(address: Address) -> list[Target]:
    """The target of a numeric address, at once; empty if it is a name and has to be looked up."""
    try:
        return _targets(address, socket.AI_NUMERICHOST | socket.AI_NUMERICSERV, socket.getaddrinfo)
    except (OSError, ValueError):
        return []


class Resolver:
    """Looks names up in at most `threads_max` threads; the same name asked for twice is looked up
    once.
    """

    def __init__(
        self,
        post: Callable[[Callable[[float], None]], object],
        threads_max: int,
        look_up: LookUp = socket.getaddrinfo,
    ) -> None:
        self._post = post
        self._threads_max = threads_max
        self._look_up = look_up
        self._asked: dict[Address, list[Answer]] = {}
        self._waiting: deque[Address] = deque()
        self._threads = 0

    def resolve(self, address: Address, answer: Answer) -> None:
        """Call `answer` later, on the loop's thread; whoever asks has a deadline of its own. An
        answer that comes too late for one who asked is good for the next.
        """
        if address in self._asked:
            self._asked[address].append(answer)
            return
        self._asked[address] = [answer]
        self._waiting.append(address)
        self._begin()

    def forget(self, address: Address, answer: Answer) -> None:
        """Nobody waits for this any more."""
        answers = self._asked.get(address, [])
        if answer in answers:
            answers.remove(answer)

    def _begin(self) -> None:
        while self._waiting and self._threads < self._threads_max:
            address = self._waiting.popleft()
            if not self._asked[address]:
                del self._asked[address]
                continue
            thread = threading.Thread(
                target=self._run, args=(address,), name="vines-resolve", daemon=True
            )
            self._threads += 1
            try:
                thread.start()
            except RuntimeError:
                # No more threads, or the interpreter is ending: the name does not resolve now.
                self._post(functools.partial(self._finish, address, []))

    def _run(self, address: Address) -> None:
        try:
            found = _targets(address, 0, self._look_up)
        except (OSError, ValueError):
            found = []
        self._post(functools.partial(self._finish, address, found))

    def _finish(self, address: Address, found: list[Target], now: float) -> None:
        self._threads -= 1
        for answer in self._asked.pop(address, []):
            answer(found, now)
        self._begin()


def _targets(address: Address, flags: int, look_up: LookUp) -> list[Target]:
    host, port = address
    if not 0 < port <= 65535:
        return []
    found: dict[Target, None] = {}
    for family, _, _, _, sockaddr in look_up(host, port, type=socket.SOCK_STREAM, flags=flags):
        if family in (socket.AF_INET, socket.AF_INET6) and is_address(sockaddr[:2]):
            found[(family, sockaddr)] = None
    return list(found)
