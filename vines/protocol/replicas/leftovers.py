"""Leftovers: what the control table keeps of members that are gone for good, and how it goes.

A process leaves more behind than its source: its last report of collecting, and its member record,
of which nothing but key and stamp is left once it has lapsed. Nobody needs them any more, and they
go at each node by itself, without tombstones. None of them is in a fingerprint, so nobody notices
if others do it sooner or later; and none comes again, as its position is covered.

* A report goes as soon as its author's source is known to be retired: nobody writes under it again.
  So does an accusation, which nobody believes any more.
* What is left of a member record says to those who were away that a member is gone. It goes once
  they would find that out without it: once every source that counts is known to be retired, or that
  another member wrote under it since, and all the living have agreed since it lapsed. Those of the
  member are among these, whichever they were; before the others agree they may have yet to come. So
  is a fresh one of its own, where it was started on an old copy of its disk, at an incarnation
  below: what is left has to tell it to object. Where that went before it joined, and covered it,
  those who hold it still tell it in a probe (Detector.unlike).
* So does what is left of other accusations, which says nothing at all.
* What is left of a record that retired sources, and was let lapse, goes at once: it lapses once
  nobody is away any more who has not heard of it.
* A member record that says alive, and whose source is retired, is void at every node: it goes, and
  its member is held dead from then on. Nothing has to be written for that. A member that lives all
  the same says so under a fresh source, once it hears that; who is linked to it waits for it, and
  who knows more of that source than was said to be all.

It must not know links or datagrams, nor how sources are retired.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.changes import Changes
from vines._core.table import EXPIRING, MEMBER, TOMBSTONE, Table
from vines.events import DEAD
from vines.hints import Final
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.members.profile import RANKS
from vines.protocol.replicas.batches import RETIRED
from vines.protocol.replicas.collecting import REPORT

FAMILIES: Final = (MEMBER, ACCUSATION)
"""Of records that lapse, and of which what is left then may go."""
GRACE_SECONDS: Final = 1.0
"""From a source that is said to be retired to looking whether somebody is held alive who writes
under it: what else is said of that one comes at the same time, and it may say something itself."""
VOID: Final = (REPORT, ACCUSATION)
"""Of records that nobody believes once their author's source is retired."""
VOIDABLE: Final = 128
"""Such records, looked at in one turn: less than a millisecond."""
SLOTS: Final = 8192
"""Of the table's index, looked at in one turn: some hundred microseconds."""
ENDED_MAX: Final = 4096
"""Records that go at once, and are remembered until then; others follow."""
_DEAD: Final = RANKS.index(DEAD)
_LAPSED: Final = EXPIRING | TOMBSTONE


class Leftovers:
    """What is left at one node of members that are gone."""

    def __init__(
        self,
        identity: Identity,
        members: Membership,
        control: Table,
        agreed: Callable[[], float],
        mourn: Callable[[bytes, float], None],
        cleared: Callable[[bytes], None],
    ) -> None:
        self._identity = identity
        self._members = members
        self._control = control
        self._retired = control.gone
        self._agreed = agreed
        """Since when all the living cover what this node covered then."""
        self._mourn = mourn
        self._cleared = cleared
        """Told the keys of accusations that went."""
        self._look: tuple[int, int] | None = None
        """How far the look at what may be void has come: in which of its families, and where."""
        self._stray = False
        """One lies above what is covered, and would come again."""
        self.retirements = False
        """What lapsed may be such that retired sources: look, whatever else is waited for."""
        self._retirees = inf
        """When to look who is held alive by a source that is retired."""
        self._walk: int | None = None
        """How far the look for what has lapsed has come."""
        self._adds = True
        """What it finds is to go as soon as may be: nothing that lapsed earlier is waited for."""
        self._ended: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        """What had lapsed then, and is to go: family and key, stamp and origin."""
        self._found = -inf
        """When that was found."""
        self._others: set[bytes] = set()
        """Sources others write under, or wrote since that was found."""

    def named(self, now: float) -> None:
        """More sources are known to be retired."""
        self._look = 0, 0
        self._retirees = min(self._retirees, now + GRACE_SECONDS)

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current: they may come late."""
        if self._ended and changes.holds((MEMBER,)):
            # Who says this of itself wrote it under its own source.
            said = (each for each in changes if each[0] == MEMBER and each[4] & 3 != _DEAD)
            self._others.update(origin for *_, origin in said)
        if not (len(self._retired) and changes.holds((MEMBER, *VOID))):
            return
        for family, key, flags, _, _, origin in changes:
            if family not in (MEMBER, *VOID) or self._retired.get(origin) is None:
                continue
            if family == MEMBER:
                self._retirees = min(self._retirees, now + GRACE_SECONDS)
            elif not flags & TOMBSTONE:
                self._drop(family, key)

    def looked(self, unowned: set[bytes], whole: bool) -> None:
        """These are all sources that count, and that nobody writes under; `whole`: and none came
        since the look for them began. What had lapsed before may go, if all of them are of others
        that wrote since. Who has come since, or come back, has to agree first: it may be what is
        left here that tells it what to object to.
        """
        if len(self._retired):
            self._retirees = 0.0  # who was linked may be so no more
        if self._stray:
            self._stray, self._look = False, (0, 0)
        if self._ended:
            self._others = self._others & unowned | self._members.sources()
            waited = (each for each in unowned - self._others if not self._is_told(each))
            if whole and self._found <= self._agreed() and not any(waited):
                self._clear()
        if self._walk is None and self._control.tombstones:
            self._adds = not self._ended
            if self._adds or self.retirements:
                self._walk = 0

    def _is_told(self, source: bytes) -> bool:
        """Whether who comes back, and holds the member of a source alive, finds out by what was
        said of that source: it is retired, though nobody may have all that there was of it, and so
        all count it, for ever.
        """
        last = self._retired.get(source)
        return last is not None and self._control.covered(source) <= last[0]

    def advance(self, now: float) -> None:
        """Go on with what is under way: a turn's worth."""
        if self._look is not None:
            self._look = self._go_on(*self._look)
        if self._walk is not None:
            self._find(now)
        if now >= self._retirees:
            self._retirees = inf
            for member, source in self._members.awaited():
                # Of which more is covered than was said, that one went on, and will hear it.
                if self._is_told(source) and self._members.is_alive(member):
                    self._mourn(member, now)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return self._retirees if self._look is None and self._walk is None else 0.0

    def _go_on(self, number: int, cursor: int) -> tuple[int, int] | None:
        """Look on for what is void, from here; returns where to go on, None at the end."""
        family = VOID[number]
        found, following = self._control.scan(family, b"", cursor, VOIDABLE)
        for change in found:
            if self._retired.get(change[5]) is not None:
                self._drop(family, change[1])
        if following is not None:
            return number, following
        return (number + 1, 0) if number + 1 < len(VOID) else None

    def _drop(self, family: int, key: bytes) -> None:
        held = self._control.get(family, key)
        if held is None or self._retired.get(held[1]) is None:
            return
        if not self._control.collect(family, key, covered=True):
            self._stray = True
        elif family == ACCUSATION:
            self._cleared(key)

    def _find(self, now: float) -> None:
        """Look on for what has lapsed."""
        assert self._walk is not None, "asked before"
        if self._adds:
            self._found = now
            self._others.clear()
        found, self._walk = self._control.lapsed(self._walk, SLOTS)
        for family, key in found:
            if family == RETIRED:
                self._control.collect(family, key)  # nobody is away who would need it
                continue
            held = self._control.get(family, key) if family in FAMILIES else None
            if held is None or not self._adds or len(self._ended) >= ENDED_MAX:
                continue
            if family != MEMBER or (key != self._identity.id and self._members.get(key) is None):
                self._ended[family, key] = held[:2]

    def _clear(self) -> None:
        """Nobody needs any more what had lapsed."""
        for (family, key), rank in self._ended.items():
            held = self._control.get(family, key)
            if held is None or held[:2] != rank or held[2] & _LAPSED != _LAPSED:
                continue
            self._control.collect(family, key)
            if family == ACCUSATION:
                self._cleared(key)
        self._ended = {}
