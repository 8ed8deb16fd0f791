"""Commands as processes: started, listened to line by line, never waited for without a bound."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

from vines import Vine

SECONDS = 20.0
"""How long anything may take before a test fails: much more than it takes."""

COMMAND = (sys.executable, "-W", "error", "-m", "vines")


def seed(vine: Vine) -> str:
    """Where a vine listens, for --join."""
    assert vine.address is not None
    return "{}:{}".format(*vine.address)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


class Terminal:
    """A command that goes on; killed at the end of the `with` block if it still does."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def line(self, pattern: str) -> re.Match[str]:
        """The next line of its standard output in which a pattern is found."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                line = self._lines.get(timeout=deadline - time.monotonic())
            except queue.Empty:
                raise AssertionError(f"no line with {pattern!r} after {self.seen}") from None
            if line is None:
                raise AssertionError(f"it ended without {pattern!r} after {self.seen}")
            self.seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found

    def lines(self, *patterns: str) -> None:
        """Wait until each of some patterns was found, in any order."""
        missing = set(patterns)
        while missing:
            line = self.line("|".join(missing)).string
            missing = {pattern for pattern in missing if not re.search(pattern, line)}

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal as a terminal does, to all in it; the exit code, and what it said of it."""
        os.killpg(self.process.pid, number)
        code = self.process.wait(SECONDS)
        assert self.process.stderr is not None
        return code, self.process.stderr.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)
