"""The `vines` command: `main` runs one command and returns its exit code.

The codes are those of exits.py, where each is explained. Results go
to the standard output, what went wrong to the standard error, in one line.
"""

from __future__ import annotations

import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence

from vines.cli import agent, electing, keys, watching
from vines.cli.arguments import parse
from vines.cli.exits import BROKEN_PIPE, BUG, INTERRUPTED, SIGNALLED, Terminated, failure_of
from vines.cli.output import Output, complain, is_terminal, settle_standard_output
from vines.cli.signals import raised
from vines.log import hush

UNFOUND = ("discovery", "local")
"""The modules that know that."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that was typed; returns the exit code, or raises SystemExit with it."""
    # What went wrong is said in one line, below, but why members of this machine are not found.
    hush(*UNFOUND)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    arguments = parse(sys.argv[1:] if argv is None else argv)
    code = _run(arguments)
    settle_standard_output()
    if code == INTERRUPTED and sys.stderr is not None and is_terminal(sys.stderr):
        complain("")  # the terminal has printed ^C, and the prompt wants a line of its own
    return code


def _run(arguments: Namespace) -> int:
    try:
        with raised():
            return _COMMANDS[arguments.command](arguments, Output(as_json=arguments.json))
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated as signal:
        return SIGNALLED + signal.number
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            traceback.print_exc()
            return BUG
        complain(f"vines {arguments.command}: {failure}")
        return failure.code


def _demo(arguments: Namespace, output: Output) -> int:
    # Only the demo starts processes.
    from vines.cli.demo import demo

    return demo(arguments, output)


_COMMANDS: dict[str, Callable[[Namespace, Output], int]] = {
    "demo": _demo,
    "agent": agent.agent,
    "get": keys.get,
    "set": keys.set_,
    "delete": keys.delete,
    "ls": keys.ls,
    "watch": watching.watch,
    "members": watching.members,
    "vote": electing.vote,
    "elections": electing.elections,
    "once": electing.once,
}
