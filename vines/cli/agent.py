"""`agent`: a member in the foreground, printing what happens, until a signal; then it leaves."""

from __future__ import annotations

import threading
from argparse import Namespace
from collections.abc import Collection

from vines import Vine
from vines.cli.connecting import join, label_of, seeds_of, why_nobody
from vines.cli.following import OTHER_EVENTS, Following, until_signal
from vines.cli.output import Output
from vines.cli.stories import MEMBER_EVENTS, Story, address_text
from vines.protocol.machine import Address


def agent(arguments: Namespace, output: Output) -> int:
    """Listen, join, and print events."""
    following = Following(output)
    seeds = seeds_of(arguments)  # a mistake there is told before anything is opened
    with Vine(
        arguments.name,
        label_of(arguments),
        dict(arguments.tag) if arguments.tag else None,
        insecure=arguments.insecure or None,
        data_dir=arguments.data_dir,
        new=arguments.new or None,
    ) as vine:
        return until_signal(lambda: _live(vine, seeds, arguments, following))


def _live(
    vine: Vine, seeds: Collection[Address], arguments: Namespace, following: Following
) -> int:
    label = label_of(arguments)
    following.events(vine, *MEMBER_EVENTS, *OTHER_EVENTS)
    if not arguments.no_keys:
        following.keys(vine, None)
    met = threading.Event()
    for name in ("join", "refused"):
        vine.on(name, met.set)
    vine.update(dict(arguments.ephemeral or ()), ephemeral=True)
    vine.listen(arguments.port, arguments.host, arguments.advertise)
    following.tell(_listening(vine, label))
    join(vine, arguments, label)
    if not seeds:
        return following.wait()
    return following.wait(met, lambda: _nobody_yet(vine, seeds))


def _nobody_yet(vine: Vine, seeds: Collection[Address]) -> str:
    where, why = ", ".join(map(address_text, seeds)), why_nobody(vine, seeds)
    told = f"; {why}" if why else ""
    return f"vines agent: nobody answered yet: {where}{told}; it is tried on"


def _listening(vine: Vine, label: str) -> Story:
    address = address_text(vine.address)
    words = f"{address} as {vine.name}" + (f" in cluster {label!r}" if label else "")
    fields = {
        "event": "listening",
        "address": address,
        "id": vine.id.hex(),
        "name": vine.name,
        "cluster": label,
    }
    return Story("listening", words, fields)
