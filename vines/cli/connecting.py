"""How a command becomes a member for a while: an observer that is up to date, or an error that says
why not.

Observers hold everything and are counted by nobody, so looking at a cluster does not change what it
decides. A command waits until it holds what one member holds; also one that writes, because a write
that is to win must be stamped above what it replaces.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import time
from argparse import Namespace
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from vines import Vine
from vines.addresses import parse_seeds
from vines.cli.exits import REFUSED, UNREACHED, USAGE, Failure
from vines.cli.output import is_terminal
from vines.config import seeds_of_environment
from vines.errors import InvalidAddress
from vines.events import Refused, Synced
from vines.protocol.machine import Address
from vines.spelling import NODE_ID_BYTES

DEFAULT_CLUSTER = "vines"
"""The commands' own, so that they find each other on one host without a word."""

NOTICE_SECONDS = 1.0
"""Who waits longer than this for an answer is told for whom."""

LEAVE_SECONDS = 1.0
"""What that may take when a command is interrupted: somebody waits for it."""

PASSING = ("full", "duplicate", "self")
"""Refusals after which trying again helps."""


def label_of(arguments: Namespace) -> str:
    """The label of the cluster that a member joins which says nothing else."""
    label: str | None = arguments.cluster
    return os.environ.get("VINES_CLUSTER", DEFAULT_CLUSTER) if label is None else label


def join(vine: Vine, arguments: Namespace, label: str) -> None:
    """Join whom was said; nobody, if nobody was, and a cluster without a label finds none."""
    seeds = seeds_of(arguments)
    if label or seeds:
        vine.join(*seeds)


@dataclass(frozen=True, slots=True)
class Way:
    """How to get to a cluster: its label, and where its members are (nowhere: on this host)."""

    label: str
    seeds: tuple[Address, ...]
    named: bool
    """Whether somebody said so, and it is no guess."""

    def __str__(self) -> str:
        if self.seeds:
            return ", ".join(f"{host}:{port}" for host, port in self.seeds)
        return f"cluster {self.label!r} on this host"


def seeds_of(arguments: Namespace) -> list[Address]:
    """Whom to join, as it was said or is in the environment. Raises Failure, which names it."""
    try:
        return arguments.join or parse_seeds(seeds_of_environment())
    except InvalidAddress as error:
        raise Failure(USAGE, f"VINES_SEEDS: {error}") from None


def ways(arguments: Namespace) -> list[Way]:
    """The ways to try, likeliest first. Raises Failure if there is none, InvalidAddress.

    Without a word about the cluster, seeds are asked for one without a name, which programs have
    that never named theirs, then for that of the commands.
    """
    label: str | None = arguments.cluster
    if label is None:
        label = os.environ.get("VINES_CLUSTER")
    seeds = tuple(seeds_of(arguments))
    if label is not None:
        if not label and not seeds:
            text = "join whom? Say --join host:port; only a named cluster is found without"
            raise Failure(USAGE, text)
        return [Way(label, seeds, named=True)]
    labels = ["", DEFAULT_CLUSTER] if seeds else [DEFAULT_CLUSTER]
    return [Way(each, seeds, named=False) for each in labels]


@contextlib.contextmanager
def taking_leave(vine: Vine) -> Iterator[None]:
    """Also who fails or is interrupted says that it leaves: others are not to take it for dead."""
    try:
        yield
    except BaseException:
        vine.leave(LEAVE_SECONDS)
        raise


@contextlib.contextmanager
def connected(arguments: Namespace) -> Iterator[Vine]:
    """An observer that holds what the cluster holds; it leaves in the end. Raises Failure."""
    deadline = time.monotonic() + arguments.timeout
    refusal: Refused | None = None
    for way in ways(arguments):
        # A member may have its id and its directory from the environment; this is not that member.
        with (
            Vine(
                f"vines-{arguments.command}-{os.getpid()}",
                way.label,
                observer=True,
                insecure=arguments.insecure or None,
                # A label that is only a guess must not lead to somebody nobody asked for.
                discovery=None if way.named or not way.seeds else False,
                node_id=os.urandom(NODE_ID_BYTES),
                data_dir="",
            ) as vine,
            taking_leave(vine),
        ):
            refusal = _meet(vine, way, arguments, deadline)
            if refusal is None:
                yield vine
                return
        if refusal.reason != "cluster":
            break
    assert refusal is not None, "there is a way, and it was refused"
    raise _refused(refusal, way)


def _meet(vine: Vine, way: Way, arguments: Namespace, deadline: float) -> Refused | None:
    """Join and catch up; the refusal if every seed refuses. Raises Failure if nobody answers."""
    heard: queue.SimpleQueue[Synced | Refused] = queue.SimpleQueue()
    vine.on("synced", heard.put).on("refused", heard.put)
    vine.join(list(way.seeds))
    refusals: dict[Address | None, Refused] = {}
    for event in _events(heard, deadline, f"vines {arguments.command}: waiting for {way} ..."):
        if isinstance(event, Synced):
            return None
        if event.outgoing and event.reason not in PASSING:
            refusals[event.address] = event
            if len(refusals) >= len(set(way.seeds)) > 0:
                return event
    if refusals:
        return next(iter(refusals.values()))
    remedy = "start one with `vines agent`, or say --join host:port"
    if way.seeds:
        remedy = why_nobody(vine, way.seeds) or "is a member listening there?"
    text = f"nobody answered within {arguments.timeout:g} s: {way}; {remedy}"
    raise Failure(UNREACHED, text)


def why_nobody(vine: Vine, seeds: Collection[Address]) -> str:
    """Why all dials of these seeds failed, in words, if they failed in one way that tells."""
    failed = vine.stats()["loop"]["dials_failed"]
    several = len(seeds) > 1
    if set(failed) == {"refused"}:
        return "nothing listens there" if not several else "nothing listens at any of them"
    if set(failed) == {"unresolved"}:
        return "that name does not resolve" if not several else "none of these names resolves"
    return ""


def _events(
    heard: queue.SimpleQueue[Synced | Refused], deadline: float, notice: str
) -> Iterator[Synced | Refused]:
    """What is heard until the deadline; somebody who waits at a terminal is told for whom."""
    patience = time.monotonic() + NOTICE_SECONDS
    while (now := time.monotonic()) < deadline:
        if notice and now >= patience:
            if sys.stderr is not None and is_terminal(sys.stderr):
                print(notice, file=sys.stderr)
            notice = ""
        until = min(deadline, patience) if notice else deadline
        with contextlib.suppress(queue.Empty):
            yield heard.get(timeout=max(0.0, until - now))


def _refused(refusal: Refused, way: Way) -> Failure:
    address = "somebody" if refusal.address is None else "{}:{}".format(*refusal.address)
    if refusal.reason != "cluster":
        return Failure(REFUSED, f"{address} refused ({refusal.reason}): {refusal.text}")
    what = f"is not {way.label!r}" if way.named and way.label else "has a name of its own"
    return Failure(REFUSED, f"{address} belongs to a cluster that {what}; say --cluster NAME")
