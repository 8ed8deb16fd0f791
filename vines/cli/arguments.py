"""What can be typed: the commands and their options, and how they explain themselves."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from vines.addresses import parse_seed
from vines.cli import values
from vines.cli.exits import CODES, USAGE
from vines.errors import InvalidAddress, InvalidKey
from vines.protocol.machine import Address
from vines.values.keys import encode_key
from vines.values.ttl import milliseconds

DESCRIPTION: Final = """\
Processes that know each other and share their keys, with no server.

Try it in two terminals of one machine:
  vines agent                  a member that prints what happens
  vines set greeting hello     and here is something that happens"""

JOINING: Final = """\
Members are found at the addresses of --join or VINES_SEEDS (host:port, separated by commas),
otherwise through the run-time directory of this user on this host, by the name of their cluster."""

VALUE: Final = """\
What parses as JSON is that value, anything else is text: 8000 is a number, hello is text. --text
takes 8000 for text, too, and --json-value takes nothing but JSON. After a lone -- nothing is an
option: vines set -- key -value"""

SHOWN: Final = """\
Values are shown as JSON, a text alone as it is; bytes as {"$bytes": base64}, times as
{"$time": ISO 8601}, keys of dicts that are numbers as text."""

ELECTING: Final = """\
As soon as --total members have called for the topic, with this command or in their own programs,
they are its electorate. What was decided stays so: calling again prints the same outcome."""

ONCE: Final = """\
Start it on N machines, with the same TOPIC and RUN: exactly one runs the command, and all end with
its exit code. For a job of every night: vines once backup --key $(date +%F) --total 3 -- backup.sh
At most one runs it: if that one dies in the middle, nobody runs it again, and the others say so.
That it was run is known as long as a member lives: keep a `vines agent` running somewhere."""

EXPIRE_SECONDS: Final = 60.0
KEY: Final = "up to 1,024 bytes in UTF-8"
PATTERN: Final = "a key, or the beginning of keys and a *: 'config/*'; default: all keys"
TIMEOUT_SECONDS: Final = 5.0
DEMO_SECONDS: Final = 10.0


def parse(argv: Sequence[str]) -> Namespace:
    """What was typed. Exits with USAGE and one line if it makes no sense."""
    arguments, rest = _parser().parse_known_args(argv)
    command: ArgumentParser = arguments.parser
    del arguments.parser
    if rest:
        after = "; say -- before COMMAND" if arguments.command == "once" else ""
        command.error(f"unrecognized arguments: {' '.join(rest)}{after}")
    return arguments


class _Parser(ArgumentParser):
    """One line about what is wrong, and where to read more."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """The version, looked up only when it is asked for."""

    def __call__(self, parser: ArgumentParser, *_: object) -> NoReturn:
        from vines import __version__

        print(f"vines {__version__}")
        parser.exit(0)


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="vines",
        description=DESCRIPTION,
        epilog=f"Each command explains itself: vines COMMAND --help\n\n{CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )

    def command(name: str, help: str, *texts: str) -> ArgumentParser:
        parser = commands.add_parser(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}.",
            epilog="\n\n".join([*texts, CODES]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        parser.set_defaults(parser=parser)
        return parser

    _add_demo(command)
    _add_agent(command)
    _add_get(command)
    _add_set(command)
    _add_delete(command)
    _add_watch(command)
    _add_ls(command)
    _add_members(command)
    _add_vote(command)
    _add_elections(command)
    _add_once(command)
    return parser


_Command = Callable[..., ArgumentParser]


def _add_demo(command: _Command) -> None:
    demo = command(
        "demo",
        "watch three processes on this machine find each other, share data and elect",
        "Everything it says it has seen, and measured. It needs no network and leaves nothing.",
    )
    demo.add_argument(
        "--timeout",
        type=_seconds,
        default=DEMO_SECONDS,
        metavar="SECONDS",
        help="how long all of it may take (%(default)g)",
    )
    _add_json(demo)


def _add_agent(command: _Command) -> None:
    agent = command("agent", "run a member in the foreground and print what happens", JOINING)
    agent.add_argument(
        "--port", type=int, default=0, help="where to listen (any free port)", metavar="N"
    )
    agent.add_argument(
        "--host",
        help="the address to listen at (127.0.0.1; with --insecure all of this machine)",
    )
    agent.add_argument(
        "--advertise", metavar="HOST[:PORT]", help="what others dial, if it is another address"
    )
    agent.add_argument("--name", help="what people call it (the beginning of its id)")
    agent.add_argument(
        "--tag",
        type=_tag,
        action="append",
        metavar="KEY=VALUE",
        help="a short text that every member sees; may be repeated",
    )
    agent.add_argument(
        "--ephemeral",
        type=_pair,
        action="append",
        metavar="KEY=VALUE",
        help="a key that is there as long as this member is alive; may be repeated",
    )
    agent.add_argument(
        "--no-keys", action="store_true", help="print nothing about keys, only about members"
    )
    _add_data_dir(agent)
    agent.add_argument(
        "--new",
        action="store_true",
        help="its name has never voted, which is why the directory may be empty",
    )
    _add_cluster(agent, "'vines'")
    _add_json(agent)


def _add_get(command: _Command) -> None:
    get = command("get", "print the value of a key", JOINING, SHOWN)
    get.add_argument("key", metavar="KEY", help=KEY)
    _add_visit(get)


def _add_set(command: _Command) -> None:
    set_ = command("set", "set a key, and wait until a member holds it", JOINING, VALUE)
    set_.add_argument("key", metavar="KEY", help=KEY)
    set_.add_argument("value", metavar="VALUE", help="see below")
    set_.add_argument(
        "--ttl",
        type=_ttl,
        metavar="SECONDS",
        help="after so long the value lapses everywhere (it stays until it is changed)",
    )
    form = set_.add_mutually_exclusive_group()
    form.add_argument(
        "--text",
        action="store_const",
        const=values.TEXT,
        dest="form",
        help="the value is text, whatever it looks like",
    )
    form.add_argument(
        "--json-value",
        action="store_const",
        const=values.JSON,
        dest="form",
        help="the value must be JSON",
    )
    _add_visit(set_)


def _add_delete(command: _Command) -> None:
    delete = command("delete", "delete a key, and wait until a member knows it", JOINING)
    delete.add_argument("key", metavar="KEY", help=KEY)
    _add_visit(delete)


def _add_watch(command: _Command) -> None:
    watch = command(
        "watch", "print what keys hold and then what changes, until a signal", JOINING, SHOWN
    )
    watch.add_argument("pattern", nargs="?", metavar="PATTERN", help=PATTERN)
    _add_visit(watch)


def _add_ls(command: _Command) -> None:
    ls = command("ls", "print the keys, sorted", JOINING, SHOWN)
    ls.add_argument(
        "prefix", nargs="?", default="", metavar="PREFIX", help="how they begin; default: all keys"
    )
    ls.add_argument("-l", "--long", action="store_true", help="print their values, too")
    _add_visit(ls)


def _add_members(command: _Command) -> None:
    members = command("members", "print the members", JOINING)
    members.add_argument(
        "--all", action="store_true", help="also those that failed or left and are remembered"
    )
    members.add_argument(
        "--watch", action="store_true", help="then print who comes and goes, until a signal"
    )
    _add_visit(members)


def _add_vote(command: _Command) -> None:
    vote = command(
        "vote", "call for an election, vote in it, and print its outcome", JOINING, ELECTING
    )
    vote.add_argument("topic", metavar="TOPIC", help="what it is about, the same for all who call")
    vote.add_argument("choice", metavar="VOTE", help="yes, no, abstain, or one of --choices")
    vote.add_argument("--choices", metavar="A,B,...", help="what can be voted for, not yes or no")
    _add_electing(vote)


def _add_elections(command: _Command) -> None:
    elections = command("elections", "print the outcomes of elections", JOINING)
    elections.add_argument(
        "--watch", action="store_true", help="print them as they come, until a signal"
    )
    _add_visit(elections)


def _add_once(command: _Command) -> None:
    once = command(
        "once", "run a command on exactly one of those who ask for this run", JOINING, ONCE
    )
    once.add_argument("topic", metavar="TOPIC", help="the name of the job")
    once.add_argument(
        "--key", metavar="RUN", help="which run of it: another key is another run (one alone)"
    )
    _add_electing(once)
    once.add_argument("words", nargs="+", metavar="COMMAND", help="after a lone --")


def _add_electing(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--total",
        type=int,
        required=True,
        metavar="N",
        help="how many call: it begins when so many have",
    )
    parser.add_argument("--min", type=int, metavar="M", help="the votes needed (more than half)")
    parser.add_argument(
        "--expire",
        type=_seconds,
        default=EXPIRE_SECONDS,
        metavar="SECONDS",
        help="when it is over if nothing was decided (%(default)g)",
    )
    _add_data_dir(parser)
    _add_cluster(parser, "'vines'")
    _add_json(parser)


def _add_data_dir(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=_path,
        metavar="PATH",
        help="a directory of its own, that keeps who it is and what it promised in elections",
    )


def _add_visit(parser: ArgumentParser) -> None:
    _add_cluster(parser, "'vines', with --join also one without a name")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for an answer (%(default)g)",
    )
    _add_json(parser)


def _add_cluster(parser: ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--join",
        type=_seed,
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="where a member listens, or a port of this machine; may be repeated",
    )
    parser.add_argument(
        "--cluster",
        metavar="NAME",
        help=f"the label of the cluster (VINES_CLUSTER, else {default})",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="reach beyond this machine without a key (VINES_INSECURE)",
    )


def _add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def _seed(text: str) -> Address:
    try:
        return parse_seed(int(text) if text.isascii() and text.isdigit() else text)
    except InvalidAddress as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _path(text: str) -> str:
    if not text:  # as of a variable that is not set: what is promised would not be kept
        raise argparse.ArgumentTypeError("it is empty: give a path, or leave it out")
    return text


def _tag(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is no tag: say KEY=VALUE")
    return key, value


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    try:
        if not separator:
            raise InvalidKey("")
        encode_key(key)
    except InvalidKey:
        raise argparse.ArgumentTypeError(f"{text!r} is no key and value: say KEY=VALUE") from None
    return key, values.parse_value(value)


def _ttl(text: str) -> float:
    try:
        seconds = float(text)
        milliseconds(seconds)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time to live: say seconds above 0, up to ten years"
        ) from None
    return seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: say seconds, up to a day")
    return seconds
