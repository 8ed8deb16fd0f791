"""Processes that vote while somebody kills them: who does that, and who reads what they left."""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.vine.voter import last_round, topic_of

ROOT = Path(__file__).parents[2]

PATIENCE = 90.0
"""Seconds after which what has not happened will not; nothing here takes a tenth of it."""

SETTLE_SECONDS = 90.0
"""The same for all that is waited for in the end."""

BATCH = 10
"""Topics that are called together."""

Round = tuple[str, int]


class Life(NamedTuple):
    """What one process left: the lines of its journal, and whether it ran to the end."""

    voter: str
    number: int
    lines: list[dict[str, Any]]
    survived: bool

    def told(self, what: str) -> list[dict[str, Any]]:
        """Its lines of a kind, oldest first."""
        return [line for line in self.lines if line["what"] == what]

    @property
    def identity(self) -> str:
        """What its node is called by others."""
        return next((line["id"] for line in self.told("start")), "")


class Process:
    """A voter in a process of its own. `life`: which start of it this is."""

    def __init__(self, voter: str, life: int, journal: Path, options: dict[str, Any]) -> None:
        self.voter, self.life, self.journal = voter, life, journal
        self.port = 0
        self.stopped = self.armed = False
        """`armed`: it is killed as soon as it acts."""
        self.said: list[str] = []
        self._unread = b""
        self._errors = journal.with_suffix(".errors").open("wb")
        modules = ["tests.vine.voter"]
        if options.get("planted") or options.get("dies"):
            modules.insert(0, "tests.uncompiled")
        self._popen = subprocess.Popen(
            [sys.executable, "-m", *modules, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self.stdout = self._popen.stdin, self._popen.stdout
        self.pid = self._popen.pid

    def order(self, text: str) -> None:
        """Have it do something; one that is dead does nothing."""
        try:
            self._stdin.write(f"{text}\n".encode())
            self._stdin.flush()
        except BrokenPipeError:
            pass

    def read(self) -> list[str] | None:
        """What it said since; None: it is dead, and has said everything."""
        data = os.read(self.stdout.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        said = [line.decode() for line in lines]
        self.said += said
        return said

    def stop(self) -> None:
        """It stands still, until `go_on`."""
        self.stopped = True
        self._popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.stopped = False
        self._popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._popen.kill()

    def wait(self) -> int:
        """It is dead; how it died."""
        code = self._popen.wait(PATIENCE)
        for file in (self.stdout, self._errors):
            file.close()
        try:
            self._stdin.close()
        except BrokenPipeError:
            pass
        return code

    @property
    def complaint(self) -> str:
        """What it said on its standard error."""
        return self.journal.with_suffix(".errors").read_text()


class Crowd:
    """Voters who know each other. `kind`: memory, named or gathered, the latter two with a data
    directory; everything drawn comes from the seed.
    """

    def __init__(self, path: Path, kind: str, size: int, seed: int, planted: str = "") -> None:
        self.path, self.kind, self.size, self.seed = path, kind, size, seed
        self.planted = planted
        self.random = random.Random(f"{kind} {size} {seed}")
        self.names = [chr(ord("a") + number) for number in range(size)]
        self.running: dict[str, Process] = {}
        self.topics = 0
        """How many were called."""
        self.kills = 0
        self._lives: list[tuple[str, Path]] = []
        self._survivors: set[Path] = set()
        self._selector = selectors.DefaultSelector()

    # One process.

    def start(self, voter: str, **more: Any) -> Process:
        """Start it, anew or again; it joins the others as soon as it is there."""
        life = sum(voter == name for name, _ in self._lives)
        journal = self.path / f"{voter}-{life}.jsonl"
        options: dict[str, Any] = {
            "journal": str(journal),
            "seed": f"{self.seed} {voter} {life}",
            "planted": self.planted,
            **more,
        }
        if self.planted.startswith("forgets"):
            options["acting"] = 0.2  # so that it is still at it when it is killed
        if self.kind == "memory":
            options["total"] = self.size
        else:
            options["name"], options["data_dir"] = voter, str(self.path / voter)
            options["new"] = not any(one.identity for one in self.lives() if one.voter == voter)
            electorate = self.names if self.kind == "named" else self.size
            options["voters" if self.kind == "named" else "total"] = electorate
        process = self.running[voter] = Process(voter, life, journal, options)
        self._lives.append((voter, journal))
        self._selector.register(process.stdout, selectors.EVENT_READ, process)
        return process

    def kill(self, process: Process) -> None:
        self.kills += 1
        process.kill()
        self._bury(process)

    def _bury(self, process: Process) -> None:
        """It is dead, by whatever: but for those we kill, or that kill themselves, by a bug."""
        self._selector.unregister(process.stdout)
        code = process.wait()
        del self.running[process.voter]
        assert code == -signal.SIGKILL, f"{process.journal}: {code}: {process.complaint}"

    # All of them.

    def pump(self, seconds: float, until: Callable[[], object] = lambda: False) -> bool:
        """Hear what they say, for so long at most; whether what was waited for has happened."""
        deadline = time.monotonic() + seconds
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                self._hear(key.data)
        return True

    def _hear(self, process: Process) -> None:
        said = process.read()
        if said is None:
            self.kills += 1  # by itself, at a commit or a step
            self._bury(process)
            return
        for line in said:
            word, _, rest = line.partition(" ")
            if word == "ready":
                process.port = int(rest)
                others = [one for one in self.running.values() if one.port and one is not process]
                if others:
                    process.order(f"join {' '.join(str(one.port) for one in others)}")
                if self.topics:
                    first = max(0, self.topics - 2 * BATCH)
                    process.order(f"call {first} {self.topics}")
            elif word == "begin" and process.armed:
                self.kill(process)
                return

    def start_all(self) -> None:
        """Start whoever is dead and wait for all of them."""
        for voter in self.names:
            if voter not in self.running:
                self.start(voter)
        ready = self.pump(PATIENCE, lambda: all(one.port for one in self.running.values()))
        assert ready, self._lost("not all have started")

    def call(self, count: int) -> None:
        """Have all that are there call for some more topics."""
        first, self.topics = self.topics, self.topics + count
        for process in self.running.values():
            if process.port:
                process.order(f"call {first} {self.topics}")

    def order_all(self, text: str) -> None:
        for process in self.running.values():
            process.order(text)

    def harm(self) -> None:
        """Kill one or two or nobody, some of them while they act, let others stand still."""
        drawn = self.random.random()
        going = [one for one in self.running.values() if one.port and not one.stopped]
        for victim in self.random.sample(going, min(len(going), 2 if drawn < 0.1 else 1)):
            if drawn < 0.3:
                self.kill(victim)
            elif drawn < 0.7:
                victim.armed = True
            elif drawn < 0.85:
                victim.stop()

    def heal(self) -> None:
        """Start some of the dead again, and let some of the others go on."""
        for voter in self.names:
            process = self.running.get(voter)
            if self.random.random() < 0.5:
                continue
            if process is None:
                fragile = self.random.choice([0.0, 0.0, 0.02]) if self.kind != "memory" else 0.0
                self.start(voter, fragile=fragile)
            elif process.stopped:
                process.go_on()

    def fight(self, topics: int) -> None:
        """Call for so many topics, and kill meanwhile."""
        while self.topics < topics:
            self.call(BATCH)
            self.pump(self.random.uniform(0.0, 0.3))
            self.harm()
            self.pump(self.random.uniform(0.0, 0.3))
            self.heal()

    def settle(self) -> None:
        """Nobody is harmed any more: wait until all is closed that can be, and acted on."""
        for process in self.running.values():
            process.go_on()
            process.armed = False
        # Those that would kill themselves are replaced, too: they have had their chance.
        for process in list(self.running.values()):
            if process.life and self.kind != "memory":
                self.kill(process)
        self.start_all()
        self.rest()
        self.end()

    def rest(self) -> None:
        """Have those that are there call for what is open until it is closed."""
        self.order_all(f"settle {self.topics}")
        self._survivors = {one.journal for one in self.running.values()}
        deadline = time.monotonic() + SETTLE_SECONDS
        while unfinished(self) and time.monotonic() < deadline:
            self.pump(0.3)

    def end(self) -> None:
        """Kill them all, not as a part of the play."""
        for process in list(self.running.values()):
            process.kill()
            self._bury(process)
        self._selector.close()

    def lives(self) -> Iterator[Life]:
        """What they left so far. A line that was cut short is none."""
        counts: dict[str, int] = defaultdict(int)
        for voter, journal in self._lives:
            text = journal.read_text() if journal.exists() else ""
            lines = [json.loads(line) for line in text.split("\n")[:-1]]
            yield Life(voter, counts[voter], lines, journal in self._survivors)
            counts[voter] += 1

    def _lost(self, text: str) -> str:
        return f"{text}: seed {self.seed}, {self.kind}, {self.size}; the files are in {self.path}"

    def verdict(self) -> str:
        """What is wrong with what they left; empty if nothing is."""
        found = faults(self) + unfinished(self)
        return "\n".join([self._lost(f"{len(found)} faults"), *found[:50]]) if found else ""

    def figures(self) -> dict[str, int]:
        """How much there was of everything."""
        lives = list(self.lives())
        begun = [len(life.told("begin")) for life in lives]
        cut = [len(life.told("begin")) - len(life.told("end")) for life in lives]
        kinds: dict[Any, str] = {}
        for line in all_lines(lives, "closed"):
            kinds[line["election"]] = line["kind"]
        return {
            "topics": self.topics,
            "elections": len(kinds),
            **{kind: sum(one == kind for one in kinds.values()) for kind in set(kinds.values())},
            "acted": sum(begun),
            "kills": self.kills,
            "kills inside callbacks": sum(cut),
            "restarts": len(lives) - self.size,
            "required": len(required(self, lives)),
        }


# What is looked for in what they left.


def all_lines(lives: list[Life], *what: str) -> Iterator[dict[str, Any]]:
    """All lines of these kinds, with whose they are."""
    for life in lives:
        for line in life.lines:
            if line["what"] in what:
                yield {"voter": life.voter, "life": life.number, "id": life.identity} | line


def about(line: dict[str, Any]) -> Round:
    return line["topic"], line["round"]


def runner(crowd: Crowd, line: dict[str, Any]) -> str:
    """How an outcome names whoever wrote this line."""
    return str(line["voter"] if crowd.kind == "named" else line["id"])


def faults(crowd: Crowd) -> list[str]:
    """What may never be, however it went."""
    lives = list(crowd.lives())
    found = [*_double_acts(crowd, lives), *_foreign_acts(crowd, lives)]
    found += [*_disagreements(crowd, lives), *_repeated_ends(lives)]
    if crowd.kind != "memory":
        for voter in crowd.names:
            found += _interruptions([one for one in lives if one.voter == voter], lives)
    return found


def _double_acts(crowd: Crowd, lives: list[Life]) -> Iterator[str]:
    by_election, by_round = defaultdict(list), defaultdict(list)
    for line in all_lines(lives, "begin"):
        by_election[(*about(line), line["election"])].append(line)
        by_round[about(line)].append(line)
    crowded = set() if crowd.kind != "memory" else _crowded(crowd, lives)
    for key, lines in [*by_election.items(), *by_round.items()]:
        if len(lines) > 1 and (len(key) == 3 or key[0] not in crowded):
            yield f"acted on more than once: {key}: {lines}"


def _crowded(crowd: Crowd, lives: list[Life]) -> set[str]:
    """Topics that so many called that they may be decided twice."""
    callers = defaultdict(set)
    for line in all_lines(lives, "call"):
        callers[line["topic"]].add(line["id"])
    return {topic for topic, ids in callers.items() if len(ids) >= 2 * crowd.size}


def _foreign_acts(crowd: Crowd, lives: list[Life]) -> Iterator[str]:
    for line in all_lines(lives, "begin"):
        if line["kind"] != "commit":
            yield f"acted on what is no commit: {line}"
        if line["owner"] != runner(crowd, line):
            yield f"acted on another's: {line}"


def _disagreements(crowd: Crowd, lives: list[Life]) -> Iterator[str]:
    fields = ("topic", "round", "kind", "owner", "votes")
    known: dict[str, dict[str, Any]] = {}
    elections: dict[Round, str] = {}
    crowded = set() if crowd.kind != "memory" else _crowded(crowd, lives)
    for line in all_lines(lives, "closed", "begin", "end"):
        other = known.setdefault(line["election"], line)
        if any(line[field] != other[field] for field in fields):
            yield f"two outcomes: {line} and {other}"
        first = elections.setdefault(about(line), line["election"])
        if first != line["election"] and line["topic"] not in crowded:
            yield f"two elections: {line} and {known[first]}"


def _repeated_ends(lives: list[Life]) -> Iterator[str]:
    for life in lives:
        seen = set()
        for line in life.told("closed"):
            if line["election"] in seen:
                yield f"told twice in {life.voter}-{life.number} that it is closed: {line}"
            seen.add(line["election"])


def _interruptions(mine: list[Life], lives: list[Life]) -> Iterator[str]:
    """Of one voter with a disk: what it says was interrupted is what it did not end."""
    later: dict[str, int] = defaultdict(int)
    for line in all_lines(lives, "closed"):
        later[line["topic"]] = max(later[line["topic"]], line["round"])

    def is_last(key: Round) -> bool:
        return later[key[0]] <= key[1]

    identities = {life.identity for life in mine} - {""}
    if len(identities) > 1:
        yield f"{mine[0].voter} has more than one identity: {identities}"
    for life in mine:
        earlier = [one for one in mine if one.number < life.number]
        begun = {about(line) for one in earlier for line in one.told("begin")}
        ended = {about(line) for one in earlier for line in one.told("end")}
        for start in life.told("start"):
            listed = {about(line) for line in start["interrupted"]}
            where = f"{life.voter}-{life.number}"
            for key in sorted(begun - ended - listed):
                if is_last(key):
                    yield f"{where} does not know that it was interrupted: {key}"
            for key in sorted(listed):
                if any(
                    about(line) == key for one in mine[life.number :] for line in one.told("begin")
                ):
                    yield f"{where} was interrupted before it began: {key}"
            # That a callback has ended is on disk a little later, but in the same order.
            for one in earlier:
                order = [key for key in map(about, one.told("end")) if is_last(key)]
                for former, latter in pairwise(order):
                    if former in listed and latter not in listed:
                        yield f"{where} was interrupted in {former}, and not in {latter} after it"


def required(crowd: Crowd, lives: list[Life]) -> set[str]:
    """Topics that have to close: of those who called, so few were killed for ever that whatever
    roll they signed has a majority left.
    """
    everything = {topic_of(number) for number in range(crowd.topics)}
    if crowd.kind != "memory":
        return everything
    gone = defaultdict(set)
    for life in lives:
        if not (life.survived or life.told("left")):
            for line in life.told("call"):
                gone[line["topic"]].add(life.identity)
    return {topic for topic in everything if 2 * len(gone[topic]) < crowd.size}


def unfinished(crowd: Crowd) -> list[str]:
    """What has to be in the end and is not (yet)."""
    lives = list(crowd.lives())
    missing = []
    wanted = required(crowd, lives)
    survivors = [life for life in lives if life.survived]
    for life in survivors:
        closed = dict(sorted(about(line) for line in life.told("closed")))  # the last of each
        for number in range(crowd.topics):
            topic, last = topic_of(number), last_round(number)
            # Who asks for another round, and has heard of the last meanwhile, asks for the next.
            if topic in wanted and closed.get(topic, -1) < last:
                missing.append(f"{life.voter}-{life.number} never heard the end of {topic}")
    return missing + list(_owed(crowd, lives))


def _owed(crowd: Crowd, lives: list[Life]) -> Iterator[str]:
    """Commits whose owner is there in the end: it acted on them, or has begun to."""
    begun = {line["election"] for line in all_lines(lives, "begin")}
    ended = {line["election"] for line in all_lines(lives, "end")}
    for life in lives:
        if not life.survived:
            continue
        known = {about(one) for start in life.told("start") for one in start["interrupted"]}
        rounds = {line["topic"]: line["round"] for line in life.told("closed")}
        me = life.voter if crowd.kind == "named" else life.identity
        for line in life.told("closed"):
            if line["kind"] != "commit" or line["owner"] != me or about(line) in known:
                continue
            if line["election"] not in begun and rounds[line["topic"]] == line["round"]:
                yield f"{life.voter}-{life.number} has not acted on {line}"
            here = [one["election"] for one in life.told("begin")]
            if line["election"] in here and line["election"] not in ended:
                yield f"{life.voter}-{life.number} has not ended to act on {line}"
