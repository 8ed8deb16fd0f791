"""Channel: one table on one link; what is owed to the peer, as state instead of as a queue.

Nothing that arrives is answered on the spot: it is noted here that an answer is owed, and `frame`
makes it when the link has room. So a peer that asks without ever reading costs a few fields, and
an answer says what is true when it leaves. Live-record joins and the tree have their fields here
and their rules in joining.py and spreading.py. It must not know links or time.
"""

from __future__ import annotations

from collections import deque
from math import inf

from vines._core.digest import pull_page
from vines._core.table import Progress, Table
from vines.hints import Final
from vines.protocol.replicas.telling import Telling
from vines.protocol.wire.messages import (
    BEGIN,
    COMPLETE,
    END,
    WANT,
    Announce,
    Delta,
    Detail,
    Digest,
    Floor,
    Graft,
    Join,
    Prune,
    Pull,
    Snapshot,
    Vector,
)

PULLS_MAX: Final = 2048
"""Sources pulled at once, about 46 KB; with more, the whole vector is the shorter question."""


class Channel:
    """What this node knows and owes about one table on one link."""

    __slots__ = (
        "announce_owed",
        "awaiting",
        "budget",
        "caught_up",
        "complete_owed",
        "confirmed",
        "differed",
        "digest_owed",
        "direct",
        "eager",
        "floor_owed",
        "floor_told",
        "floors",
        "floors_owed",
        "graft_owed",
        "grafts",
        "healed",
        "heard",
        "join_asked",
        "join_owed",
        "joinable",
        "joining",
        "number",
        "owing",
        "page_next",
        "page_owed",
        "pages",
        "pages_marks",
        "patience",
        "progress",
        "prune_owed",
        "pruned",
        "pulling",
        "recounted",
        "pulls",
        "sequence",
        "served",
        "spent",
        "table",
        "telling",
    )

    def __init__(self, number: int, table: Table, budget: int) -> None:
        self.number = number
        self.table = table
        self.budget = budget
        self.progress = Progress(table)
        self.telling = Telling(table, budget)
        self.served = -1
        """The table's sequence when nothing was left to send; -1: look again."""
        self.spent = False
        """What `frame` made last was the end of all that is owed: nobody need ask again."""
        # Of the tree on which records travel; spreading.py decides.
        self.eager = True
        """What comes is sent here; else it is announced."""
        self.direct = False
        """What this node writes itself is sent here all the same."""
        self.owing = False
        """They have shown what they lack, and get it, eager or not."""
        self.announce_owed = False
        self.graft_owed = False
        self.grafts: dict[bytes, int] = {}
        """Sources to be asked for with the graft, and what is held of them."""
        self.prune_owed = False
        self.pruned = False
        """They were told to send no more."""
        self.pages: deque[bytes] = deque()
        """Pages of our vector still to be written."""
        self.pages_marks = 0
        self.awaiting = False
        """Our vector went out with the wish for theirs, which has not come."""
        self.pulls: dict[bytes, int] = {}
        self.pulling = False
        """Ranges were refused and the tables have not been equal since."""
        self.digest_owed: int | None = None
        """Marks of a digest to be sent."""
        self.complete_owed = False
        """Once nothing is left to send they are to be told so."""
        self.caught_up = False
        """All they held at some time is held here."""
        self.confirmed = -inf
        """When the peer, which listens nowhere, was last told that it holds the same."""
        self.differed = 0
        """Comparisons in a row that came out different."""
        self.patience = 2
        """How many of those it takes to exchange vectors."""
        self.sequence = -1
        """The table's at the last comparison."""
        self.healed = False
        """A join was asked for because equal vectors had led to different tables."""
        self.recounted = False
        """Before that the strays here were counted anew, or are being counted."""
        # As the one who serves a join.
        self.floor_owed = False
        self.floor_told = False
        """They know that they have to join, as far as their last vector goes."""
        self.joining = False
        """As the one who joins: pages of it have been merged."""
        self.joinable = False
        """They were told, and may ask for pages."""
        self.floors_owed: deque[bytes] = deque()
        self.page_owed: int | None = None
        """The cursor of the page they asked for."""
        self.page_next = 0
        """The cursor they may ask for next, beside 0."""
        # As the one who joins.
        self.floors: list[bytes] | None = None
        """Floor pages of the join under way on this link; None: there is none."""
        self.join_owed: int | None = None
        """The cursor to ask for."""
        self.join_asked = False
        """A page was asked for and has not come."""
        self.heard = 0.0
        """When the join last came forward."""

    def greet(self, fingerprint: bytes) -> bool:
        """The peer's fingerprint came with its hello; False if vectors have to be exchanged."""
        if self.table.fingerprint() != fingerprint:
            return False
        self.progress.assume_equal()
        # Another thread may have written in between; equal again means that it did not.
        self.caught_up = self.table.fingerprint() == fingerprint
        return self.caught_up

    def tell(self, marks: int) -> None:
        """Send our vector; with WANT, ask for theirs."""
        self.pages_marks = marks | (self.pages_marks if self.pages else 0)
        self.pages = deque(self.telling.pages(acquainted=self.progress.ready))
        self.awaiting = self.awaiting or marks == WANT
        self.pulls.clear()

    def tell_again(self, detail: Detail) -> None:
        """Our vector did not tell them what they asked it for: send it in another form."""
        self.pages = deque(self.telling.again(detail))
        self.pages_marks = WANT if self.awaiting else 0

    def pull(self, refused: list[tuple[bytes, int]]) -> None:
        """Ranges of theirs began above what is held here."""
        self.pulling = True
        self.pulls.update(refused)
        if len(self.pulls) > PULLS_MAX:
            self.tell(0)

    def wake(self) -> None:
        """What the peer holds was learned anew: look again for what it lacks."""
        self.served = -1
        self.complete_owed = self.owing = True

    def ask(self, wanted: dict[bytes, int]) -> None:
        """Be eager, both ways: they are asked for these sources above these counters."""
        self.thicken()
        self.graft_owed = True
        self.grafts.update(wanted)
        self.prune_owed = self.pruned = False

    def thicken(self) -> None:
        """Send what comes from now on, and what was passed over until now."""
        if not self.eager:
            self.eager = True
            self.announce_owed = False
            self.served = -1
            self.progress.resume()

    def thin(self, *, told: bool) -> None:
        """Announce what comes; they are told to do the same, unless they said it."""
        self.eager = self.graft_owed = False
        self.grafts.clear()
        self.prune_owed = told
        self.pruned = self.pruned or told

    @property
    def open(self) -> bool:
        """Whether what comes anew is sent here, or some of it; else there is no need to look."""
        return self.eager or self.direct or self.owing

    @property
    def settled(self) -> bool:
        """Whether a comparison of fingerprints would mean anything now."""
        busy = self.awaiting or self.pages or self.floors is not None or self.telling.owed
        return self.progress.ready and not busy

    @property
    def drained(self) -> bool:
        """Whether the peer was given everything that it lacks."""
        progress = self.progress
        lacking = progress.below_floor or progress.doubtful
        return progress.ready and not lacking and self.served == self.table.sequence

    def news(self) -> bytes | None:
        """The body of a delta of what has come, where nothing else was owed; b"" if they get none
        of it. None: ask `frame` what there is to say.
        """
        self.spent = True
        everything = self.eager or self.owing
        if not everything and not self.direct:
            return b""
        progress = self.progress
        if self.complete_owed or self.announce_owed or not progress.ready:
            return None
        table = self.table
        sequence = table.sequence
        body = table.delta(progress, self.budget, not everything)
        if progress.below_floor or progress.doubtful:
            self.spent = False
            return body
        if body is None or progress.idle():
            self.served = sequence
            self.owing = False
        self.spent = self.served == table.sequence
        return body or b""

    def frame(self) -> bytes | None:
        """The most urgent frame, None if nothing is owed: questions before answers before bulk."""
        self.spent = False
        if self.floor_owed:
            return self._floor()
        if self.join_owed is not None:
            cursor, self.join_owed, self.join_asked = self.join_owed, None, True
            return Join(self.number, cursor).encode()
        if self.pulls:
            page = pull_page(list(self.pulls.items()))
            self.pulls.clear()
            return Pull(self.number, page).encode()
        if self.telling.owed is not None:
            owed, self.telling.owed = self.telling.owed, None
            return Detail(self.number, owed.form, owed.cells, owed.keys).encode()
        if self.graft_owed or self.prune_owed:
            return self.word()
        if self.digest_owed is not None:
            marks, self.digest_owed = self.digest_owed, None
            return Digest(self.number, self.table.fingerprint(), marks).encode()
        if self.pages:
            return Vector(self.number, self.pages_marks, self.pages.popleft()).encode()
        if self.floors_owed or self.page_owed is not None:
            return self._snapshot()
        # Mostly there is nothing: this is asked of every link at every change.
        if self.progress.ready and self.table.sequence != self.served:
            delta = self._delta()
            if self.progress.doubtful and not self.awaiting:
                self.tell(WANT)
                return Vector(self.number, WANT, self.pages.popleft()).encode()
            if delta is not None:
                # All that is more urgent was looked at above, and was not owed.
                more = self.complete_owed or self.announce_owed
                self.spent = not more and self.served == self.table.sequence
                return delta
        return self._announcement() if self.announce_owed else None

    def word(self) -> bytes | None:
        """What is owed about the tree, a few bytes that wait for no room."""
        if self.graft_owed:
            page = pull_page(list(self.grafts.items()))
            self.graft_owed = False
            self.grafts.clear()
            return Graft(self.number, page).encode()
        if self.prune_owed:
            self.prune_owed = False
            return Prune(self.number).encode()
        return None

    def _snapshot(self) -> bytes:
        """The next part of a join that the peer asked for."""
        if self.floors_owed:
            return Snapshot(self.number, BEGIN, 0, self.floors_owed.popleft()).encode()
        assert self.page_owed is not None, "called when one of both is owed"
        body, cursor = self.table.page(self.page_owed, self.budget)
        self.page_owed = None
        self.page_next = cursor or 0
        if cursor is None:
            self.progress.joined()
        self.joinable = cursor is not None
        return Snapshot(self.number, 0 if cursor else END, cursor or 0, body).encode()

    def _delta(self) -> bytes | None:
        """What the peer is to get; when that is nothing, what follows from it."""
        sequence = self.table.sequence
        everything = self.eager or self.owing
        if everything or self.direct:
            body = self.table.delta(self.progress, self.budget, not everything)
            if body is not None:
                if self.progress.idle() and not (self.complete_owed or self.progress.below_floor):
                    self.served = sequence
                    self.owing = False
                return Delta(self.number, body, 0).encode()
        self.served = sequence
        self.owing = False
        if self.progress.below_floor:
            if not self.floor_told:
                return self._floor()
        elif self.complete_owed and not self.progress.doubtful:
            self.complete_owed = False
            return Digest(self.number, self.table.fingerprint(), COMPLETE).encode()
        return None

    def _announcement(self) -> bytes | None:
        """What the peer may lack and is not sent."""
        page = self.table.announce(self.progress, self.budget, self.direct)
        self.announce_owed = page is not None and len(page) > self.budget // 2
        if page is None:
            return self._floor() if self.progress.below_floor and not self.floor_told else None
        return Announce(self.number, page, 0).encode()

    def _floor(self) -> bytes:
        """Tell the peer to join."""
        self.floor_owed = False
        self.floor_told = self.joinable = True
        return Floor(self.number).encode()
