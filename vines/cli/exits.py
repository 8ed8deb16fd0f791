"""How a command ends: the exit codes, and the one line that says why it failed.

Scripts decide by the code, people read the line; neither ever sees a traceback unless vines itself
has a bug. The codes are part of the interface: a number keeps its meaning.
"""

from __future__ import annotations

from typing import Final

from vines.errors import (
    AddressInUse,
    Closed,
    IllFormedValue,
    LocalError,
    StorageError,
    TimedOut,
)

DONE: Final = 0
NO: Final = 1
USAGE: Final = 2
UNREACHED: Final = 3
REFUSED: Final = 4
FAILED: Final = 5
NOBODY: Final = 6
LOST: Final = 7
BUG: Final = 70
"""EX_SOFTWARE of sysexits.h."""
SIGNALLED: Final = 128
"""What shells add to the number of a signal; 130 is Ctrl-C."""
INTERRUPTED: Final = SIGNALLED + 2
BROKEN_PIPE: Final = SIGNALLED + 13

CODES: Final = """\
exit codes:
  0    done
  1    no: there is no value under this key; a vote that did not win; the demo could not show
       what it claims
  2    usage: the arguments, the value or a setting make no sense; nothing was done
  3    nobody was reached, or nobody confirmed, in time
  4    refused: another cluster or protocol version, or clocks a day apart
  5    something else was in the way: a port in use, output that cannot be written, a data
       directory that cannot be trusted
  6    nobody was elected in time; the command of `once` was not run
  7    the member that was to run the command of `once` went away without a result, or was
       started again meanwhile
  70   a bug in vines; please report the traceback
  130  interrupted (Ctrl-C); 128 + number for other signals, 141 if the reader of a pipe has gone
  `agent` and the commands that watch go on until a signal: 130 for Ctrl-C, 0 for SIGTERM; `once`
  ends as its command ended, wherever that ran"""


class Failure(Exception):
    """A command cannot do what it was asked to: a code, and one line for people."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Terminated(BaseException):
    """A signal other than Ctrl-C asked the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def as_typed(text: str) -> str:
    """What an error or an event advises a programmer, as advice to whoever types commands."""
    text = text.replace("say Vine(insecure=True)", "say --insecure")
    return text.replace("pass new=True", "say --new (VINES_NEW=1)")


def failure_of(error: Exception) -> Failure | None:
    """What an error means to whoever typed the command; None if it is a bug."""
    if isinstance(error, Failure):
        return error
    # Of an OSError of ours the number says nothing that the sentence does not.
    ours = isinstance(error, OSError) and isinstance(error, LocalError) and error.strerror
    text = as_typed(" ".join(str(ours or error).split()))
    if isinstance(error, TimedOut):
        return Failure(UNREACHED, text)
    if isinstance(error, AddressInUse | IllFormedValue | StorageError):
        return Failure(FAILED, text)
    if isinstance(error, LocalError) and not isinstance(error, Closed):
        return Failure(USAGE, text)
    if isinstance(error, OSError):
        return Failure(FAILED, text)
    return None
