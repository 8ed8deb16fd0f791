"""Definitions of elections, made and changed by all their parts."""

from __future__ import annotations

from typing import Any

from vines.protocol.elections.messages import Definition, Terms


def defined(topic: str, round: int, *terms: Any, **named: Any) -> Definition:
    """The definition of these terms."""
    return Definition(topic, round, Terms(*terms, **named))


def changed(definition: Definition, **changes: Any) -> Definition:
    """The same with other parts."""
    topic = changes.pop("topic", definition.topic)
    number = changes.pop("round", definition.round)
    return Definition(topic, number, definition.terms.replace(**changes))
