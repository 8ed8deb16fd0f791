"""Transcripts: schedules of tables and messages as text files, with what each step showed.

A file under `transcripts/` is a list of blocks: a command, a line `----`, the output, an empty
line. The commands drive real tables of the core; the output is what was sent (read by
vines.simulation.frames, not by the core) and what changed. After every step the invariants of
vines.simulation.checks are checked, and a violation is part of the output. `pytest tests/simulation
--rewrite` writes the outputs anew: read the diff, keep only what you understand. The form is that
of cockroachdb/datadriven and etcd-io/raft's testdata.

    tables NAME... [slack=N] [horizon=N]    one table each; its source is its name
    write TABLE KEY VALUE [wall=MS] [ttl=MS] [ephemeral=1]  a local write; each one without `wall`
    is a millisecond later
    tick TABLE MS                           it is so late by the table's own clock
    lapse TABLE                             what is due lapses, what was said of authors is done
    author TABLE SOURCE alive|dead|gone     TABLE is told of the owner of ephemeral records
    fingerprint TABLE TABLE...              compares fingerprints
    delete TABLE KEY [wall=MS]
    put TABLE KEY VALUE stamp=S [family=N] [flags=N]
    link FROM TO [equal]                    a new link: FROM learns TO's vector and sends its
    entries from there
    send FROM TO [budget=B] as=NAME         the next delta of that link, kept under a name until
    delivered
    delta FROM TO [budget=B] as=NAME        the same from TO's vector now, without a link
    deliver NAME TABLE [limit=MS]           may be done any number of times, to any table
    pull FROM TO                            FROM hears which ranges TO refused last
    hint TABLE FROM                         TABLE reads the vector of FROM on their link, and
    nothing may change
    join TABLE FROM [budget=B]              page by page; `pages=N` stops before the end of the join
    adopt TABLE SOURCE                      TABLE goes on under a fresh source
    collect TABLE KEY                       forget a record without trace (builds with planted bugs
    only)
    show TABLE                              records and logs
    equal TABLE TABLE...                    compares everything but positions
"""

from __future__ import annotations

from pathlib import Path

from vines._core import digest
from vines._core.changes import Change, Changes
from vines._core.table import (
    ENDED,
    EPHEMERAL,
    EXPIRING,
    HIDDEN,
    SHOWN,
    TOMBSTONE,
    Progress,
    Table,
    plant,
)
from vines.simulation.checks import Watch
from vines.simulation.frames import ELSEWHERE, REPEAT, Entry, Range, read_delta
from vines.simulation.oracle import Oracle, Violation, Written

DIRECTORY = Path(__file__).parent / "transcripts"
BUDGET = 65536
FATES = {"alive": SHOWN, "dead": HIDDEN, "gone": ENDED}


def source_of(name: str) -> bytes:
    """The source id of a table in a transcript."""
    return name.encode().ljust(16, b".")


def name_of(source: bytes) -> str:
    return source.decode().rstrip(".")


class Stage:
    """The tables, links and messages of one transcript."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.watches: dict[str, Watch] = {}
        self.links: dict[tuple[str, str], Progress] = {}
        self.messages: dict[str, bytes] = {}
        self.refused: dict[str, list[tuple[bytes, int]]] = {}
        self.oracle = Oracle()
        self.wall = 0
        self.planted = 0
        """The planted bug in force; `collect` switches it off."""

    def run(self, command: str) -> str:
        """The output of one command."""
        verb, *words = command.split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        names = [word for word in words if "=" not in word]
        try:
            lines = getattr(self, f"do_{verb}")(*names, **options)
            for watch in self.watches.values():
                watch.check()
        except Violation as violation:
            lines = [f"VIOLATION {violation}"]
        return "\n".join(lines)

    def do_tables(self, *names: str, slack: str = "65536", horizon: str = "65536") -> list[str]:
        for name in names:
            table = self.tables[name] = Table(
                source_of(name), bytes(16), bytes(16), log_slack=int(slack), horizon=int(horizon)
            )
            self.watches[name] = Watch(name, table, self.oracle)
        return []

    def do_write(
        self, name: str, key: str, value: str, wall: str = "", ttl: str = "0", ephemeral: str = ""
    ) -> list[str]:
        flags = (EXPIRING if int(ttl) else 0) | (EPHEMERAL if ephemeral else 0)
        return self._write(name, key, flags, value.encode(), wall, int(ttl))

    def do_tick(self, name: str, milliseconds: str) -> list[str]:
        self.tables[name].tick(int(milliseconds) / 1000)
        return []

    def do_lapse(self, name: str) -> list[str]:
        changes = Changes()
        self.tables[name].lapse(100, changes)
        return [f"{name} now {say_change(change)}" for change in changes] or ["nothing is due"]

    def do_author(self, name: str, source: str, fate: str) -> list[str]:
        self.tables[name].author(source_of(source), FATES[fate])
        return []

    def do_fingerprint(self, *names: str) -> list[str]:
        return ["equal" if len({self.tables[name].fingerprint() for name in names}) == 1 else "no"]

    def do_delete(self, name: str, key: str, wall: str = "") -> list[str]:
        return self._write(name, key, TOMBSTONE, b"", wall)

    def _write(
        self, name: str, key: str, flags: int, value: bytes, wall: str, left: int = 0
    ) -> list[str]:
        self.wall = int(wall) if wall else self.wall + 1
        table = self.tables[name]
        stamp = table.write(key.encode(), flags, value, self.wall << 16, left)
        return [self._wrote(table, 0, key.encode(), stamp, flags, value)]

    def do_put(
        self, name: str, key: str, value: str, stamp: str, family: str = "0", flags: str = "0"
    ) -> list[str]:
        table = self.tables[name]
        fields = int(family), key.encode(), int(flags), value.encode(), int(stamp)
        if not table.put(*fields):
            return ["lower than what is held"]
        return [self._wrote(table, fields[0], fields[1], fields[4], fields[2], fields[3])]

    def _wrote(
        self, table: Table, family: int, key: bytes, stamp: int, flags: int, value: bytes
    ) -> str:
        written = Written(
            family, key, stamp, table.source, table.source, table.counter, flags, value
        )
        self.oracle.wrote(written)
        return say_record(written)

    def do_link(self, giver: str, taker: str, equal: str = "") -> list[str]:
        progress = self.links[giver, taker] = Progress(self.tables[giver])
        if equal:
            progress.assume_equal()
            return ["ready"]
        return self.do_hint(giver, taker)

    def do_hint(self, name: str, other: str) -> list[str]:
        progress = self.links[name, other]
        for page in digest.vector_pages(self.tables[other], BUDGET):
            progress.read_page(page)
        return ["below the floor" if progress.below_floor else "ready"]

    def do_send(self, giver: str, taker: str, budget: str = "65536", **options: str) -> list[str]:
        progress = self.links[giver, taker]
        message = self.tables[giver].delta(progress, int(budget))
        if message is None:
            return ["below the floor" if progress.below_floor else "nothing"]
        return self._keep(options["as"], message)

    def do_delta(self, giver: str, taker: str, budget: str = "65536", **options: str) -> list[str]:
        message = self.tables[giver].delta_for(self.tables[taker].vector(), int(budget))
        return ["nothing"] if message is None else self._keep(options["as"], message)

    def _keep(self, name: str, message: bytes) -> list[str]:
        self.messages[name] = message
        return [say_range(span) for span in read_delta(message)]

    def do_deliver(self, name: str, taker: str, limit: str = "") -> list[str]:
        changes = Changes()
        table = self.tables[taker]
        if name not in self.messages:
            return ["no such message"]
        stamp = int(limit) << 16 if limit else (1 << 62)
        refused = table.apply(self.messages[name], limit=stamp, changes=changes)
        self.refused[taker] = refused
        lines = [f"{taker} now {say_change(change)}" for change in changes]
        lines += [f"{taker} refuses {name_of(source)}, holds {held}" for source, held in refused]
        if table.overtaken:
            lines.append(f"{taker} is overtaken")
        return lines or ["nothing new"]

    def do_pull(self, giver: str, taker: str) -> list[str]:
        refused = self.refused.pop(taker, [])
        if refused:
            self.links[giver, taker].rewind(digest.pull_page(refused))
        return ["rewound" if refused else "nothing was refused"]

    def do_join(self, taker: str, giver: str, budget: str = "65536", pages: str = "") -> list[str]:
        table, other = self.tables[taker], self.tables[giver]
        floors = other.floor_pages(BUDGET)
        cursor: int | None = 0
        lines: list[str] = []
        while cursor is not None and (not pages or len(lines) < int(pages)):
            page, cursor = other.page(cursor, int(budget))
            changes = Changes()
            table.apply_page(page, limit=1 << 62, changes=changes)
            lines.append("page: " + ", ".join(map(say_change, changes)))
        if cursor is None:
            table.finish_join(floors)
            lines.append("joined")
        return lines

    def do_adopt(self, name: str, source: str) -> list[str]:
        self.tables[name].adopt(source_of(source))
        return []

    def do_collect(self, name: str, key: str) -> list[str]:
        self.tables[name].collect(0, key.encode())
        plant(self.planted)
        self.watches[name].forget((0, key.encode()))
        return []

    def do_show(self, name: str) -> list[str]:
        table = self.tables[name]
        left = {(family, key): left for family, key, left in table.expiring()}
        hidden = table.hidden()
        lines = [
            say_record(Written(*fields))
            + say_left(left.get(fields[:2], 0))
            + (", hidden" if fields[:2] in hidden else "")
            for fields in table.records()
        ]
        for source, counter in sorted(table.vector().items()):
            entries = [f"{number}:{key.decode()}" for number, _, key in table.entries(source)]
            floor = f", floor {table.floor(source)}" if table.floor(source) else ""
            lines.append(f"{name_of(source)} up to {counter}{floor}: {' '.join(entries) or '-'}")
        return lines or ["empty"]

    def do_equal(self, *names: str) -> list[str]:
        contents = [
            [Written(*fields).content for fields in self.tables[name].records()] for name in names
        ]
        if all(content == contents[0] for content in contents):
            return ["yes"]
        return [
            "no",
            *(f"{name}: {content}" for name, content in zip(names, contents, strict=True)),
        ]


def say_stamp(stamp: int) -> str:
    """Milliseconds and, if there is one, the logical part."""
    return f"{stamp >> 16}" + (f"+{stamp & 0xFFFF}" if stamp & 0xFFFF else "")


def say_change(change: Change) -> str:
    family, key, flags, value, stamp, origin = change
    return f"{say_content(family, key, flags, value)} at {say_stamp(stamp)} from {name_of(origin)}"


def say_record(record: Written) -> str:
    content = say_content(record.family, record.key, record.flags, record.value)
    return f"({name_of(record.source)}, {record.counter}) {content} at {say_stamp(record.stamp)}"


def say_content(family: int, key: bytes, flags: int, value: bytes) -> str:
    kind = f"[{family}]" if family else ""
    if flags == TOMBSTONE | EXPIRING:
        return f"{kind}{key.decode()} lapsed"
    if flags == TOMBSTONE | EPHEMERAL:
        return f"{kind}{key.decode()} gone"
    if flags == EPHEMERAL:
        return f"{kind}{key.decode()}={value.decode()} ephemeral"
    if flags == EXPIRING:
        return f"{kind}{key.decode()}={value.decode()} expiring"
    if flags == TOMBSTONE:
        return f"{kind}{key.decode()} deleted"
    return f"{kind}{key.decode()}={value.decode()}" + (f" flags {flags:#x}" if flags else "")


def say_left(left: int) -> str:
    """The time that a record has left, if there is any."""
    return f" in {left} ms" if left else ""


def say_range(span: Range) -> str:
    entries = [say_entry(span, entry) for entry in span.entries]
    return f"{name_of(span.source)} {span.start}..{span.end}: {', '.join(entries) or '-'}"


def say_entry(span: Range, entry: Entry) -> str:
    if entry.head & REPEAT:
        return f"{entry.counter} {entry.record.key.decode()} again"
    record = Written(*entry.record[:8])
    content = say_content(record.family, record.key, record.flags, record.value)
    content += say_left(entry.record.left)
    if entry.head & ELSEWHERE:
        content += f" of ({name_of(record.source)}, {record.counter})"
    return f"{entry.counter} {content} at {say_stamp(record.stamp)}"


def play(text: str, planted: int = 0) -> str:
    """A transcript with its outputs as they are now, with one planted bug or none."""
    stage = Stage()
    stage.planted = planted
    blocks = []
    for block in text.strip("\n").split("\n\n"):
        comments = [line for line in block.splitlines() if line.startswith("#")]
        commands = [line for line in block.split("\n----")[0].splitlines() if line not in comments]
        lines = comments + commands
        if commands:
            output = "\n".join(filter(None, map(stage.run, commands)))
            lines += ["----", *output.splitlines()]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    """Write the outputs of all transcripts anew."""
    for path in sorted(DIRECTORY.glob("*.txt")):
        path.write_text(play(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
