"""Elections, in the caller's thread: what is asked for is understood and checked here.

What a call means is settled before anything changes; the rest happens where the node lives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from vines.checks import check_timeout
from vines.engine.engine import Engine
from vines.errors import InvalidElection, VoteRefused, shortened
from vines.events import Outcome
from vines.hints import TYPE_CHECKING, Any, Self, TypeAlias
from vines.spelling import TOPIC_BYTES_MAX, is_topic

if TYPE_CHECKING:
    from vines.protocol.elections.call import Call

_OPTIONS = {"topic", "total", "voters", "min", "expire", "choices", "plurality"}
_OPTIONS |= {"council", "tiebreak"}

_Choice: TypeAlias = bool | str | None
_CHOICES = frozenset((bool, str, type(None)))


class Voting:
    """Elections: votes, one decision, and one member that acts on it."""

    _engine: Engine

    def election(self, options: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Call for an election; a mapping and keywords both work.

        `topic`: what it is about, the same at all who call. `total`: so many callers make an
        electorate; it is gathered as soon as there are. Or `voters`: who they are, a list of names
        (str) or ids (bytes), or a mapping of them to their weights, the same at all who call; a
        voter that is named has to have a data directory. `min`: the votes that decide, or their
        weight, by default more than half. `expire`: when it is over if nothing was decided:
        seconds, a timedelta, a datetime with a time zone, or such a one as ISO text. `choices`:
        texts to vote for; without them it is on True or False. `plurality`: the most votes win, at
        the end or once all voted. `council`: so many of the voters, drawn by the topic, decide
        what the votes of all come to. `tiebreak`: with an even number, half can decide if a voter
        drawn by the topic is among them.

        Exactly one member is told `quorum`, if a choice got `min` votes; all are told `closed`.
        A topic that was decided stays so: calling it again changes nothing (but see `rerun`).
        An observer can call among named voters alone. Raises InvalidElection, StorageError, Closed.
        """
        if options is None:
            given = more
        elif isinstance(options, Mapping):
            given = {**options, **more}
        else:
            raise InvalidElection(
                "election(topic=..., ...) takes keywords or a mapping of them; nothing changed"
            )
        if not given.keys() <= _OPTIONS:
            unknown = ", ".join(sorted(map(shortened, given.keys() - _OPTIONS)))
            known = ", ".join(sorted(_OPTIONS))
            raise InvalidElection(
                f"an election has no option {unknown}: it has {known}; nothing changed"
            )
        topic = check_topic(given.pop("topic", None))
        call = _call_of()(given)
        if call.total and self._engine.config.observer:
            raise InvalidElection(
                "an observer is none of those who call among a total; nothing changed: wait(topic)"
                " gives the outcome"
            )
        self._engine.electing.call(topic, call)
        return self

    def rerun(self, topic: str, abandon: bool = False) -> Self:
        """Call for the next round of a topic that was decided, with the same options as before. All
        who call for it before it is decided are in the same round; each votes anew.

        `abandon`: also if the last round is undecided, as its voters may never come back. That one
        may still be decided: then both are acted on. Raises InvalidElection if the topic was not
        called here, or is undecided; StorageError, Closed.
        """
        if not isinstance(abandon, bool):
            raise InvalidElection("abandon is True or False; nothing changed")
        self._engine.rerun(check_topic(topic), abandon)
        return self

    def interrupted(self) -> list[Outcome]:
        """Outcomes this node began to act on before it was started again, without coming to the
        end: it is for its user to find out how far that went. Only with a data directory.
        """
        return self._engine.interrupted()

    def vote(self, topic: str, choice: bool | str | None) -> Self:
        """Vote: True, False, one of the choices, or None for none of them. A vote may be changed
        until a result was accepted here; True, False and None may come before the call. The first
        vote on what is decided already is not counted, and no error: the others were quicker.

        Raises VoteRefused if it is too late to change a vote, if time is up, or if this node is
        none of the voters; InvalidElection for what is no choice; StorageError, Closed.
        """
        if type(choice) not in _CHOICES and not isinstance(choice, _Choice):
            raise InvalidElection(f"{shortened(choice)} is nothing to vote for; nothing changed")
        electing = self._engine.electing
        if not electing.vote(topic if electing.knows(topic) else check_topic(topic), choice):
            raise VoteRefused(f"it is too late for a vote on {topic!r}; nothing changed")
        return self

    def wait(self, topic: str, timeout: float | None = None) -> Outcome:
        """The outcome of a topic, as soon as it is known here: of the round called last.

        Raises TimedOut after `timeout` seconds (None: never), NotListening before the first listen
        or join, InvalidElection, InvalidArgument, Closed.
        """
        return self._engine.wait_outcome(check_topic(topic), check_timeout(timeout))

    def outcome(self, topic: str) -> Outcome | None:
        """The outcome of a topic if it is known here."""
        return self._engine.outcome(check_topic(topic))

    def elections(self) -> list[Outcome]:
        """The outcomes known here, by topic."""
        return sorted(self._engine.outcomes(), key=lambda outcome: outcome.topic)


def check_topic(topic: Any) -> str:
    """Raises InvalidElection for what is no topic."""
    if not is_topic(topic):
        raise InvalidElection(
            f"a topic is text of 1 to {TOPIC_BYTES_MAX} bytes without control characters, not"
            f" {shortened(topic)}; nothing changed"
        )
    return topic


@cache
def _call_of() -> Callable[[Mapping[str, Any]], Call]:
    """What understands options. Loaded when it is first used: most programs call for nothing."""
    from vines.calls import call_of

    return call_of
