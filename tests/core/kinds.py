"""The compiled table and the naive one behind one name, and short words for the tests that run on
both."""

from __future__ import annotations

import os
from typing import Any

from vines._core import table as core

from . import model
from .forms import Expiring, Range, Record, write_delta, write_vector
from .world import FINGERPRINT_KEY, INDEX_KEY, NAIVE, Kind

CORE = Kind(core.Table, core.Progress)

SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
"""Whether memory is watched, which takes more of it."""

A, B, C, D = (
    bytes([first]) + bytes(14) + bytes([last])
    for first, last in ((0x10, 1), (0x7F, 2), (0x80, 3), (0xF0, 4))
)
"""Four sources in ascending order as bytes; the last two would come first if bytes had a sign."""

Everything = list[tuple[int, bytes, int, bytes, bytes, int, int, bytes]]


def new(kind: Kind, source: bytes, **options: int) -> Any:
    """An empty table of one source."""
    return kind.table(source, FINGERPRINT_KEY, INDEX_KEY, **options)


def record(
    key: bytes,
    stamp: int,
    source: bytes,
    counter: int,
    *,
    origin: bytes | None = None,
    family: int = 0,
    flags: int = 0,
    value: bytes = b"v",
    left: int = 0,
) -> Record:
    """A record at (source, counter), by default written by that source."""
    made = Record(family, key, stamp, origin or source, source, counter, flags, value)
    return Expiring.of(made, left) if left else made


def span(source: bytes, start: int, end: int, *entries: tuple[int, Record]) -> Range:
    """A range (start, end] of a source."""
    return Range(source, start, end, entries)


def frame(*ranges: Range) -> bytes:
    """An encoded delta."""
    return bytes(write_delta(list(ranges)).data)


def page(*items: tuple[bytes, int]) -> bytes:
    """An encoded vector page that is first and last."""
    return bytes(write_vector(list(items)).data)


def link(kind: Kind, sender: Any, *items: tuple[bytes, int]) -> Any:
    """The sender's progress of a peer that holds just these."""
    progress = kind.progress(sender)
    assert progress.read_page(page(*items))
    return progress


def frames(kind: Kind, sender: Any, budget: int, *items: tuple[bytes, int]) -> list[bytes]:
    """All deltas a peer that holds these items gets, in order."""
    progress = link(kind, sender, *items)
    out = []
    while (part := sender.delta(progress, budget)) is not None:
        out.append(part)
    return out


def state(table: Any) -> tuple[Any, ...]:
    """Everything that may not change when bytes are refused."""
    vector = sorted(table.vector().items())
    return table.records(), vector, table.fingerprint(), table.state_bytes(), table.clock


__all__ = [
    "CORE",
    "NAIVE",
    "SANITIZED",
    "A",
    "B",
    "C",
    "D",
    "Everything",
    "Kind",
    "frame",
    "frames",
    "link",
    "model",
    "new",
    "page",
    "record",
    "span",
    "state",
]
