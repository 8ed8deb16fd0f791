"""Transcripts of nodes: what is done to them as commands, what they then say and do as output.

A file under `scenarios/` is a list of blocks: commands, a line `----`, the output, an empty line;
lines before the first command that begin with `#` say what it is about. `--rewrite` writes the
outputs anew: read the diff, keep only what you understand. The form is that of
cockroachdb/datadriven and etcd-io/raft's testdata. Frames are shown by what they are, never by
their size; what a quiet link says now and then (comparisons, pings) is left out.

node N [port=P] [option=value]    a node of id N (config options; port=0: it does not listen) join N
M | seed N PORT            N is given M's address, or a port, as a seed settle | run S
everything that needs no time, or what S seconds bring hold | release                    no stream
is read, but for `pass`; all are read again pass N #S                         the next frame of
stream S is read by N pause N M | resume N M            N stops reading what M sends, and reads
again write N KEY [COUNT]               a local write, or as many with numbered keys cut N M | lose
N M                the link between two breaks; or only N notices alias N PORT
N can be reached under another port, too kill N | vanish N | appear N      the process dies; its
address swallows dials; or no longer does leave N | flush N MEMBERS | tag N NAME VALUE links |
members N | same N M      who is linked to whom; what N believes; equal tables
"""

from __future__ import annotations

import ast
from pathlib import Path

from vines.events import (
    ClockSuspect,
    Conflict,
    Fail,
    Flushed,
    Join,
    KeysChanged,
    Leave,
    Refused,
    Suspect,
    Synced,
    Update,
)
from vines.protocol.wire import messages, talk
from vines.protocol.wire.hello import Hello, Refuse
from vines.protocol.wire.probe import StreamAck, StreamProbe

from .pump import Host, Pump

DIRECTORY = Path(__file__).parent / "scenarios"
TABLES = ("control", "data")
QUIET = ("digest control want", "digest data want", "ping", "pong")


class Stage(Pump):
    """The pump, and what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.tell = self.lines.append

    def play(self, line: str) -> None:
        verb, *words = line.split()
        getattr(self, f"do_{verb}")(*words)

    def named(self, number: str) -> Host:
        return [host for host in self.hosts if host.name == f"n{number}"][-1]

    def on_frame(self, sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        words = describe(frame)
        if not words.endswith(QUIET):
            self.tell(f"{sender.name} -> {receiver.name} #{stream} {words}")

    def on_event(self, host: Host, event: object) -> None:
        self.tell(f"{host.name} tells: {describe_event(event)}")

    def do_node(self, number: str, *words: str) -> None:
        options = dict(word.split("=") for word in words)
        self.host(int(number), **{name: ast.literal_eval(text) for name, text in options.items()})

    def do_join(self, number: str, seed: str) -> None:
        self.join(self.named(number), self.named(seed))

    def do_seed(self, number: str, port: str) -> None:
        self.named(number).node.join([("127.0.0.1", int(port))], self.now)

    def do_settle(self) -> None:
        self.settle()

    def do_run(self, seconds: str) -> None:
        self.run(float(seconds))

    def do_hold(self) -> None:
        self.held = True

    def do_release(self) -> None:
        self.held = False

    def do_pass(self, number: str, stream: str) -> None:
        ends = self.named(number).ends.values()
        end = next((end for end in ends if end.stream == int(stream[1:])), None)
        if end is None or not self.read(end):
            self.tell("nothing to read")
        self.settle()

    def do_pause(self, number: str, other: str) -> None:
        self.named(number).to(self.named(other)).reading = False

    def do_resume(self, number: str, other: str) -> None:
        self.named(number).to(self.named(other)).reading = True

    def do_write(self, number: str, key: str, count: str = "") -> None:
        for index in range(int(count or 1)):
            name = f"{key}{index}" if count else key
            self.named(number).write(name, str(index).encode())

    def do_cut(self, number: str, other: str) -> None:
        self.cut(self.named(number).to(self.named(other)))

    def do_lose(self, number: str, other: str) -> None:
        self.lose(self.named(number).to(self.named(other)))

    def do_alias(self, number: str, port: str) -> None:
        self.listeners["127.0.0.1", int(port)] = self.named(number)

    def do_kill(self, number: str) -> None:
        self.kill(self.named(number))

    def do_vanish(self, number: str) -> None:
        address = self.named(number).address
        assert address is not None
        self.vanished.add(address)

    def do_appear(self, number: str) -> None:
        self.vanished.clear()

    def do_leave(self, number: str) -> None:
        self.named(number).node.leave(self.now)

    def do_flush(self, number: str, members: str) -> None:
        token = self.named(number).node.flush(int(members), self.now)
        self.tell(f"flush {token}")

    def do_tag(self, number: str, name: str, value: str) -> None:
        self.named(number).node.tags({name: value}, self.now)

    def do_links(self) -> None:
        for host in self.hosts:
            if host.alive:
                ends = sorted((end.stream, end.peer.host.name) for end in host.ends.values())
                shown = " ".join(f"#{stream}:{name}" for stream, name in ends)
                self.tell(f"{host.name}: {shown or 'no stream'}; linked {host.linked()}")

    def do_members(self, number: str) -> None:
        for member in self.named(number).node.members():
            linked = "here" if member.local else "linked" if member.linked else "not linked"
            self.tell(f"{member.name} {member.state}, {linked}")

    def do_same(self, number: str, other: str) -> None:
        one, two = self.named(number).node, self.named(other).node
        for name in TABLES:
            mine, theirs = getattr(one, name), getattr(two, name)
            equal = mine.fingerprint() == theirs.fingerprint()
            self.tell(f"{name} {'equal' if equal else 'different'}")


def describe(frame: bytes) -> str:
    """A frame in a few words."""
    message = messages.decode(frame)
    words = [messages.NAMES[frame[0]]]
    match message:
        case Hello():
            words.append(f"of {message.name}, its hello {message.serial}")
        case Refuse():
            words.append(message.reason)
            words += [f"try {port}" for _, port in message.hints]
        case (
            talk.Flush() | talk.Flushed() | talk.Ping() | talk.Pong() | StreamProbe() | StreamAck()
        ):
            pass
        case messages.Digest():
            words.append(TABLES[message.table])
            words += [("want", "complete")[bit] for bit in (0, 1) if message.marks >> bit & 1]
        case messages.Vector():
            words += [TABLES[message.table], *(["want"] if message.marks else [])]
        case messages.Detail():
            words += [TABLES[message.table], f"form {message.form}"]
        case messages.Snapshot():
            part = {messages.BEGIN: "floors", messages.END: "last page"}
            words += [TABLES[message.table], part.get(message.marks, "page")]
        case messages.Join():
            words += [TABLES[message.table], "begin" if message.cursor == 0 else "next"]
        case _:
            words.append(TABLES[message.table])
    return " ".join(words)


def describe_event(event: object) -> str:
    """An event in a few words."""
    name = type(event).__name__.lower()
    match event:
        case Join() | Suspect() | Fail() | Leave() | Update():
            return f"{name} {event.member.name}"
        case Refused():
            return f"refused {event.reason} ({'we' if event.by_us else 'they'} refused)"
        case Conflict():
            return f"conflict {event.kind}"
        case Flushed():
            return f"flushed {event.token}"
        case KeysChanged():
            return f"changed {len(event.changes)} keys"
        case Synced() | ClockSuspect():
            return name
    return repr(event)


def play(text: str) -> str:
    """The transcript with its outputs as they are now."""
    stage = Stage()
    blocks = []
    for block in text.strip().split("\n\n"):
        head = block.split("----\n")[0].rstrip("\n").split("----")[0].rstrip("\n")
        commands = [line for line in head.splitlines() if line]
        if all(line.startswith("#") for line in commands):
            blocks.append(head)
            continue
        stage.lines.clear()
        for command in commands:
            stage.play(command)
        stage.settle()
        output = shorten(stage.lines)
        blocks.append("\n".join([head, "----", *output]))
    return "\n\n".join(blocks) + "\n"


def shorten(lines: list[str]) -> list[str]:
    """Equal lines in a row once, with their number."""
    shown: list[tuple[str, int]] = []
    for line in lines:
        if shown and shown[-1][0] == line:
            shown[-1] = (line, shown[-1][1] + 1)
        else:
            shown.append((line, 1))
    return [line if count == 1 else f"{line} ({count} times)" for line, count in shown]
