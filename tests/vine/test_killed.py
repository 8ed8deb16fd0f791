"""Elections of processes that are killed: in the middle of acting, of a commit, of signing up."""

from __future__ import annotations

import json
import logging
import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.vine import killing
from tests.vine.killing import Crowd
from tests.vine.test_processes import ELECTING, THE_CALL, THE_END, Program
from tests.vine.test_processes import run as run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and standing still are signals")

KINDS = ["memory", "named", "gathered"]

Gather = Callable[..., Crowd]


@pytest.fixture
def gather(tmp_path: Path) -> Iterator[Gather]:
    """Begins a crowd; its files stay where they are."""
    made: list[Crowd] = []

    def begin(kind: str, size: int = 3, seed: int = 1, planted: str = "") -> Crowd:
        made.append(Crowd(tmp_path, kind, size, seed, planted))
        made[-1].start_all()
        return made[-1]

    yield begin
    for crowd in made:
        crowd.end()


def fight(crowd: Crowd, topics: int) -> dict[str, int]:
    crowd.fight(topics)
    crowd.settle()
    figures = crowd.figures()
    (crowd.path / "figures.json").write_text(json.dumps(figures))
    where = (crowd.kind, crowd.size, crowd.seed)
    logging.getLogger("tests").info("%s: %s", where, figures)
    return figures


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_one_acts_whoever_is_killed_and_whenever(gather: Gather, kind: str) -> None:
    crowd = gather(kind)
    figures = fight(crowd, 50)
    assert not crowd.verdict(), crowd.verdict()
    assert figures["elections"] >= 5  # without disks a kill may take most of them with it
    assert figures["restarts"]


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("size", [3, 4, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_elections_among_the_killed(gather: Gather, kind: str, size: int) -> None:
    crowd = gather(kind, size, seed=size)
    figures = fight(crowd, 800)
    assert not crowd.verdict(), crowd.verdict()
    assert figures["elections"] >= 100
    assert figures["kills inside callbacks"]


# What is looked for is found.


@pytest.mark.parametrize(
    ("planted", "kind", "said"),
    [
        ("everybody acts", "memory", "acted on more than once"),
        ("everybody acts", "named", "acted on another's"),
        ("forgets that it acted", "gathered", "acted on more than once"),
        ("forgets what it began", "named", "does not know that it was interrupted"),
        ("hears of no end", "memory", "never heard the end"),
    ],
)
def test_a_planted_bug_is_found(
    gather: Gather, monkeypatch: pytest.MonkeyPatch, planted: str, kind: str, said: str
) -> None:
    crowd = gather(kind, planted=planted)
    if planted in ("hears of no end", "forgets what it began"):
        monkeypatch.setattr(killing, "SETTLE_SECONDS", 3.0)  # what never comes is not waited for
    crowd.call(10)
    if planted.startswith("forgets"):
        for process in crowd.running.values():
            process.armed = True
        # Without the first that dies the others may have no electorate, unless it is named.
        enough = 2 if kind == "named" else 1
        assert crowd.pump(killing.PATIENCE, lambda: crowd.kills >= enough)
    crowd.settle()
    assert said in crowd.verdict()


# Liveness.


@pytest.mark.parametrize(
    "seconds", [3.0, pytest.param(60.0, marks=[pytest.mark.soak, pytest.mark.timeout(180)])]
)
def test_the_example_of_the_readme_with_the_second_a_good_while_later(
    run: Callable[..., Program], seconds: float
) -> None:
    end = THE_END.replace("60", f"{seconds + 60}")
    call = THE_CALL.replace("listen(8000)", "listen()") + end
    source = ELECTING + "vine.listen()\nprint(vine.address[1])\n"
    first = run(source + call.replace("vine.listen()", "vine"), interactive=True)
    port = int(first.line().removeprefix(">>> "))
    assert not select.select([first.process.stdout], [], [], seconds)[0]
    second = run(
        ELECTING + call.replace("vine.listen()", f"vine.listen().join({port})"), interactive=True
    )
    ends = []
    for program in (first, second):
        while "closed" not in program.output:
            program.line()
        ends.append("closed True" in program.output)
    assert sorted(ends) == [False, True]
    acting = (first, second)[ends.index(True)]
    while "quorum email" not in acting.output:
        acting.line()
    assert "quorum" not in (first, second)[ends.index(False)].output


def has_said(crowd: Crowd, line: str, voters: str) -> Callable[[], bool]:
    def look() -> bool:
        return all(voter in crowd.running and line in crowd.running[voter].said for voter in voters)

    return look


def close(crowd: Crowd) -> None:
    """All call and vote until it is over."""
    crowd.settle()
    assert not crowd.verdict(), crowd.verdict()


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_a_rolling_restart_of_all_who_called_blocks_no_topic(gather: Gather, rounds: int) -> None:
    crowd = gather("memory")
    crowd.order_all("ask 1 60")
    assert crowd.pump(killing.PATIENCE, has_said(crowd, "asked 1", "abc"))
    for voter in crowd.names * rounds:
        leaving = crowd.running[voter]
        leaving.order("leave")
        assert crowd.pump(killing.PATIENCE, lambda one=leaving: "left" in one.said)
        crowd.kill(leaving)
        crowd.start(voter).order("ask 1 60")
        assert crowd.pump(killing.PATIENCE, has_said(crowd, "asked 1", voter))
    crowd.topics = 2
    close(crowd)


STEPS = [
    *[("_form", "after"), ("on_sign", "after"), ("_bind", "before"), ("_bind", "after")],
    *[("_gather", "before"), ("_gather", "after"), ("on_sign", "before"), ("on_signed", "before")],
    *[("on_signed", "after"), ("on_formed", "before"), ("on_formed", "after")],
]


@pytest.mark.parametrize(
    "steps",
    [STEPS[:1], pytest.param(STEPS[1:], marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
    ids=["one", "others"],
)
@pytest.mark.parametrize("kind", ["memory", "gathered"])
def test_a_caller_killed_at_any_step_of_signing_up_blocks_no_topic(
    gather: Gather, kind: str, steps: list[tuple[str, str]]
) -> None:
    crowd = gather(kind)
    for step in steps:
        crowd.kill(crowd.running["c"])
        victim = crowd.start("c", dies=step)
        assert crowd.pump(killing.PATIENCE, lambda one=victim: one.port)
        crowd.call(20)  # so many that it gathers one of them, and does not gather another
        assert crowd.pump(killing.PATIENCE, lambda one=victim: crowd.running.get("c") is not one)
        crowd.start_all()
        crowd.rest()
    close(crowd)
