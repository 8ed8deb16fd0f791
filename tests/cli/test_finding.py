"""How commands find a cluster, and the codes and lines they end with if they do not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.cli.terminal import seed
from vines import Vine
from vines.cli import main

Capture = pytest.CaptureFixture[str]

NO_NAME = "x" * 70
"""Longer than the part of a name may be: nobody is asked for it."""


@pytest.fixture
def shop() -> Iterator[Vine]:
    with Vine("shop-1", "shop") as vine:
        vine.listen(0, "127.0.0.1")
        vine["key"] = "of the shop"
        yield vine
        vine.end()


def test_cluster_of_the_commands_is_found_on_this_host(apple: Vine, capsys: Capture) -> None:
    apple["key"] = "of apple"
    assert main(["get", "key"]) == 0
    assert capsys.readouterr().out == "of apple\n"


def test_named_cluster_is_found_on_this_host(
    apple: Vine, shop: Vine, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    apple["key"] = "of apple"
    assert main(["get", "key", "--cluster", "shop"]) == 0
    monkeypatch.setenv("VINES_CLUSTER", "shop")
    assert main(["get", "key"]) == 0
    assert capsys.readouterr().out == "of the shop\n" * 2


def test_program_that_never_named_its_cluster_is_reached_by_address(
    nameless: Vine, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless["key"] = "nameless"
    assert main(["get", "key", "--join", seed(nameless)]) == 0
    assert nameless.address is not None
    assert main(["get", "key", "--join", str(nameless.address[1])]) == 0
    monkeypatch.setenv("VINES_SEEDS", f"127.0.0.1:1, {seed(nameless)}")
    assert main(["get", "key"]) == 0
    assert main(["get", "key", "--cluster", ""]) == 0
    assert capsys.readouterr().out == "nameless\n" * 4


def test_asking_one_by_address_does_not_bring_it_together_with_one_on_this_host(
    apple: Vine, capsys: Capture
) -> None:
    apple["key"] = "of apple"
    with Vine("far", "vines", discovery=False) as far:
        far.listen()
        far["key"] = "far"
        for _ in range(3):
            assert main(["get", "key", "--join", seed(far)]) == 0
        assert capsys.readouterr().out == "far\n" * 3
        assert [member.name for member in far.members()] == ["far"]
        assert [member.name for member in apple.members(gone=True)] == ["apple"]


def test_id_of_another_member_in_the_environment_is_not_taken(
    apple: Vine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINES_NODE_ID", apple.id.hex())
    monkeypatch.setenv("VINES_NAME", "apple")
    assert main(["set", "key", "1", "--join", seed(apple)]) == 0
    names = [member.name for member in apple.members(gone=True)]
    assert names[0] == "apple"
    assert names[1].startswith("vines-set-")


def test_another_cluster_refuses(apple: Vine, shop: Vine, capsys: Capture) -> None:
    assert main(["get", "key", "--join", seed(shop)]) == 4
    assert main(["get", "key", "--join", seed(shop), "--cluster", "other"]) == 4
    assert main(["set", "key", "1", "--join", seed(apple), "--cluster", ""]) == 4
    address, lines = seed(shop), capsys.readouterr().err.splitlines()
    assert lines == [
        f"vines get: {address} belongs to a cluster that has a name of its own; say --cluster NAME",
        f"vines get: {address} belongs to a cluster that is not 'other'; say --cluster NAME",
        f"vines set: {seed(apple)} belongs to a cluster that has a name of its own;"
        " say --cluster NAME",
    ]
    assert "key" not in apple


def test_nobody_there(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts, and never says a word
        port = silent.getsockname()[1]
        assert main(["get", "key", "--join", f"127.0.0.1:{port}", "--timeout", "0.3"]) == 3
    there = ["--join", f"127.0.0.1:{port}"]
    assert main(["set", "key", "1", *there, "--timeout", "0.2"]) == 3
    assert main(["get", "key", *there, *there, "--timeout", "0.2"]) == 3
    nowhere = ["--insecure", "--join", f"{NO_NAME}:1", "--timeout", "0.2"]
    assert main(["get", "key", *nowhere]) == 3
    assert main(["get", "key", *there, *nowhere]) == 3
    assert main(["ls", "--timeout", "0.2"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"vines get: nobody answered within 0.3 s: 127.0.0.1:{port}; is a member listening there?",
        f"vines set: nobody answered within 0.2 s: 127.0.0.1:{port}; nothing listens there",
        f"vines get: nobody answered within 0.2 s: 127.0.0.1:{port}, 127.0.0.1:{port};"
        " nothing listens at any of them",
        f"vines get: nobody answered within 0.2 s: {NO_NAME}:1; that name does not resolve",
        f"vines get: nobody answered within 0.2 s: 127.0.0.1:{port}, {NO_NAME}:1;"
        " is a member listening there?",
        "vines ls: nobody answered within 0.2 s: cluster 'vines' on this host;"
        " start one with `vines agent`, or say --join host:port",
    ]


def test_seeds_of_the_environment_that_make_no_sense(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINES_SEEDS", "here")
    for words in (["ls"], ["agent"], ["vote", "lunch", "yes", "--total", "1"]):
        assert main(words) == 2
        assert capsys.readouterr().err.startswith(f"vines {words[0]}: VINES_SEEDS: 'here' lacks")


def test_write_that_nobody_confirms_has_failed(capsys: Capture) -> None:
    with Vine("watcher", "vines", observer=True) as watcher:
        watcher.listen(0, "127.0.0.1")
        assert main(["set", "key", "1", "--join", seed(watcher), "--timeout", "0.5"]) == 3
    line = "no member confirmed the change within 0.5 s; it may still arrive"
    assert capsys.readouterr().err == f"vines set: {line}\n"


def test_port_in_use(apple: Vine, capsys: Capture) -> None:
    assert apple.address is not None
    assert main(["agent", "--port", str(apple.address[1])]) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vines agent: ")
    assert str(apple.address[1]) in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "vines: the following arguments are required: COMMAND"),
        (["frob"], "vines: argument COMMAND: invalid choice: 'frob'"),
        (["get"], "vines get: the following arguments are required: KEY"),
        (["get", "a", "b"], "vines get: unrecognized arguments: b (see vines get --help)"),
        (["agent", "--nam", "x"], "vines agent: unrecognized arguments: --nam x (see"),
        (
            ["once", "job", "--total", "1", "ls", "-l", "x"],
            "vines once: unrecognized arguments: -l x; say -- before COMMAND (see",
        ),
        (["agent", "--data-dir", ""], "vines agent: argument --data-dir: it is empty"),
        (["vote", "a", "yes", "--total", "1", "--data-dir", ""], "vines vote: argument --data-dir"),
        (["frob", "--x"], "vines: argument COMMAND: invalid choice: 'frob'"),
        (["get", ""], "vines get: a key has 1 to 1,024 bytes"),
        (["get", "k" * 1025], "vines get: a key has 1 to 1,024 bytes"),
        (["watch", "k" * 1025], "vines watch: a key has 1 to 1,024 bytes"),
        (["get", "a", "--join", "nowhere"], "vines get: argument --join: 'nowhere' lacks"),
        (["get", "a", "--join", "0"], "vines get: argument --join: 0 is not a port"),
        (["get", "a", "--timeout", "0"], "vines get: argument --timeout: '0' is no time"),
        (["get", "a", "--timeout", "nan"], "vines get: argument --timeout: 'nan' is no time"),
        (["get", "a", "--cluster", ""], "vines get: join whom?"),
        (["get", "a", "--join", "192.0.2.1:1"], "vines get: joining '192.0.2.1' reaches beyond"),
        (["set", "a", "18446744073709551616"], "vines set: value is an int outside"),
        (["set", "a", "{", "--json-value"], "vines set: the value is not JSON"),
        (["set", "a", "1", "--text", "--json-value"], "vines set: argument --json-value: not"),
        (["agent", "--port", "65536"], "vines agent: 65536 is not a port"),
        (["agent", "--tag", "web"], "vines agent: argument --tag: 'web' is no tag"),
        (["agent", "--name", "\n"], "vines agent: name must be"),
        (["agent", "--host", "192.0.2.1"], "vines agent: listening on '192.0.2.1' reaches beyond"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    capsys: Capture, arguments: list[str], said: str
) -> None:
    code: object
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1
    assert "Vine(" not in printed.err


def test_bad_setting_in_the_environment_is_named(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINES_INSECURE", "perhaps")
    assert main(["get", "key"]) == 2
    assert capsys.readouterr().err.startswith("vines get: VINES_INSECURE='perhaps'")
