"""`vote`, `elections`, `once`: as processes on one host that find each other by themselves."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import COMMAND, SECONDS, run
from vines import Outcome, Vine
from vines.cli import main
from vines.cli.electing import _words

posix = pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ends(*processes: subprocess.Popen[str]) -> list[tuple[int, str, str]]:
    """Exit code, output and complaints of each."""
    found = []
    for process in processes:
        out, err = process.communicate(timeout=SECONDS)
        found.append((process.returncode, out, err))
    return found


def once(mark: Path, *more: str, key: str = "", total: int = 3, code: int = 0) -> list[str]:
    """A command line whose command leaves a line in a file."""
    script = f"open({str(mark)!r}, 'a').write('ran\\n'); raise SystemExit({code})"
    run_key = ["--key", key] if key else []
    options = ["--total", str(total), "--expire", "20", *more]
    return ["once", "job", *run_key, *options, "--", sys.executable, "-c", script]


def test_a_vote_prints_the_outcome_at_all_who_voted() -> None:
    words = ["vote", "lunch", "yes", "--total", "3", "--json"]
    found = ends(*[start(*words) for _ in range(3)])
    assert [code for code, _, _ in found] == [0, 0, 0], found
    outcomes = [json.loads(out) for _, out, _ in found]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert (outcomes[0]["outcome"], outcomes[0]["choice"]) == ("commit", True)


def test_a_vote_that_does_not_win_says_no() -> None:
    found = ends(*[start("vote", "lunch", word, "--total", "2") for word in ("yes", "no")])
    assert [code for code, _, _ in found] == [1, 1]
    assert all("lunch: abort - (" in out for _, out, _ in found)


@posix
def test_who_waits_at_a_terminal_is_told_for_how_many() -> None:
    import pty

    ours, theirs = pty.openpty()
    words = ["vote", "lunch", "yes", "--total", "2", "--expire", "60"]
    with subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "vt"},
    ) as vote:
        os.close(theirs)
        try:
            assert os.read(ours, 1000) == b"vines vote: waiting; 1 of 2 are here ...\r\n"
            ((code, _, _),) = ends(start(*words))
            assert code == 0
            assert vote.wait(SECONDS) == 0
        finally:
            vote.kill()
            os.close(ours)


def test_choices_can_be_voted_for() -> None:
    words = ["vote", "lunch", "soup", "--choices", "soup,salad", "--total", "2"]
    found = ends(start(*words), start(*words))
    assert [out for _, out, _ in found] == ["lunch: commit soup (soup 2)\n"] * 2


def test_no_choice_of_another_can_steer_a_terminal() -> None:
    """Who gathered the voters says what there was to vote for."""
    votes: dict[bytes | str, bool | str | None] = {bytes(16): "\x1b]0;title\x07", bytes(15): True}
    what = {"topic": "lunch", "round": 0, "election": bytes(16), "kind": "abort"}
    outcome = Outcome(**what, choice=None, owner=None, votes=votes)
    assert _words(outcome) == 'lunch: abort - ("\\u001b]0;title\\u0007" 1, yes 1)'


def test_elections_prints_what_was_decided(apple: Vine, capsys: pytest.CaptureFixture[str]) -> None:
    apple.election(topic="a topic", expire=60, total=1).vote("a topic", True)
    apple.wait("a topic", SECONDS)
    assert main(["elections"]) == 0
    topic, kind, choice, owner = capsys.readouterr().out.strip().split("\t")
    assert (topic, kind, choice) == ("a topic", "commit", "yes")
    assert owner == apple.id.hex()[:8]
    assert main(["elections", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["topic"] == "a topic"


@pytest.mark.parametrize("code", [0, 3])
def test_exactly_one_runs_the_command_and_all_end_as_it_ended(tmp_path: Path, code: int) -> None:
    mark = tmp_path / "mark"
    found = ends(*[start(*once(mark, code=code)) for _ in range(3)])
    assert [one for one, _, _ in found] == [code] * 3, found
    assert mark.read_text() == "ran\n"


def test_another_key_runs_again_with_a_member_alive_in_between(apple: Vine, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for night in ("monday", "tuesday"):
        found = ends(*[start(*once(mark, key=night, total=2)) for _ in range(2)])
        assert [code for code, _, _ in found] == [0, 0], found
    assert mark.read_text() == "ran\n" * 2
    late = run(*once(mark, key="tuesday", total=2))
    assert late.returncode == 0
    assert "was run by" in late.stdout
    assert mark.read_text() == "ran\n" * 2
    assert set(apple.keys("once/")) == {"once/job/monday", "once/job/tuesday"}


def test_a_command_that_cannot_be_started_ends_as_in_a_shell() -> None:
    for command, code in (("/no/such/command", 127), (os.path.dirname(sys.executable), 126)):
        done = run("once", "job", "--total", "1", "--", command)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(f"vines once: {command}: ")
        assert len(done.stderr.splitlines()) == 1


def test_too_few_run_nothing_and_say_so(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    done = run(*once(mark, "--expire", "0.2", total=2))
    assert done.returncode == 3
    assert "1 of 2 are here" in done.stderr
    assert not mark.exists()


def test_who_asks_for_other_totals_is_told_so(apple: Vine, tmp_path: Path) -> None:
    apple.election(topic="once/job", total=3, expire=20)
    done = run(*once(tmp_path / "mark", "--expire", "1", total=2))
    assert done.returncode == 6
    other = apple.id.hex()[:8]
    assert f"called among 2 here, among another number by {other}" in done.stderr


def test_who_only_looks_or_does_not_call_is_not_counted(apple: Vine) -> None:
    with Vine("watcher", "vines", observer=True) as watcher:
        watcher.listen(0, "127.0.0.1")
        done = run("vote", "lunch", "yes", "--total", "2", "--expire", "0.2")
        assert done.returncode == 6
        assert "2 have to call for it, of 2 who are here" in done.stderr


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_for_the_command_and_all_end_as_it_then_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = (
        "import os, signal, sys; signal.signal(int(sys.argv[2]), lambda *_: sys.exit(9));"
        " open(sys.argv[1], 'w').write(str(os.getppid())); signal.pause()"
    )
    words = [sys.executable, "-c", script, str(fifo), str(int(number))]
    both = [start("once", "job", "--total", "2", "--", *words) for _ in range(2)]
    runner = int(fifo.read_text())
    os.kill(runner, number)
    assert [code for code, _, _ in ends(*both)] == [9, 9]


@posix
def test_who_is_told_to_end_before_it_was_elected_leaves(apple: Vine) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in ("join", "suspect", "fail", "leave"):
        apple.on(name, lambda event, name=name: told.put(name))
    waiting = start("once", "job", "--total", "3", "--", "true")
    assert told.get(timeout=SECONDS) == "join"
    waiting.send_signal(signal.SIGTERM)
    assert [code for code, _, _ in ends(waiting)] == [143]
    assert told.get(timeout=SECONDS) == "leave"


def test_what_makes_no_sense_is_found_before_anybody_is_met(apple: Vine) -> None:
    for words in (["soup", "--choices", "soup,,salad"], ["yes", "--min", "4"]):
        done = run("vote", "lunch", *words, "--total", "3")
        assert done.returncode == 2, done.stderr
    assert apple.stats()["loop"]["accepted"] == 0


def test_the_others_say_so_when_the_one_that_runs_it_dies(tmp_path: Path) -> None:
    script = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    words = ["once", "job", "--total", "3", "--", sys.executable, "-c", script]
    found = ends(*[start(*words) for _ in range(3)])
    assert sorted(code for code, _, _ in found) == [-9, 7, 7], found
    assert sum("went away without a result" in err for _, _, err in found) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["vote", "lunch", "maybe", "--total", "1"], 2),
        (["vote", "", "yes", "--total", "1"], 2),
        (["vote", "lunch", "yes", "--total", "0"], 2),
        (["vote", "lunch", "yes", "--total", "2", "--min", "3"], 2),
        (["vote", "lunch", "tea", "--choices", "soup,salad", "--total", "1"], 2),
        (["vote", "lunch", "yes"], 2),
        (["once", "job", "--total", "1"], 2),
        (["once", "job", "--key", "", "--total", "1", "--", "true"], 2),
        (["once", "", "--total", "1", "--", "true"], 2),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], code: int) -> None:
    done = run(*words)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1


def test_a_directory_makes_a_machine_one_voter_however_often_it_is_started(tmp_path: Path) -> None:
    """The one that ran is started again: it does not run again, and says what it knows."""
    mark = tmp_path / "mark"
    words = once(mark, "--data-dir", str(tmp_path / "data"), total=1)
    assert [code for code, _, _ in ends(start(*words))] == [0]
    ((code, _, complaint),) = ends(start(*words))
    assert code == 7
    assert "nobody knows any more how it ended" in complaint
    assert mark.read_text() == "ran\n"


def test_a_machine_that_died_in_the_command_says_so_when_it_is_started_again(
    tmp_path: Path,
) -> None:
    fifo, words = tmp_path / "fifo", ["--data-dir", str(tmp_path / "data"), "--total", "1"]
    os.mkfifo(fifo)
    script = f"open({str(fifo)!r}, 'w').write('x'); open({str(fifo)!r}).read()"
    command = ["once", "job", *words, "--", sys.executable, "-c", script]
    first = subprocess.Popen([*COMMAND, *command], stdout=subprocess.DEVNULL)
    assert fifo.read_text() == "x"
    first.kill()
    first.wait()
    ((code, _, complaint),) = ends(start(*command))
    fifo.write_text("")  # the command has lived on; now it ends
    assert code == 7
    assert "did not come to its end" in complaint


def test_a_directory_that_cannot_be_trusted_is_a_clear_failure(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no directory")
    ((code, _, complaint),) = ends(
        start("vote", "lunch", "yes", "--total", "1", "--data-dir", str(tmp_path / "data"))
    )
    assert code == 5
    assert "data" in complaint
    assert complaint.count("\n") <= 2


def test_who_only_looks_leaves_the_directory_of_the_environment_alone(
    apple: Vine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VINES_DATA_DIR", str(tmp_path / "data"))
    assert main(["elections"]) == 0
    assert main(["get", "nothing"]) == 1
    assert not (tmp_path / "data").exists()
