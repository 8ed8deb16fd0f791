"""The processes of the demo: started, told what to do, listened to, killed, and never left behind.

A thread each reads the reports of a process into one queue, so whoever waits for something waits
for the next report of anybody. A process whose input ends ends itself: even if this one is killed,
nobody is left.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import vines

END_SECONDS = 1.0
"""How long a process may take to die that was killed."""

Report = dict[str, Any]


class Actor:
    """One process, and what it has reported so far."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.process = process
        self.heard: dict[str, list[Report]] = {}
        """Reports by event, oldest first."""
        self.moments: dict[tuple[str, str], int] = {}
        """When an event first concerned a key."""
        self.dismissed = False
        """Its end is part of the play."""
        self.reader: threading.Thread | None = None

    @property
    def id(self) -> str:
        """The id of its node, in hex, once it has said so."""
        ready = self.first("ready")
        assert ready is not None, "its start was waited for"
        return str(ready["id"])

    def tell(self, order: str, **arguments: Any) -> None:
        """Give an order; harmless if it is gone, because then it is missed soon enough."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps([order, arguments]) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass

    def hear(self, report: Report) -> None:
        """Note a report."""
        self.heard.setdefault(report["event"], []).append(report)
        if "key" in report:
            self.moments.setdefault((report["event"], report["key"]), report["at"])

    def first(self, event: str, **fields: Any) -> Report | None:
        """The first report of an event with these fields."""
        reports = self.heard.get(event, ())
        return next((each for each in reports if fields.items() <= each.items()), None)

    def kill(self) -> int:
        """End it as hard as the system can (POSIX: SIGKILL); returns when."""
        self.dismissed = True
        at = time.perf_counter_ns()
        self.process.kill()
        self.process.wait(END_SECONDS)
        return at

    def close(self) -> None:
        """Give its pipes back, once it is dead."""
        self.process.wait(END_SECONDS)
        if self.reader is not None:
            self.reader.join(END_SECONDS)
        _close(self.process.stdin)
        _close(self.process.stdout)


class Cast:
    """All processes. Leaving the `with` block ends those that are still there."""

    def __init__(self) -> None:
        self._actors: list[Actor] = []
        self._reports: queue.SimpleQueue[tuple[Actor, Report]] = queue.SimpleQueue()

    def start(self, name: str) -> Actor:
        """Start a process of this name."""
        actor = Actor(name, _start(name))
        self._actors.append(actor)
        actor.reader = threading.Thread(target=self._read, args=(actor,), daemon=True)
        actor.reader.start()
        return actor

    def listen(self, seconds: float) -> bool:
        """Wait so long for the next report, and hand it to its actor; whether there was one."""
        try:
            actor, report = self._reports.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return False
        actor.hear(report)
        return True

    def close(self) -> None:
        """Kill whoever is left."""
        for actor in self._actors:
            if actor.process.poll() is None:
                actor.process.kill()
        for actor in self._actors:
            actor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, actor: Actor) -> None:
        assert actor.process.stdout is not None
        try:
            for line in actor.process.stdout:
                self._reports.put((actor, json.loads(line)))
        except ValueError:
            pass  # cut off in the middle of a line
        self._reports.put((actor, {"event": "ended"}))


def _start(name: str) -> subprocess.Popen[str]:
    # Settings of this shell are meant for other members; and vines may be found by the working
    # directory alone, which the new process then needs to be told.
    environment = {key: text for key, text in os.environ.items() if not key.startswith("VINES_")}
    paths = [str(Path(vines.__file__).parents[1]), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return subprocess.Popen(
        [sys.executable, "-m", "vines.cli.demo.player", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
        # Ctrl-C in the terminal is for this process, which ends the others.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        pass  # an order that nobody will read
