"""Commands that go on until a signal: what callbacks have to say is printed as it comes.

Callbacks print from the thread that calls back, so a reader that is slow holds up that thread and
nothing else: changes wait in the vine, which keeps the latest of each key and is bounded. When
nobody reads any more, the command ends.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vines import Vine
from vines.cli.exits import DONE, INTERRUPTED, Terminated
from vines.cli.output import Output
from vines.cli.stories import Story, of_event

OTHER_EVENTS = ("synced", "refused", "conflict", "clock_suspect", "quota", "lagged")

NOTICE_SECONDS = 2.0
"""Who is met by nobody for so long may have the wrong address."""
LOOK_SECONDS = 0.5 if os.name == "nt" else None
"""Windows does not interrupt a wait for Ctrl-C; everybody else waits without waking up."""


def until_signal(run: Callable[[], int]) -> int:
    """Run what goes on until a signal asks it to end, whenever that comes; the exit code."""
    try:
        return run()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return DONE


class Following:
    """Prints events until a signal, or until there is nobody to print for."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._stopped = threading.Event()
        self._error: Exception | None = None

    def events(self, vine: Vine, *names: str) -> None:
        """Print these events of members and of the vine itself."""
        for name in names:
            vine.on(name, self._teller(name))

    def keys(self, vine: Vine, pattern: str | None) -> None:
        """Print the changes of these keys (None: of all), what is there now first."""
        for name in ("delete", "lapse", "gossip"):
            vine.on(name, pattern or "*", self._teller(name, pattern))

    def tell(self, story: Story) -> None:
        """Print something now."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._output.line(story.text(self._output), time=time, **story.fields)

    def wait(
        self, met: threading.Event | None = None, notice: Callable[[], str] = lambda: ""
    ) -> int:
        """Until it is over; the exit code. A broken pipe is raised here. `notice` makes a line for
        the standard error, if `met` is not set soon.
        """
        return until_signal(lambda: self._wait(met, notice))

    def _wait(self, met: threading.Event | None, notice: Callable[[], str]) -> int:
        if met is not None and not met.wait(NOTICE_SECONDS) and sys.stderr is not None:
            print(notice(), file=sys.stderr, flush=True)
        while not self._stopped.wait(LOOK_SECONDS):
            pass
        assert self._error is not None, "nothing else stops it"
        raise self._error

    def _teller(self, name: str, key: str | None = None) -> Callable[[Any], None]:
        def tell(event: Any) -> None:
            if self._stopped.is_set():
                return
            try:
                self.tell(of_event(name, event, key))
            except Exception as error:  # the main thread says what it means
                self._error = error
                self._stopped.set()

        return tell
