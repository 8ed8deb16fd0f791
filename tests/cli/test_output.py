"""What reaches a terminal, a pipe and a program, and what the exit codes are."""

from __future__ import annotations

import inspect
import io
import json
from typing import Any

import pytest

import vines
from vines import cli, errors
from vines.cli import exits
from vines.cli.output import GREEN, Output, shown, shown_key
from vines.cli.stories import address_text, of_event
from vines.events import (
    ClockSuspect,
    Conflict,
    Gossip,
    Join,
    Lagged,
    Member,
    Quota,
    Refused,
    Suspect,
    Synced,
)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


def test_value_on_a_terminal_is_harmless(screen: Screen) -> None:
    output = Output(as_json=False, stream=screen)
    output.value("two\nlines\t\x1b[2J\x9b2J\u202e")
    output.value(b"\x1b[2J")
    assert screen.getvalue() == ('two\nlines\t\\x1b[2J\\x9b2J\\u202e\n{"$bytes": "G1sySg=="}\n')


def test_text_in_a_pipe_is_left_alone() -> None:
    pipe = io.StringIO()
    Output(as_json=False, stream=pipe).value("\x1b[2J")
    assert pipe.getvalue() == "\x1b[2J\n"


def test_colours_are_for_terminals_and_off_on_request(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Output(as_json=False, stream=screen).paint("ok", GREEN) == "\x1b[32mok\x1b[0m"
    assert Output(as_json=False, stream=io.StringIO()).paint("ok", GREEN) == "ok"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Output(as_json=False, stream=screen).paint("ok", GREEN) == "ok"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Output(as_json=False, stream=screen).terminal


def test_table_is_aligned_on_a_terminal_and_tabbed_in_a_pipe(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    pipe = io.StringIO()
    for stream in (screen, pipe):
        output = Output(as_json=False, stream=stream)
        output.table(("NAME", "ID"), [("a", "1"), ("longer", "2")])
    assert screen.getvalue() == "NAME    ID\na       1\nlonger  2\n"
    assert pipe.getvalue() == "a\t1\nlonger\t2\n"


def test_json_is_ascii_and_one_line() -> None:
    pipe = io.StringIO()
    Output(as_json=True, stream=pipe).line("for people", key="ключ\n", value={1: b"a"})
    assert pipe.getvalue().isascii()
    assert pipe.getvalue().count("\n") == 1
    assert json.loads(pipe.getvalue()) == {"key": "ключ\n", "value": {"1": {"$bytes": "YQ=="}}}


@pytest.mark.parametrize(
    ("key", "text"),
    [("a/b", "a/b"), ("a b", "a b"), (" a", '" a"'), ('"a"', '"\\"a\\""'), ("a\n", '"a\\n"')],
)
def test_key_is_quoted_only_if_it_must_be(key: str, text: str) -> None:
    assert shown_key(key) == text


def test_shown_value_keeps_letters_of_all_languages() -> None:
    assert shown(["ключ", "\u2028"]) == '["ключ", "\\u2028"]'


_MEMBER = Member(
    id=bytes(16),
    name="apple",
    address=("::1", 8000),
    tags={"role": "web", "az": "b"},
    observer=False,
    state="alive",
    incarnation=1,
)


@pytest.mark.parametrize(
    ("name", "event", "words"),
    [
        ("join", Join(_MEMBER), "apple  [::1]:8000  az=b,role=web"),
        ("suspect", Suspect(_MEMBER), "apple  [::1]:8000  az=b,role=web"),
        ("gossip", Gossip("k", None, False, 1, b""), "k = null"),
        ("synced", Synced(bytes(16)), "with 00000000"),
        (
            "refused",
            Refused(("h", 1), "version", "this node speaks 1", True, False),
            "by h:1 (version): this node speaks 1",
        ),
        (
            "refused",
            Refused(None, "full", "no room", False, True),
            "by us: somebody (full): no room",
        ),
        ("conflict", Conflict("name", "two are called a"), "two are called a"),
        ("clock_suspect", ClockSuspect("pear", -90.0), "pear is -90.0 s off"),
        ("clock_suspect", ClockSuspect("pear", None), "pear is over a minute off"),
        (
            "quota",
            Quota("near", 900, 5000, 1000, 10_000),
            "near: 900 of 1,000 keys, 5,000 of 10,000 bytes",
        ),
        ("lagged", Lagged(1234), "1,234 changes were skipped"),
    ],
)
def test_every_event_has_a_story(name: str, event: Any, words: str) -> None:
    story = of_event(name, event)
    assert story.words == words
    assert story.fields["event"] == name
    pipe = io.StringIO()
    output = Output(as_json=False, stream=pipe)
    output.line(story.text(output), **story.fields)
    assert pipe.getvalue().endswith(f"  {name.ljust(8)} {words}\n")
    Output(as_json=True, stream=pipe).line("", **story.fields)
    assert json.loads(pipe.getvalue().splitlines()[1])["event"] == name


def test_address_is_printed_as_join_takes_it() -> None:
    assert address_text(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert address_text(("fe80::1", 80)) == "[fe80::1]:80"
    assert address_text(None) == "-"


@pytest.mark.parametrize(
    "error",
    [kind for _, kind in inspect.getmembers(errors, inspect.isclass)],
    ids=lambda kind: kind.__name__,
)
def test_every_error_of_the_caller_is_a_line_and_a_code(error: type[Exception]) -> None:
    found = exits.failure_of(error("some\nthing"))
    if error is errors.Closed or not issubclass(error, errors.LocalError):
        assert found is None or error is errors.IllFormedValue
    else:
        assert found is not None
        assert str(found) == "some thing"
        assert found.code in (exits.USAGE, exits.UNREACHED, exits.FAILED)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"vines {vines.__version__}\n"


def test_bug_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setitem(cli._COMMANDS, "get", broken)
    assert cli.main(["get", "key"]) == 70
    assert "Traceback" in capsys.readouterr().err
