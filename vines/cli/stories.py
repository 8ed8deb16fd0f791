"""What an event is in one line for people, and in one JSON object for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from vines import events
from vines.cli.exits import as_typed
from vines.cli.output import BOLD, CYAN, DIM, GREEN, RED, YELLOW, Output, now_text, shown, shown_key
from vines.events import Member
from vines.protocol.machine import Address

EVENT_WIDTH: Final = 8
"""Room for the longest of the frequent names, so that what follows is aligned."""

STYLES: Final = {
    "listening": BOLD,
    "join": GREEN,
    "fail": RED,
    "leave": YELLOW,
    "update": CYAN,
    "gossip": "",
    "delete": "",
    "lapse": "",
    "synced": DIM,
}
"""Of the name of an event; what is not listed here deserves attention."""

MEMBER_EVENTS: Final = ("join", "suspect", "fail", "leave", "update")
"""Those that tell of a member."""


@dataclass(frozen=True, slots=True)
class Story:
    """One event: its name, the rest of the line, and all of it as fields."""

    event: str
    words: str
    fields: dict[str, Any]

    def text(self, output: Output) -> str:
        """The line, with the time of day."""
        style = STYLES.get(self.event, YELLOW)
        name = self.event.ljust(EVENT_WIDTH)
        if style:
            name = output.paint(name, style)
        return f"{output.paint(now_text(), DIM)}  {name} {self.words}"


def of_event(name: str, event: Any, key: str | None = None) -> Story:
    """The story of an event that a vine tells by this name; `key` if only that was listened to."""
    if name in ("gossip", "delete", "lapse"):
        return _of_change(name, event, key)
    if name in MEMBER_EVENTS:
        return _story(name, member_words(event.member), **member_fields(event.member))
    match event:
        case events.Synced():
            return _story(name, f"with {event.member.hex()[:8]}", member=event.member.hex())
        case events.Refused():
            return _of_refusal(name, event)
        case events.Conflict():
            text = as_typed(event.text)
            return _story(name, text, kind=event.kind, text=text)
        case events.ClockSuspect():
            return _of_clock(name, event)
        case events.Outcome():
            choice = "" if event.choice is None else f" {choice_text(event)}"
            words = f"{shown_key(event.topic)}: {event.kind}{choice}"
            return _story(name, words, **outcome_fields(event))
        case events.Quota():
            return _of_quota(name, event)
        case events.Lagged():
            return _story(name, f"{event.count:,} changes were skipped", count=event.count)
    raise AssertionError(f"nobody tells of {name!r}")


def voter_text(voter: bytes | str) -> str:
    """A voter as others can name it: its name, or its id in hex."""
    return voter if isinstance(voter, str) else voter.hex()


def address_text(address: Address | None) -> str:
    """An address as it can be given to --join; "-" for none."""
    if address is None:
        return "-"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tags_text(member: Member) -> str:
    """The tags as they are given to --tag."""
    return ",".join(f"{key}={value}" for key, value in sorted(member.tags.items()))


def member_words(member: Member) -> str:
    """A member in a few words."""
    words = [member.name, address_text(member.address), tags_text(member)]
    if member.address is None:
        words[1] = "observes" if member.observer else "does not listen"
    return "  ".join(filter(None, words))


def member_fields(member: Member) -> dict[str, Any]:
    """A member as JSON."""
    return {
        "id": member.id.hex(),
        "name": member.name,
        "address": None if member.address is None else address_text(member.address),
        "state": member.state,
        "suspected": member.suspected,
        "observer": member.observer,
        "tags": dict(member.tags),
    }


def choice_text(outcome: events.Outcome) -> str:
    """What was chosen, as it is said to `vines vote`; "-" for nothing."""
    if outcome.choice is None:
        return "-"
    return "yes" if outcome.choice is True else shown_key(str(outcome.choice))


def outcome_fields(outcome: events.Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    return {
        "topic": outcome.topic,
        "round": outcome.round,
        "outcome": outcome.kind,
        "choice": outcome.choice,
        "owner": None if outcome.owner is None else voter_text(outcome.owner),
        "votes": {voter_text(voter): choice for voter, choice in outcome.votes.items()},
    }


def _story(event: str, words: str, /, **fields: Any) -> Story:
    return Story(event, words, {"event": event, **fields})


def _of_change(name: str, event: Any, key: str | None) -> Story:
    if name in ("delete", "lapse"):
        return _story(name, shown_key(event.key), key=event.key)
    # A listener of one key gets the bare value.
    if key is None or key.endswith("*"):
        key, event = event.key, event.value
    return _story(name, f"{shown_key(key)} = {shown(event)}", key=key, value=event)


def _of_quota(name: str, event: events.Quota) -> Story:
    words = f"{event.level}: {event.keys:,} of {event.keys_max:,} keys"
    words += f", {event.bytes:,} of {event.bytes_max:,} bytes"
    fields = {field: getattr(event, field) for field in event.fields}
    return _story(name, words, **fields)


def _of_refusal(name: str, event: events.Refused) -> Story:
    who = "somebody" if event.address is None else address_text(event.address)
    words = f"{'by us: ' if event.by_us else 'by '}{who} ({event.reason}): {event.text}"
    if event.reason == "cluster":
        words += "; --cluster names it"
    return _story(
        name,
        words,
        address=None if event.address is None else who,
        reason=event.reason,
        text=event.text,
        by_us=event.by_us,
    )


def _of_clock(name: str, event: events.ClockSuspect) -> Story:
    words = f"{event.name} is over a minute off"
    if event.skew_seconds is not None:
        words = f"{event.name} is {event.skew_seconds:+.1f} s off"
    return _story(name, words, name=event.name, skew_seconds=event.skew_seconds)
