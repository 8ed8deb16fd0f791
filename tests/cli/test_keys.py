"""`get`, `set`, `delete`, `ls` and a member in this process: what they print, how they end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cli.terminal import seed
from vines import Vine
from vines.cli import main

Capture = pytest.CaptureFixture[str]


def test_get_prints_text_as_it_is_and_the_rest_as_json(apple: Vine, capsys: Capture) -> None:
    apple.update({"greeting": "hello, world", "port": 8000, "tags": {"a": [None, True]}})
    for key, printed in [
        ("greeting", "hello, world\n"),
        ("port", "8000\n"),
        ("tags", '{"a": [null, true]}\n'),
    ]:
        assert main(["get", key, "--join", seed(apple)]) == 0
        assert capsys.readouterr().out == printed


def test_get_prints_bytes_as_they_are_for_a_pipe(
    apple: Vine, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    apple["blob"] = b"\x00\xff\n"
    assert main(["get", "blob"]) == 0
    assert capfdbinary.readouterr().out == b"\x00\xff\n"


def test_get_of_an_absent_key_says_no(apple: Vine, capsys: Capture) -> None:
    assert main(["get", "nothing", "--join", seed(apple)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "vines get: there is no value under 'nothing'\n"


def test_get_of_none_is_not_absence(apple: Vine, capsys: Capture) -> None:
    apple["empty"] = None
    assert main(["get", "empty"]) == 0
    assert capsys.readouterr().out == "null\n"


def test_json_of_get_tells_absence_on_the_standard_output(apple: Vine, capsys: Capture) -> None:
    apple["blob"] = [b"abc", datetime(2026, 1, 2, tzinfo=UTC)]
    assert main(["get", "blob", "--json"]) == 0
    assert main(["get", "nothing", "--json"]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    times = {"$time": "2026-01-02T00:00:00+00:00"}
    assert first == {"key": "blob", "value": [{"$bytes": "YWJj"}, times]}
    assert second == {"key": "nothing", "absent": True}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["hello"], "hello"),
        (["8000"], 8000),
        (["-5"], -5),
        (["true"], True),
        (["null"], None),
        (['{"a": [1.5]}'], {"a": [1.5]}),
        (["{a"], "{a"),
        ([""], ""),
        (["NaN"], "NaN"),
        (["[" * 5000], "[" * 5000),
        (["--text", "8000"], "8000"),
        (["--json-value", '"x"'], "x"),
    ],
)
def test_set_takes_json_for_what_it_is_and_the_rest_for_text(
    apple: Vine, arguments: list[str], value: Any
) -> None:
    assert main(["set", "key", *arguments]) == 0
    assert apple["key"] == value
    assert type(apple["key"]) is type(value)


def test_set_is_done_when_a_member_holds_it(apple: Vine, capsys: Capture) -> None:
    assert main(["set", "--join", seed(apple), "--", "-key", "-value"]) == 0
    assert apple["-key"] == "-value"
    assert capsys.readouterr().out == '-key = "-value"\n'


def test_set_with_a_time_to_live(apple: Vine, capsys: Capture) -> None:
    assert main(["set", "lease", "mine", "--ttl", "600"]) == 0
    assert capsys.readouterr().out == 'lease = "mine"\n'
    ((_, key, left),) = apple._engine.table.expiring()
    assert key == b"lease" and 500_000 < left <= 600_000


@pytest.mark.parametrize("ttl", ["0", "-1", "nan", "inf", "1e12", "soon", ""])
def test_a_time_to_live_that_is_none_is_said_before_anybody_is_asked(
    ttl: str, capsys: Capture
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["set", "lease", "mine", f"--ttl={ttl}"])
    assert ended.value.code == 2
    assert "no time to live" in capsys.readouterr().err


def test_set_wins_over_what_it_replaces(apple: Vine, monkeypatch: pytest.MonkeyPatch) -> None:
    # This clock is an hour ahead, so without looking first every later write would lose.
    monkeypatch.setattr("vines.engine.engine.wall_clock", lambda: _HOUR_AHEAD)
    apple["key"] = "old"
    monkeypatch.undo()
    assert main(["set", "key", "new", "--join", seed(apple), "--cluster", "vines"]) == 0
    assert apple["key"] == "new"


_HOUR_AHEAD = int(datetime.now(UTC).timestamp() * 1000) + 3_600_000


def test_delete_deletes_what_is_there_and_says_no_to_what_is_not(
    apple: Vine, capsys: Capture
) -> None:
    apple["key"] = 1
    assert main(["delete", "key"]) == 0
    assert "key" not in apple
    assert main(["delete", "key"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "key deleted\n"
    assert printed.err == "vines delete: there is no value under 'key'\n"


def test_ls_prints_sorted_keys_with_their_values_if_asked(apple: Vine, capsys: Capture) -> None:
    apple.update({"b/2": 2, "a": "one", "b/1": {"x": "\x1b[31m"}})
    assert main(["ls"]) == 0
    assert main(["ls", "b/", "--long"]) == 0
    assert main(["ls", "--json", "b/1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["a", "b/1", "b/2"]
    assert lines[3:5] == ['b/1\t{"x": "\\u001b[31m"}', "b/2\t2"]
    assert json.loads(lines[5]) == {"key": "b/1", "value": {"x": "\x1b[31m"}}


def test_keys_that_could_steer_a_terminal_are_quoted(apple: Vine, capsys: Capture) -> None:
    apple.update({"two\nlines": 1, "\x9b31m": 2, " spaces ": 3, "plain/ключ": 4})
    assert main(["ls"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ['" spaces "', "plain/ключ", '"two\\nlines"', '"\\x9b31m"']


def test_commands_are_observers_and_leave(apple: Vine) -> None:
    assert main(["set", "key", "1"]) == 0
    (other,) = [one for one in apple.members(gone=True) if not one.local]
    assert other.observer
    assert other.state == "left"
    assert other.name.startswith("vines-set-")
