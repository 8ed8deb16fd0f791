"""Signals that ask a process to end, as an exception: so whatever was begun is also ended."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from vines.cli.exits import Terminated

NAMES = ("SIGTERM", "SIGHUP")
"""SIGINT raises KeyboardInterrupt already."""


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Raise Terminated for these signals, in the main thread, unless they are ignored (nohup)."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)
