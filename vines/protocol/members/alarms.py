"""Alarms: one member that alone accuses most others, while they are there to object.

It hears nobody, or computes, or lies. Its accusations kill nobody, since who is accused has time to
object; but somebody should look at it. An accusation counts that nobody else made, and that its
subject answered: half a cluster that is cut off is accused by several, and answers nothing. It must
not know how members are accused, or what is told of it.
"""

from __future__ import annotations

from vines.hints import Final

ALARM_SECONDS: Final = 60.0
"""How long an accusation in vain is counted, and how long there is silence after an alarm."""
SUBJECTS_MIN: Final = 3
"""Fewer that were accused in vain are no alarm, however few others there are."""
SUBJECTS_MAX: Final = 16
"""So many are one, however many others there are; no more are counted."""
ACCUSERS_MAX: Final = 64
"""Members that are counted for at once."""


class Alarms:
    """Who accused whom in vain, lately."""

    def __init__(self) -> None:
        self._accused: dict[bytes, dict[bytes, float]] = {}
        self._quiet: dict[bytes, float] = {}

    def count(self, accuser: bytes, subject: bytes, others: int, now: float) -> int:
        """A member alone accused one of so many others in vain. How many it were lately, if those
        are most of them, or very many, and that was not said just now; else 0.
        """
        if self._quiet.get(accuser, now) > now:
            return 0
        self._quiet.pop(accuser, None)
        accused = self._accused.pop(accuser, {})
        accused = {each: when for each, when in accused.items() if when + ALARM_SECONDS > now}
        accused[subject] = now
        count = len(accused)
        if count >= SUBJECTS_MIN and (2 * count > others or count >= SUBJECTS_MAX):
            _make_room(self._quiet)
            self._quiet[accuser] = now + ALARM_SECONDS
            return count
        _make_room(self._accused)
        self._accused[accuser] = accused
        return 0


def _make_room(of: dict[bytes, float] | dict[bytes, dict[bytes, float]]) -> None:
    """Forget who was there for longest, where there are too many."""
    if len(of) >= ACCUSERS_MAX:
        del of[next(iter(of))]
