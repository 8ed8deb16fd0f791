"""Commands that go on until a signal, as processes: `agent`, `watch`, `members --watch`,
`elections --watch`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.terminal import COMMAND, SECONDS, Terminal, run, seed
from vines import Vine
from vines.cli import main
from vines.cli.exits import Terminated

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@posix
def test_two_terminals() -> None:
    """What --help tells a newcomer to try, and what comes next."""
    with Terminal("agent", "--name", "apple", "--tag", "role=web") as agent:
        address = agent.line(r"listening +(127\.0\.0\.1:\d+) as apple in cluster 'vines'")[1]
        assert run("set", "greeting", "hello").stdout == 'greeting = "hello"\n'
        agent.lines(
            r"join +vines-set-\d+  observes",
            r'gossip +greeting = "hello"',
            r"leave +vines-set-\d+  observes",
        )
        with Terminal("watch", "gr*", "--join", address) as watch:
            watch.line(r'gossip +greeting = "hello"')
            assert run("set", "greeting", "5", "--join", address).returncode == 0
            watch.line(r"gossip +greeting = 5")
            assert run("delete", "greeting").stdout == "greeting deleted\n"
            watch.line(r"delete +greeting")
            assert watch.end(signal.SIGINT) == (130, "")
        agent.line(r"delete +greeting")
        member = run("members").stdout.split("\t")
        assert member[:4] == ["apple", address, "alive", "role=web"]
        assert run("get", "greeting").returncode == 1
        assert agent.end(signal.SIGINT) == (130, "")
    nobody = run("members", "--timeout", "0.1")
    assert nobody.returncode == 3
    assert nobody.stdout == ""


@posix
def test_keys_of_an_agent_are_there_as_long_as_it_is(apple: Vine) -> None:
    found, lost = threading.Event(), threading.Event()
    apple.on("gossip", "service/web", lambda _value: found.set())
    apple.on("lapse", "service/web", lambda _event: lost.set())
    with Terminal("agent", "--ephemeral", "service/web=8000", "--join", seed(apple)) as agent:
        agent.line(r"gossip +service/web = 8000")
        assert found.wait(SECONDS)
        assert apple["service/web"] == 8000
        assert agent.end(signal.SIGINT) == (130, "")
    assert lost.wait(SECONDS)
    assert "service/web" not in apple
    for wrong in ("service/web", "=8000"):
        done = run("agent", "--ephemeral", wrong)
        assert done.returncode == 2
        assert "say KEY=VALUE" in done.stderr


@posix
def test_agent_tells_everything_in_json_and_leaves_on_a_signal(apple: Vine) -> None:
    with Terminal("agent", "--json", "--join", seed(apple)) as agent:
        apple["key"] = b"\x00"
        listening = json.loads(agent.line("listening").string)
        assert listening["cluster"] == "vines"
        join = json.loads(agent.line('"join"').string)
        assert join["name"] == "apple"
        assert join["address"] == seed(apple)
        assert join["state"] == "alive"
        change = json.loads(agent.line('"gossip"').string)
        assert change["key"] == "key"
        assert change["value"] == {"$bytes": "AA=="}
        assert change["time"].endswith("+00:00")
        assert agent.end(signal.SIGINT) == (130, "")
    (other,) = [one for one in apple.members(gone=True) if not one.local]
    assert other.state == "left"
    assert not other.observer


@posix
def test_agent_tells_of_a_cluster_that_refuses_it(nameless: Vine) -> None:
    with Terminal("agent", "--join", seed(nameless)) as agent:
        agent.line(rf"refused +by {seed(nameless)} \(cluster\): .*; --cluster names it")


@posix
def test_agent_says_that_its_directory_is_no_good_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no directory")
    with Terminal("agent", "--data-dir", str(tmp_path / "data")) as agent:
        agent.lines("listening", "conflict .*data")
        assert agent.end(signal.SIGTERM) == (0, "")


@posix
def test_agent_advises_in_words_that_can_be_typed(tmp_path: Path) -> None:
    with Terminal("agent", "--name", "a", "--data-dir", str(tmp_path / "data")) as agent:
        conflict = agent.line(r"conflict .*holds nothing.*say --new \(VINES_NEW=1\) only if")
        assert "new=True" not in conflict.string
        assert agent.end(signal.SIGTERM) == (0, "")


@posix
def test_agent_says_that_its_run_time_directory_is_open_to_others(tmp_path: Path) -> None:
    place = tmp_path / "run" / "vines"
    place.mkdir()
    place.chmod(0o777)
    with Terminal("agent") as agent:
        agent.line("listening")
        code, said = agent.end(signal.SIGTERM)
    assert code == 0
    assert "vines: other nodes on this host cannot find this one: the run-time directory" in said
    assert "is open to other users" in run("get", "key", "--timeout", "0.2").stderr


@pytest.mark.parametrize(
    ("asked", "code"), [(Terminated(signal.SIGTERM), 0), (KeyboardInterrupt(), 130)]
)
def test_agent_that_is_told_to_end_while_it_begins_ends_as_later(
    asked: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(*_: object) -> None:
        raise asked

    monkeypatch.setattr("vines.cli.agent.join", join)
    assert main(["agent", "--cluster", "brief"]) == code


@posix
def test_agent_says_when_nobody_is_where_it_was_to_join_and_goes_on(apple: Vine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Terminal("agent", "--join", f"127.0.0.1:{port}", "--cluster", "other") as agent:
        agent.line("listening")
        assert agent.process.stderr is not None
        complaint = agent.process.stderr.readline()
        where = f"127.0.0.1:{port}; nothing listens there"
        assert complaint == f"vines agent: nobody answered yet: {where}; it is tried on\n"
        with Terminal("agent", "--port", str(port), "--cluster", "other", "--name", "late"):
            agent.line("join +late")
        assert agent.end(signal.SIGINT) == (130, "")
    with Terminal("agent", "--join", seed(apple)) as agent:
        agent.line("join +apple")
        assert agent.end(signal.SIGINT) == (130, "")


def test_a_port_in_use_is_said_in_one_sentence(apple: Vine) -> None:
    assert apple.address is not None
    port = apple.address[1]
    done = run("agent", "--port", str(port))
    assert done.returncode == 5
    assert done.stderr.startswith(f"vines agent: port {port} on 127.0.0.1 is held by another")


@posix
def test_agent_tells_of_a_member_that_fails() -> None:
    with Terminal("agent", "--no-keys") as agent:
        agent.line("listening")
        with Terminal("agent", "--name", "cedar") as cedar:
            agent.line("join +cedar")
            assert run("set", "key", "1").returncode == 0
            cedar.process.kill()
            agent.line("fail +cedar")
        assert not [line for line in agent.seen if "gossip" in line]
        assert agent.end(signal.SIGTERM) == (0, "")


@posix
def test_members_are_listed_then_watched(apple: Vine) -> None:
    with Terminal("members", "--watch", "--json") as members:
        first = json.loads(members.line("apple").string)
        assert first["id"] == apple.id.hex()
        apple.tags(role="web")
        assert json.loads(members.line('"update"').string)["tags"] == {"role": "web"}
        assert members.end(signal.SIGTERM) == (0, "")
    gone = run("members", "--all").stdout.splitlines()
    assert [line.split("\t")[2] for line in gone] == ["alive", "left, observes"]


@posix
def test_a_member_that_stands_still_is_a_suspect_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VINES_PROBE_INTERVAL", "0.2")
    monkeypatch.setenv("VINES_PROBE_TIMEOUT", "0.1")
    with Terminal("agent", "--name", "cedar") as cedar:
        cedar.line("listening")
        with Terminal("agent", "--name", "elder", "--json") as elder:
            elder.line('"cedar"')
            with Terminal("members", "--watch") as members:
                members.lines("cedar", "elder")
                cedar.process.send_signal(signal.SIGSTOP)
                try:
                    told = json.loads(elder.line('"suspect"').string)
                    members.line("suspect +cedar")
                    members.line("fail +cedar")
                finally:
                    cedar.process.send_signal(signal.SIGCONT)
                members.line("join +cedar")
            assert (told["name"], told["suspected"]) == ("cedar", True)


@posix
def test_elections_that_were_decided_are_listed_and_the_next_are_watched(apple: Vine) -> None:
    apple.election(topic="before", expire=60, total=1).vote("before", True)
    apple.wait("before", SECONDS)
    with Terminal("elections", "--watch", "--json") as elections:
        first = json.loads(elections.line("before").string)
        assert (first["outcome"], first["owner"]) == ("commit", apple.id.hex())
        apple.election(topic="after", expire=60, total=1).vote("after", False)
        assert json.loads(elections.line("after").string)["outcome"] == "abort"
        assert elections.end(signal.SIGTERM) == (0, "")
    assert len(elections.seen) == 2
    listed = [json.loads(line) for line in run("elections", "--json").stdout.splitlines()]
    told = [json.loads(line) for line in elections.seen]
    for fields in told:
        assert fields.pop("event") == "closed"
        assert fields.pop("time").endswith("+00:00")
    assert sorted(told, key=str) == sorted(listed, key=str)


@posix
def test_watch_tells_what_lapses(apple: Vine) -> None:
    for pattern in ("lease", "le*", None):
        with Terminal("watch", *filter(None, [pattern]), "--join", seed(apple)) as watch:
            apple.gossip("lease", 1, ttl=60)
            watch.line(r"gossip +lease = 1")
            apple.gossip("lease", 2, ttl=0.05)
            watch.line(r"lapse +lease$")
            watch.end(signal.SIGINT)


@posix
def test_watch_of_one_key_gets_that_key_alone(apple: Vine) -> None:
    apple.update({"key": 1, "key/other": 2})
    with Terminal("watch", "key", "--json") as watch:
        assert json.loads(watch.line("gossip").string)["value"] == 1
        apple.update({"key/other": 3, "key": [4]})
        assert json.loads(watch.line("gossip").string)["value"] == [4]
        apple.delete("key")
        assert json.loads(watch.line("delete").string)["key"] == "key"
    assert len(watch.seen) == 3


@posix
def test_watch_ends_when_its_reader_has_gone(apple: Vine) -> None:
    apple["key"] = 1
    with subprocess.Popen([*COMMAND, "watch"], stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert "key = 1" in watch.stdout.readline()
        watch.stdout.close()  # as a shell does for `| head -1`
        apple["key"] = 2
        try:
            assert watch.wait(SECONDS) == 141
        finally:
            watch.kill()


@posix
def test_signal_ends_a_command_that_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(SECONDS)
        seed = f"127.0.0.1:{silent.getsockname()[1]}"
        with Terminal("get", "key", "--join", seed, "--timeout", str(SECONDS)) as get:
            link, _ = silent.accept()
            with link:
                assert get.end(signal.SIGTERM) == (143, "")


@posix
def test_output_that_cannot_be_written_is_said(apple: Vine) -> None:
    apple["key"] = 1
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = subprocess.run(
            [*COMMAND, "get", "key"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert ended.returncode == 5
    assert ended.stderr == "vines get: [Errno 28] No space left on device\n"
