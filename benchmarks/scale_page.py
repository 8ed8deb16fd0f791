"""The page of what benchmarks/scale.py measured: docs/scale.md, with its raw data at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from math import ceil, log2
from pathlib import Path
from textwrap import fill
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
FENCE = "```json\n"
COLUMNS_MAX = 120

Rows = dict[int, dict[str, Any]]
"""What was measured, by the number of nodes."""
Data = dict[str, Rows]

HEAD = """
How a cluster behaves as it grows: real nodes on virtual time (`vines.simulation`), the `lan`
preset, seed 1 where none is named, written by `python -m benchmarks.scale`. Nothing here depends on
the speed of the machine that ran it: the same seed gives the same figures. A byte is on its way for
1.0 to 1.5 ms, a process wakes up 0 to 0.2 ms after it could, and computing takes no time; what real
processes take is in [performance.md](performance.md).

Beside ours stands what memberlist does with its LAN profile, measured in real processes on one
machine of two cores; where nothing stands, and for sizes without a row, nothing was measured.
"""

JOIN = """
All nodes start in the same instant, with the first as their only seed: seconds until every one of
them sees all, and what each writes on streams until then. Records of members travel in batches, so
the seconds hardly grow; the bytes do, with the members that each has to hear of. memberlist took
2.8 s for 100, in real processes, where computing takes time, too.
"""

IDLE = """
Bytes of payload that a node gives to its sockets, a second, over two minutes in which nothing
happens, digests of both tables included. Datagrams are a probe and an ack a second, whatever the
size of the cluster; on streams are a ping and a pong where a link was silent for a minute, so they
grow with the links a node has. memberlist sends 115 bytes, without digests.
"""

DETECTION = """
Seconds from the end of a process until another node holds it dead, over all others and up to five
victims one after another; clusters of fewer than 30 with several seeds. *killed*: its kernel resets
the streams and refuses dials. *vanished*: the whole machine says nothing any more. The last column
is memberlist's, for a killed process, until all know it; it was not measured for a vanished one.
"""

LOSS = """
Members that were well and were held dead by anybody, in ten minutes (of 100 nodes two) in which a
share of all datagrams is lost, and as many pieces of streams are late by 0.2 s. *SWIM alone* is
without local health, dynamic suspicion and telling suspects at once; both ask over a stream, too,
where datagrams get no answer. *suspected*: how often a member was, at one of its incarnations. How
memberlist fares was not measured, here and in the next three.
"""

STALLS = """
The experiment of the Lifeguard paper: one node in ten stands still for 5 s in every 20, each in its
own time, for ten minutes (of 100 nodes two). Counted are members, each once: those that are well
and were held dead by anybody, or by somebody who is well, too; and those that stood still and were
held dead for it. A process that stood still adds that time to all its timers, with Lifeguard or
without, so it accuses nobody for what it has not read; that, and streams as a second way to ask,
leave Lifeguard little to do in these experiments; what it does without these stands under
*Datagrams alone*.

In a whole hour of a hundred nodes, with stalls like these and a tenth of all datagrams lost, nobody
was held dead by anybody: `tests/simulation/test_scale.py --soak`, of some 11 minutes.
"""

SLOW = """
The same, but one node in ten comes 0 to 2 s late to everything that arrives, which is within the
time of a probe sometimes and beyond it at others.
"""

ALONE = """
What Lifeguard does is to be seen without what makes up for it here: streams as a second way to ask,
word on a link as a sign of life, the time that a process stood still added to its timers, and
reading all that has come before a timer is looked at. For a minute nodes do without these, and
judge by datagrams that come in time alone, as implementations do whose timers have threads of their
own. *slow*: one node in ten reads what arrives 0 to 8 s late, and its timers are on time, so that
it finds others unanswering for what it has not read; its local health makes it ask for longer
before it accuses anybody. *loss*: a fifth of the datagrams is lost. Counted is how often a member
that is well was suspected, and members that are well and were held dead. Nobody is, as objections
travel on streams, which lose nothing, and there are seconds for them.
"""

WRITE = """
Ten small writes of nodes at random, a second apart, and then a hundred a second of one node. Every
hop takes 1 ms here and nothing else takes time, so hops are milliseconds. *copies*: deltas that a
node receives for a write. Bytes are those of all nodes together for one write, without comparisons.
memberlist takes 372, 584 and 765 ms for 10, 30 and 100 nodes, and 94 kB for 100. The goals of 100
nodes are 40,000 and 15,000 bytes, of all sizes 1.2 copies.
"""

HEAL = """
Two halves cannot reach each other for five minutes and hold each other dead; both write the same
keys. Seconds from the moment when they can, until all tables and all views are equal. What
memberlist takes was not measured. Three hundred that were apart for a whole hour, in processes that
wake up to 20 ms late, were one again after 1.0 s; a thousand within the minute that is asserted
(`tests/simulation/test_scale.py --soak`).
"""

MEMORY = """
Bytes that a node takes for each other member it knows: Python objects, as `tracemalloc` counts
them, and the record in the control table, chunks of memory that are not full included. What
memberlist takes was not measured.
"""

MEMBERLIST_KILLED = {10: "6.0", 30: "7.5", 100: "10.5"}


def load() -> Data:
    """The raw data of the page as it is."""
    if not PAGE.exists():
        return {}
    data = json.loads(PAGE.read_text().split(FENCE)[1].split("```")[0])
    return {name: {int(nodes): row for nodes, row in rows.items()} for name, rows in data.items()}


def save(data: Data) -> None:
    """Write the page."""
    PAGE.write_text(render(data))


def render(data: Data) -> str:
    """The page of these data."""
    ordered = {name: dict(sorted(data[name].items())) for name in SECTIONS if name in data}
    parts = ["# Scale\n", _prose(HEAD)]
    for name, rows in ordered.items():
        title, words, table = SECTIONS[name]
        parts += [f"## {title}\n", _prose(words), table(rows)]
    parts += ["## Raw data\n", "One row for each experiment and number of nodes.\n", _raw(ordered)]
    return "\n".join(parts)


def _raw(data: Data) -> str:
    parts = []
    for name, rows in data.items():
        lines = [f'    "{nodes}": {json.dumps(row)}' for nodes, row in rows.items()]
        parts.append(f'  "{name}": {{\n' + ",\n".join(lines) + "\n  }")
    return FENCE + "{\n" + ",\n".join(parts) + "\n}\n```\n"


def _prose(text: str) -> str:
    return "\n\n".join(fill(part, COLUMNS_MAX) for part in text.strip().split("\n\n")) + "\n"


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(columns)
    lines = [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _plain(*columns: tuple[str, str]) -> Callable[[Rows], str]:
    """A table of fields of the rows as they are: (heading, field)."""

    def table(rows: Rows) -> str:
        return _table(
            ("nodes", *(heading for heading, _ in columns)),
            ((f"{nodes:,}", *(row[key] for _, key in columns)) for nodes, row in rows.items()),
        )

    return table


def _detection(rows: Rows) -> str:
    shares = ("p50", "p99", "most")
    return _table(
        ("nodes", *(f"killed {each}" for each in shares), *(f"vanished {each}" for each in shares),
         "memberlist"),
        (
            (
                f"{nodes:,}",
                *(row[f"{cause}_{each}"] for cause in ("killed", "vanished") for each in shares),
                MEMBERLIST_KILLED.get(nodes, ""),
            )
            for nodes, row in rows.items()
        ),
    )  # fmt: skip


def _versus(*columns: tuple[str, str]) -> Callable[[Rows], str]:
    """A table with a line with Lifeguard and one without."""

    def table(rows: Rows) -> str:
        return _table(
            ("nodes", "", *(heading for heading, _ in columns)),
            (
                (f"{nodes:,}", words, *(row.get(f"{how}_{key}", "") for _, key in columns))
                for nodes, row in rows.items()
                for how, words in (("lifeguard", "Lifeguard"), ("swim", "SWIM alone"))
            ),
        )

    return table


def _write(rows: Rows) -> str:
    return _table(
        ("nodes", "links", "hops p50", "most", "log2 N + 2", "copies", "bytes alone", "at 100/s"),
        (
            (
                f"{nodes:,}",
                "{} to {}".format(*row["links"]),
                *(row["hops_p50"], row["hops_most"], ceil(log2(nodes)) + 2, row["copies"]),
                *(f"{row['bytes_alone']:,}", f"{row['bytes_at_100_a_second']:,}"),
            )
            for nodes, row in rows.items()
        ),
    )


SECTIONS: dict[str, tuple[str, str, Callable[[Rows], str]]] = {
    "join": (
        *("Joining", JOIN),
        _plain(
            ("seconds", "seconds"),
            ("kB a node", "kilobytes_per_node"),
            ("most links of a node", "links_most"),
        ),
    ),
    "idle": (
        *("At rest", IDLE),
        _plain(
            ("bytes a second", "bytes"),
            ("in datagrams", "in_datagrams"),
            ("on streams", "on_streams"),
        ),
    ),
    "detection": ("Detection", DETECTION, _detection),
    "loss": (
        *("Loss", LOSS),
        _versus(
            *((f"{share}% lost", f"{share}%") for share in (0, 10, 20, 30, 40)),
            *((f"suspected at {share}%", f"{share}%_suspected") for share in (10, 20, 30, 40)),
        ),
    ),
    "stalls": (
        *("Nodes that stand still", STALLS),
        _versus(
            ("well, held dead", "false"),
            ("by one that is well", "false_at_well"),
            ("well, suspected", "suspected"),
            ("stood still, held dead", "ill"),
        ),
    ),
    "slow": (
        *("Slow nodes", SLOW),
        _versus(
            ("well, held dead", "false"),
            ("by one that is well", "false_at_well"),
            ("well, suspected", "suspected"),
            ("slow, held dead", "ill"),
        ),
    ),
    "alone": (
        *("Datagrams alone", ALONE),
        _versus(
            ("slow: suspected", "slow_suspected"),
            ("held dead", "slow_false"),
            ("loss: suspected", "loss_suspected"),
            ("held dead", "loss_false"),
        ),
    ),
    "write": ("A write", WRITE, _write),
    "heal": ("Halves that were apart", HEAL, _plain(("seconds", "seconds"))),
    "memory": (
        *("Memory", MEMORY),
        _plain(("objects a member", "objects_per_member"), ("record", "record_per_member")),
    ),
}
