"""`vote`, `elections` and `once`: to take part in an election, to look at them, and to run a
command on one machine of many.

Who votes is a member like any other for as long as it takes; who only looks observes. `once` is an
election whose owner runs the command and publishes how that ended as a key, which the others wait
for: an outcome says who acts, the key says what came of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final

from vines import Outcome, Vine
from vines.cli.connecting import NOTICE_SECONDS, connected, join, label_of, taking_leave
from vines.cli.exits import DONE, LOST, NO, NOBODY, SIGNALLED, UNREACHED, USAGE, Failure, Terminated
from vines.cli.following import Following
from vines.cli.output import Output, complain, is_terminal, shown, shown_key
from vines.cli.stories import choice_text, outcome_fields
from vines.errors import TimedOut, VoteRefused
from vines.events import ALIVE
from vines.spelling import NODE_ID_BYTES
from vines.voting import check_topic

GRACE_SECONDS: Final = 5.0
"""Beyond the deadline, for the outcome to be decided and to get here."""
MISSING_SECONDS: Final = 2.0
"""After the one that runs the command is gone, for its result to get here all the same."""
LOOK_SECONDS: Final = 0.5
"""Between two looks whether the one that runs the command is still there."""
RESULTS: Final = "once/"
"""How the keys begin under which results are published."""
RESULT_SECONDS: Final = 30 * 86400
"""How long a result is kept for those who ask for the same run later: every night leaves one."""
NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127
"""What shells say of commands that cannot be started."""

WORDS: Final = {"yes": True, "no": False, "abstain": None}


def vote(arguments: Namespace, output: Output) -> int:
    """Call for an election and vote in it; print its outcome."""
    choices = arguments.choices.split(",") if arguments.choices else []
    choice: Any = arguments.choice
    if not choices or choice == "abstain":
        if choice not in WORDS:
            raise Failure(USAGE, f"{choice!r} is nothing to vote for: say yes, no or abstain")
        choice = WORDS[choice]
    elif choice not in choices:
        raise Failure(USAGE, f"{choice!r} is none of the choices: {arguments.choices}")
    call = _checked(arguments, arguments.topic, choices)
    conflicts: list[str] = []
    with _member(arguments, conflicts) as vine:
        vine.election(call).vote(arguments.topic, choice)
        outcome = _outcome(vine, arguments, arguments.topic, conflicts)
        output.line(_words(outcome), **outcome_fields(outcome))
        _hand_over(vine)
    return DONE if outcome.kind == "commit" else NO


def elections(arguments: Namespace, output: Output) -> int:
    """Print the outcomes that are known, perhaps then those to come."""
    following = Following(output)
    with connected(arguments) as vine:
        if arguments.watch:
            following.events(vine, "closed")
            return following.wait()
        found = vine.elections()
    if output.as_json:
        for outcome in found:
            output.line("", **outcome_fields(outcome))
    else:
        rows: list[tuple[str, ...]] = [
            (shown_key(each.topic), each.kind, choice_text(each), _who(each)) for each in found
        ]
        output.table(("TOPIC", "OUTCOME", "CHOICE", "OWNER"), rows)
    return DONE


def once(arguments: Namespace, output: Output) -> int:
    """Run a command on exactly one of those who ask for this run; all end as it ended."""
    if arguments.key == "":
        raise Failure(USAGE, "the key of a run is empty: leave --key out for a job of one run")
    check_topic(arguments.topic)
    name = arguments.topic if arguments.key is None else f"{arguments.topic}/{arguments.key}"
    topic, key = RESULTS + name, RESULTS + name
    call = _checked(arguments, topic, [])
    command = _Command(arguments.words)
    results: list[Any] = []
    published = threading.Event()

    def heard(value: Any) -> None:
        results.append(value)
        published.set()

    conflicts: list[str] = []
    with _member(arguments, conflicts) as vine:

        def run(outcome: Outcome) -> None:
            # Here, not where it is waited for: until this returns it counts as interrupted.
            if outcome.topic == topic:
                code = command.run()
                result = {"exit": code, "by": vine.name, "topic": arguments.topic}
                vine.gossip(key, result, ttl=RESULT_SECONDS)
                heard({"exit": code})

        before = vine.outcome(topic)
        vine.on("gossip", key, lambda value: None if command.begun.is_set() else heard(value))
        vine.on("quorum", run)
        with command.signalled(published):
            vine.election(call)
            with contextlib.suppress(VoteRefused):  # it has been decided before
                vine.vote(topic, True)
            outcome = _outcome(vine, arguments, topic, conflicts)
            if outcome.kind != "commit":
                raise Failure(NOBODY, f"nobody was chosen to run {name!r}: {outcome.kind}")
            if outcome.owner != vine.id:
                return _result(vine, outcome, results, published, output, name)
            if before is not None and not command.begun.wait(MISSING_SECONDS) and not results:
                text = f"an earlier start of this one was to run {name!r}, {_end(vine)}"
                raise Failure(LOST, text)
            published.wait()
        _hand_over(vine)
        return int(results[0]["exit"])


def _end(vine: Vine) -> str:
    if any(outcome.owner == vine.id for outcome in vine.interrupted()):
        return "and did not come to its end"
    return "and nobody knows any more how it ended"


class _Command:
    """What `once` runs, in the thread that calls back."""

    def __init__(self, words: list[str]) -> None:
        self.begun = threading.Event()
        self._words = words
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._kept_from = 0
        """The number of the signal that came before it was started."""

    def run(self) -> int:
        """Run it to its end; the exit code, as a shell would say it."""
        with self._starting:
            self.begun.set()
            if self._kept_from:
                return SIGNALLED + self._kept_from
            try:
                self._process = subprocess.Popen(self._words)
            except OSError as error:
                complain(f"vines once: {self._words[0]}: {error.strerror}")
                return NOT_EXECUTABLE if isinstance(error, PermissionError) else NOT_FOUND
        code = self._process.wait()
        return code if code >= 0 else SIGNALLED - code

    @contextlib.contextmanager
    def signalled(self, published: threading.Event) -> Iterator[None]:
        """A signal that comes once it has begun is for the command: its end is waited for, and
        published, as if it had come to it by itself. The second is for us.
        """
        try:
            yield
        except (KeyboardInterrupt, Terminated) as signalled:
            number = signalled.number if isinstance(signalled, Terminated) else signal.SIGINT
            with self._starting:
                if not self.begun.is_set():
                    self._kept_from = number
                    raise
            # A terminal interrupts all that it has started, as every console of Windows does.
            told = number == signal.SIGINT and (os.name == "nt" or os.isatty(0))
            if self._process is not None and not told:
                self._process.send_signal(number)
            published.wait()


def _result(
    vine: Vine,
    outcome: Outcome,
    results: list[Any],
    published: threading.Event,
    output: Output,
    name: str,
) -> int:
    """How the command ended where it ran. Raises Failure if that will never be known."""
    gone_since: float | None = None
    while not published.wait(LOOK_SECONDS):
        assert outcome.owner is not None, "a commit has an owner"
        owner = vine.member(outcome.owner)
        if owner is not None and owner.state == ALIVE:
            gone_since = None
        elif gone_since is None:
            gone_since = time.monotonic()
        elif time.monotonic() - gone_since > MISSING_SECONDS:
            raise Failure(LOST, f"the member that was to run {name!r} went away without a result")
    value = results[0]
    code = value.get("exit") if isinstance(value, dict) else None
    if type(code) is not int or not 0 <= code <= 255:
        raise Failure(LOST, f"the result of {name!r} makes no sense: {shown(value)}")
    output.line(f"{shown_key(name)} was run by {shown(value.get('by'))}, exit {code}", **value)
    return code


@contextlib.contextmanager
def _member(arguments: Namespace, conflicts: list[str]) -> Iterator[Vine]:
    """A member that others find, for as long as it takes. `conflicts`: for what callers have to
    settle among each other.
    """
    label = label_of(arguments)
    who: dict[str, Any] = {"data_dir": arguments.data_dir}
    if arguments.data_dir is None:
        # Another one each time: what was promised before is not known here.
        name = f"vines-{arguments.command}-{os.getpid()}"
        who = {"name": name, "node_id": os.urandom(NODE_ID_BYTES), "data_dir": ""}
    insecure = arguments.insecure or None
    with Vine(cluster=label, insecure=insecure, **who) as vine, taking_leave(vine):
        vine.on("conflict", lambda event: conflicts.append(event.text))
        vine.listen(0)
        join(vine, arguments, label)
        yield vine


def _checked(arguments: Namespace, topic: str, choices: list[str]) -> dict[str, Any]:
    """What to call for. Raises InvalidElection, before anybody is met."""
    from vines.calls import call_of  # as costly as vines itself, and no use to those who only look

    options: dict[str, Any] = {"total": arguments.total, "choices": choices}
    if arguments.min is not None:
        options["min"] = arguments.min
    options["expire"] = arguments.expire
    call_of(options)
    return {"topic": check_topic(topic), **options}


def _outcome(vine: Vine, arguments: Namespace, topic: str, conflicts: list[str]) -> Outcome:
    limit = arguments.expire + GRACE_SECONDS
    if sys.stderr is not None and is_terminal(sys.stderr):
        with contextlib.suppress(TimedOut):
            return vine.wait(topic, NOTICE_SECONDS)
        print(
            f"vines {arguments.command}: waiting; {_missing(vine, arguments.total)} ...",
            file=sys.stderr,
        )
        limit -= NOTICE_SECONDS
    try:
        return vine.wait(topic, limit)
    except TimedOut:
        text = f"no outcome within {arguments.expire:g} s; {_missing(vine, arguments.total)}"
        text = "; ".join([text, *conflicts])
        raise Failure(UNREACHED if _here(vine) == 1 else NOBODY, text) from None


def _here(vine: Vine) -> int:
    """Members that could have called: who only looks is none of them."""
    return sum(not each.observer for each in vine.members())


def _missing(vine: Vine, total: int) -> str:
    here = _here(vine)
    if here < total:
        return f"{here} of {total} are here"
    return f"{total} have to call for it, of {here} who are here"


def _hand_over(vine: Vine) -> None:
    """Let another have what was decided and published, if there is one; leaving does the rest."""
    if any(not one.local and not one.observer for one in vine.members()):
        with contextlib.suppress(TimedOut):
            vine.flush(GRACE_SECONDS)


def _who(outcome: Outcome) -> str:
    if isinstance(outcome.owner, str):
        return shown_key(outcome.owner)
    return "-" if outcome.owner is None else outcome.owner.hex()[:8]


_WORDS: Final = {choice: word for word, choice in WORDS.items()}


def _words(outcome: Outcome) -> str:
    counts: dict[str, int] = {}
    for each in outcome.votes.values():
        word = shown_key(each) if isinstance(each, str) else _WORDS[each]
        counts[word] = counts.get(word, 0) + 1
    votes = ", ".join(f"{word} {count}" for word, count in sorted(counts.items())) or "no votes"
    return f"{shown_key(outcome.topic)}: {outcome.kind} {choice_text(outcome)} ({votes})"
