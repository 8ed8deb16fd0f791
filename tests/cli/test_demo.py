"""The demo shows what it says; and whatever does not happen, it does not claim."""

from __future__ import annotations

import io
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.terminal import SECONDS, Terminal, run
from tests.cli.troupe import Fault, Puppet, Troupe
from vines.cli.demo import perform
from vines.cli.demo.acts import ACTS, Act
from vines.cli.demo.cast import Cast
from vines.cli.demo.screen import Measured, Screen, duration
from vines.cli.demo.stage import Stage
from vines.cli.output import Output

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def play(troupe: Cast, acts: tuple[Act, ...] = ACTS, *, seconds: float = 5.0) -> list[str]:
    """What is printed of some acts; the summary's verdict is the last line."""
    pipe = io.StringIO()
    screen = Screen(Output(as_json=False, stream=pipe))
    with troupe:
        stage = Stage(troupe, screen, seconds)
        perform(acts, stage)
    screen.summary(stage.rows, [act.title for act in acts[len(stage.rows) :]], 1.0)
    return pipe.getvalue().splitlines()


def missed(lines: list[str]) -> list[str]:
    """The claims that did not come true, as the summary and the line of the claim say."""
    return [line for line in lines if line.startswith("  NO")]


def test_demo_with_real_processes_shows_all_it_says() -> None:
    ended = run("demo", "--timeout", str(SECONDS))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.isascii()
    assert "\x1b" not in ended.stdout
    assert "\r" not in ended.stdout
    lines = ended.stdout.splitlines()
    assert missed(lines) == []
    assert any(re.search(r"ok  birch is called back with foo .* \d+\.\d\d ms$", x) for x in lines)
    assert lines[-1].startswith("All of it happened; this took ")


def test_demo_in_json_is_measured_by_the_processes() -> None:
    ended = run("demo", "--json", "--timeout", str(SECONDS))
    assert (ended.returncode, ended.stderr) == (0, "")
    *claims, summary = map(json.loads, ended.stdout.splitlines())
    assert all(claim["held"] for claim in claims)
    assert summary["held"]
    assert [act["held"] for act in summary["summary"]] == [True] * len(ACTS)
    assert sum(act["claims"] for act in summary["summary"]) == len(claims)
    measured = [claim["seconds"] for claim in claims if "seconds" in claim]
    assert len(measured) > 15
    assert all(0.0 < seconds < SECONDS for seconds in measured)


def without(name: str, event: str, serial: int | None, wanted: dict[str, Any]) -> Fault:
    """A report of an actor does not happen; with a serial, of that process under its name."""

    def fault(actor: Puppet, happening: str, fields: dict[str, Any]) -> bool:
        return (
            (actor.name, happening) == (name, event)
            and serial in (None, actor.serial)
            and wanted.items() <= fields.items()
        )

    return fault


def test_play_without_faults_has_none() -> None:
    lines = play(Troupe())
    assert missed(lines) == []
    assert lines[-1] == "All of it happened; this took 1.0 s."


@pytest.mark.parametrize(
    ("act", "name", "event", "serial", "fields"),
    [
        (1, "birch", "listening", None, {}),
        (1, "apple", "join", None, {"id": "2"}),
        (1, "cedar", "join", None, {"id": "1"}),
        (2, "birch", "gossip", None, {"key": "foo"}),
        (2, "cedar", "gossip", None, {"value": "hello, world"}),
        (3, "birch", "gossip", None, {"key": "round/099"}),
        (3, "cedar", "gossip", None, {"key": "round/000"}),
        (3, "apple", "rounded", None, {}),
        (4, "apple", "fail", None, {}),
        (4, "birch", "fail", None, {}),
        (5, "apple", "gossip", None, {"key": "news"}),
        (5, "birch", "gossip", None, {"value": "hello again"}),
        (6, "cedar", "listening", 3, {}),
        (6, "cedar", "join", 3, {"id": "0"}),
        (6, "cedar", "gossip", 3, {"key": "foo"}),
        (6, "cedar", "gossip", 3, {"key": "news"}),
        (6, "cedar", "gossip", 3, {"key": "round/050"}),
        (6, "cedar", "keys", 3, {}),
        (7, "apple", "delete", None, {}),
        (7, "birch", "delete", None, {}),
        (7, "birch", "erasing", None, {}),
        (8, "apple", "closed", None, {"topic": "job/07"}),
        (8, "birch", "quorum", None, {"topic": "job/01"}),
        (8, "cedar", "called", 3, {"topic": "job/00"}),
        (9, "apple", "leave", None, {}),
        (9, "birch", "leave", None, {}),
        (9, "cedar", "ended", 3, {}),
    ],
    ids=str,
)
def test_what_does_not_happen_is_not_claimed(
    act: int, name: str, event: str, serial: int | None, fields: dict[str, Any]
) -> None:
    lines = play(Troupe(without(name, event, serial, fields)), seconds=0.02)
    claim, row = missed(lines)
    assert ACTS[act - 1].title in row
    assert claim.strip()
    untried = [line for line in lines if line.startswith("  --")]
    assert len(untried) == len(ACTS) - act
    assert lines[-1] == "Not all of it happened; this took 1.0 s."


def test_old_value_after_the_restart_is_no_catching_up() -> None:
    class Forgetful(Troupe):
        def start(self, name: str) -> Puppet:
            puppet = super().start(name)
            assert isinstance(puppet, Puppet)
            if puppet.serial == 3:
                # Whoever catches up with an old replica has the keys, but not what they hold now.
                self.puppets[0].values["foo"] = self.puppets[1].values["foo"] = "hello, world"
            return puppet

    claim, _row = missed(play(Forgetful(), seconds=0.02))
    assert claim == "  NO  cedar has what was written meanwhile: it is not so"


def test_two_who_act_on_one_topic_are_seen() -> None:
    troupe = Troupe()
    troupe.twice = "job/05"
    claim, _row = missed(play(troupe, seconds=0.02))
    assert "21 acted" in claim


def test_failure_instead_of_leaving_is_seen() -> None:
    class Rude(Troupe):
        def start(self, name: str) -> Puppet:
            puppet = super().start(name)
            assert isinstance(puppet, Puppet)
            puppet.last_word = "fail"
            return puppet

    claim, _row = missed(play(Rude()))
    assert claim == "  NO  apple is told that cedar left: it heard `fail`"


def test_claim_is_given_up_when_its_time_is_over() -> None:
    never = Act("Never", lambda stage: stage.claim("it happens", lambda: None))
    claim, row = missed(play(Cast(), (never,), seconds=0.02))
    assert claim == "  NO  it happens: not seen within 0.0 s"
    assert "Never" in row


def test_process_that_dies_is_not_waited_for() -> None:
    def die(stage: Stage) -> None:
        actor = stage.enter("apple")
        actor.process.kill()
        stage.claim("it listens", lambda: None)

    claim, _row = missed(play(Cast(), (Act("Die", die),), seconds=SECONDS))
    assert claim == "  NO  it listens: apple has ended unexpectedly"


def test_order_that_a_process_cannot_carry_out_is_told() -> None:
    def ask(stage: Stage) -> None:
        actor = stage.enter("apple")
        actor.tell("write", key="", value=1)
        stage.claim("it writes", lambda: None)

    claim, _row = missed(play(Cast(), (Act("Ask", ask),), seconds=SECONDS))
    assert claim.startswith("  NO  it writes: apple: a key has 1 to 1,024 bytes")


def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    tty = Tty()
    screen = Screen(Output(as_json=False, stream=tty))
    screen.waiting("something", 0.1)  # too early to bother anybody
    screen.waiting("something", 1.25)
    screen.held("something", Measured(1_500_000))
    waiting, held = tty.getvalue().split("\r\x1b[K")[1:]
    assert waiting == f"  ... {'something':<33}"
    assert held == f"  ok  {'something':<58}{'1.50 ms':>10}\n"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(None, ""), (0, "0.00 ms"), (234_567, "0.23 ms"), (12_345_678, "12 ms"), (10**9, "1.00 s")],
)
def test_duration_has_a_unit_that_suits_it(nanoseconds: int | None, text: str) -> None:
    assert duration(nanoseconds) == text


def test_process_of_the_demo_ends_when_nobody_listens_any_more() -> None:
    command = [sys.executable, "-m", "vines.cli.demo.player", "apple"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as player:
        assert player.stdin is not None
        assert player.stdout is not None
        assert player.stderr is not None
        assert json.loads(player.stdout.readline())["event"] == "ready"
        player.stdout.close()
        player.stdin.write('["look", {}]\n')
        player.stdin.flush()
        try:
            assert player.wait(SECONDS) == 0
        finally:
            player.kill()
        assert player.stderr.read() == ""


@pytest.fixture
def processes() -> Iterator[list[int]]:
    """Handles of processes that are to end."""
    handles: list[int] = []
    yield handles
    for handle in handles:
        os.close(handle)


@posix
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for processes of others")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_is_left_behind(number: signal.Signals, code: int, processes: list[int]) -> None:
    with Terminal("demo", "--timeout", str(SECONDS)) as demo:
        for name in ("apple", "birch", "cedar"):
            pid = int(demo.line(rf"{name} listens, .*, pid (\d+)")[1])
            assert os.getsid(pid) == pid, "it would get the Ctrl-C meant for the demo"
            processes.append(os.pidfd_open(pid))
        assert demo.end(number) == (code, "")
        for handle in processes:
            assert select.select([handle], [], [], SECONDS)[0], "a process goes on"
