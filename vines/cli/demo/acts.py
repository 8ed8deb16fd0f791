"""The acts of the demo, in order; each is a function that gets the stage.

An act relies on what the ones before it have left.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from vines.cli.demo import checks
from vines.cli.demo.cast import Actor
from vines.cli.demo.stage import Stage
from vines.cli.output import shown
from vines.cli.stories import address_text

APPLE, BIRCH, CEDAR = "apple", "birch", "cedar"
KEY, VALUE, LATER_VALUE = "foo", "hello, world", "hello again"
AWAY_KEY, AWAY_VALUE = "news", "cedar was away"
TOPICS: Final = tuple(f"job/{number:02}" for number in range(20))
ROUND_KEYS: Final = tuple(f"round/{number:03}" for number in range(100))


class Act(NamedTuple):
    """One thing that is shown."""

    title: str
    play: Callable[[Stage], None]


def meet(stage: Stage) -> None:
    """Three processes start; all that two of them know is where the third listens."""
    apple, birch, cedar = everybody = [_start(stage, name) for name in (APPLE, BIRCH, CEDAR)]
    stage.screen.fact("apple, birch, cedar: vine = Vine().listen()")
    for actor in everybody:
        stage.claim(f"{actor.name} listens", partial(checks.listens, actor))
    for actor in (birch, cedar):
        _join(stage, actor, apple)
    for actor in everybody:
        _claim_sees_others(stage, actor)


def write(stage: Stage) -> None:
    """One writes, the others are called back."""
    apple = stage.actors[APPLE]
    _write(stage, apple, KEY, VALUE)
    for actor in _others(stage, apple):
        _claim_called_back(stage, apple, actor, KEY, VALUE)


def measure(stage: Stage) -> None:
    """Many more, each when the one before has arrived: so only the delay of one is measured."""
    apple = stage.actors[APPLE]
    others = _others(stage, apple)
    apple.tell("rounds", keys=ROUND_KEYS, members=len(others))
    stage.screen.fact("apple: vine.gossip(...), vine.flush(members=2), and again")
    stage.wait("apple has flushed every value", partial(apple.first, "rounded"))
    for actor in others:
        check = partial(checks.delays, apple, actor, ROUND_KEYS)
        stage.claim(f"{actor.name}: median of {len(ROUND_KEYS)} delays", check)


def kill(stage: Stage) -> None:
    """One dies without a word."""
    cedar = stage.actors[CEDAR]
    stage.screen.fact(f"cedar: kill -9 {cedar.process.pid}")
    at = cedar.kill()
    for actor in _others(stage, cedar):
        check = partial(checks.since, at, actor, "fail", id=cedar.id)
        stage.claim(f"{actor.name} is told that cedar failed", check)


def miss(stage: Stage) -> None:
    """The others go on; what is written now, cedar cannot know."""
    apple, birch = stage.actors[APPLE], stage.actors[BIRCH]
    _write(stage, birch, AWAY_KEY, AWAY_VALUE)
    _write(stage, apple, KEY, LATER_VALUE)
    _claim_called_back(stage, birch, apple, AWAY_KEY, AWAY_VALUE)
    _claim_called_back(stage, apple, birch, KEY, LATER_VALUE)


def catch_up(stage: Stage) -> None:
    """A new process with an empty memory takes the place of the dead one."""
    apple, cedar = stage.actors[APPLE], _start(stage, CEDAR)
    stage.claim("cedar listens", partial(checks.listens, cedar))
    _join(stage, cedar, apple)
    _claim_sees_others(stage, cedar)
    for key in (KEY, AWAY_KEY):
        stage.claim(f"cedar is called back with {key}", partial(checks.caught_up, cedar, [key]))
    expected = _values(stage, apple)
    check = partial(checks.caught_up, cedar, expected)
    stage.claim(f"cedar is called back with all {len(expected)} keys", check)
    found = _values(stage, cedar)
    news = {KEY: LATER_VALUE, AWAY_KEY: AWAY_VALUE}
    stage.require("cedar has what was written meanwhile", news.items() <= found.items())
    stage.require("cedar has exactly what apple has", found == expected)


def delete(stage: Stage) -> None:
    """What one deletes is gone everywhere."""
    cedar = stage.actors[CEDAR]
    cedar.tell("erase", key=KEY)
    stage.screen.fact(f'cedar: vine.delete("{KEY}")')
    erased = stage.wait("cedar deletes", partial(cedar.first, "erased", key=KEY))
    for actor in _others(stage, cedar):
        check = partial(checks.since, erased["at"], actor, "delete", key=KEY)
        stage.claim(f"{actor.name} is told that {KEY} is deleted", check)
    left = [actor.name for actor in stage.actors.values() if KEY in _values(stage, actor)]
    stage.require(f"nobody has {KEY} any more", not left)


def decide(stage: Stage) -> None:
    """All call for the same elections at once; of each, one is called back to act."""
    everybody = list(stage.actors.values())
    for actor in everybody:
        actor.tell("elect", topics=TOPICS, total=len(everybody))
    stage.screen.fact(
        f"all: vine.election(topic=..., total=3).vote(..., True), {len(TOPICS)} times"
    )
    check = partial(checks.elected, everybody, TOPICS)
    stage.claim(f"{len(TOPICS)} outcomes, the same at all, and one acts on each", check)


def leave(stage: Stage) -> None:
    """To go with a word is something else than to die."""
    cedar = stage.actors[CEDAR]
    cedar.dismissed = True
    cedar.tell("leave")
    stage.screen.fact("cedar: vine.leave()")
    for actor in _others(stage, cedar):
        text = f"{actor.name} is told that cedar left, not that it failed"
        stage.claim(text, partial(checks.left, cedar, actor))


ACTS: Final = (
    Act("Three processes find each other through one seed", meet),
    Act("One writes, the others are called back", write),
    Act("A hundred more, one at a time", measure),
    Act("One is killed, and the others notice", kill),
    Act("Life goes on without it", miss),
    Act("It starts again, knows nothing, and catches up", catch_up),
    Act("One deletes, and it is gone everywhere", delete),
    Act("They decide, and exactly one acts", decide),
    Act("One leaves, and says so", leave),
)


def _others(stage: Stage, actor: Actor) -> list[Actor]:
    """Everybody else who is there."""
    return [one for one in stage.actors.values() if one is not actor and not one.dismissed]


def _start(stage: Stage, name: str) -> Actor:
    actor = stage.enter(name)
    actor.tell("listen")
    return actor


def _join(stage: Stage, actor: Actor, seed: Actor) -> None:
    listening = seed.first("listening")
    assert listening is not None, "it was waited for"
    address = address_text(listening["address"])
    actor.tell("join", seed=address)
    stage.screen.fact(f'{actor.name}: vine.join("{address}")')


def _write(stage: Stage, actor: Actor, key: str, value: str) -> None:
    actor.tell("write", key=key, value=value)
    stage.screen.fact(f'{actor.name}: vine.gossip("{key}", {shown(value)})')


def _values(stage: Stage, actor: Actor) -> dict[str, Any]:
    """All that somebody has now."""
    answers = len(actor.heard.get("keys", ()))
    actor.tell("look")

    def answer() -> dict[str, Any] | None:
        reports = actor.heard.get("keys", [])
        return reports[answers]["values"] if len(reports) > answers else None

    return stage.wait(f"{actor.name} says what it has", answer)


def _claim_sees_others(stage: Stage, actor: Actor) -> None:
    others = _others(stage, actor)
    names = " and ".join(other.name for other in others)
    stage.claim(f"{actor.name} sees {names}", partial(checks.sees, actor, others))


def _claim_called_back(stage: Stage, writer: Actor, actor: Actor, key: str, value: str) -> None:
    check = partial(checks.called_back, writer, actor, key, value)
    stage.claim(f"{actor.name} is called back with {key} = {shown(value)}", check)
