"""The schedule: when each of a node's matters is looked at next.

It knows of a matter when that has something to do; not what.
"""

from __future__ import annotations

from math import inf
from typing import Final

from vines._core.agenda import Agenda
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.records import Key

PASSED_MAX: Final = 1_000
"""Times at which nothing is left to do, beyond as many as there are matters, that are kept."""
_PASSED_MAX: Final = PASSED_MAX


class Schedule:
    """When these matters are looked at; what a matter is not scheduled for is passed over."""

    def __init__(self, matters: dict[Key, Matter]) -> None:
        self._matters = matters
        self._due = Agenda()

    def __len__(self) -> int:
        return len(self._due)

    def put(self, matter: Matter) -> None:
        """It may have something to do earlier than before, or at last."""
        if matter.value:
            return
        due = matter.due()
        if due < matter.scheduled:
            matter.scheduled = due
            if due == matter.deadline:
                if matter.queued:
                    return
                matter.queued = True
            self._due.put(due, matter.key)
            if len(self._due) > 2 * len(self._matters) + _PASSED_MAX:
                self._drop_passed()

    def take(self, now: float) -> Matter | None:
        """One that is to do what is due, and is scheduled no more; None if none is."""
        while entry := self._due.take(now):
            when, key = entry
            matter = self._matters.get(key)
            if matter is None:
                continue
            if when == matter.deadline:
                matter.queued = False
            if matter.scheduled == when:
                matter.scheduled = inf
                return matter
        return None

    def next(self) -> float:
        """When `take` has one; infinity if never."""
        return self._due.next()

    def _drop_passed(self) -> None:
        """What is scheduled for the far future may be decided long before."""
        for matter in self._matters.values():
            matter.queued = matter.scheduled == matter.deadline
        self._due.keep(
            [
                (matter.scheduled, key)
                for key, matter in self._matters.items()
                if not matter.value and matter.scheduled < inf
            ]
        )
