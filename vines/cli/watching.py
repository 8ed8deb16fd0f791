"""`watch` and `members`: what a cluster holds now, and what changes."""

from __future__ import annotations

from argparse import Namespace

from vines.callbacks.listeners import encode_pattern
from vines.cli.connecting import connected
from vines.cli.exits import DONE
from vines.cli.following import Following
from vines.cli.output import Output
from vines.cli.stories import MEMBER_EVENTS, address_text, member_fields, tags_text
from vines.events import Member

TITLES = ("NAME", "ADDRESS", "STATE", "TAGS", "ID")


def watch(arguments: Namespace, output: Output) -> int:
    """Print the values of keys, then their changes, until a signal."""
    encode_pattern(arguments.pattern)
    following = Following(output)
    with connected(arguments) as vine:
        following.keys(vine, arguments.pattern)
        return following.wait()


def members(arguments: Namespace, output: Output) -> int:
    """Print the members, perhaps then who comes and goes, until a signal."""
    following = Following(output)
    with connected(arguments) as vine:
        if arguments.watch:
            following.events(vine, *MEMBER_EVENTS)
        # This process is a member only in order to look.
        found = [one for one in vine.members(gone=arguments.all) if not one.local]
        if output.as_json:
            for member in found:
                output.line("", **member_fields(member))
        else:
            output.table(TITLES, [_row(member, short=output.terminal) for member in found])
        return following.wait() if arguments.watch else DONE


def _row(member: Member, *, short: bool) -> tuple[str, ...]:
    more = ["observes"] * member.observer + ["suspected"] * member.suspected
    state = ", ".join([member.state, *more])
    address, tags = address_text(member.address), tags_text(member) or "-"
    return (member.name, address, state, tags, member.id.hex()[: 8 if short else None])
