"""Dialogue: what is said on an established link, in both directions, one frame at a time.

On the way in, each message goes to the part that it concerns; a message that no honest peer sends
at this point is a WireError, before anything changed. On the way out, `frame` makes the most urgent
frame: answers and questions of a few bytes first, then the control table, then data.
"""

from __future__ import annotations

from collections.abc import Callable

from vines._core.table import CALL, DECISION, MEMBER, VOTE, Table
from vines.errors import UNEXPECTED, WireError
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.handshake import Handshake
from vines.protocol.links.linking import Linking
from vines.protocol.links.links import Link
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.members.detector import Detector
from vines.protocol.replicas.collecting import REPORT
from vines.protocol.replicas.flushing import Flushes
from vines.protocol.replicas.replication import Replication
from vines.protocol.replicas.retiring import Retiring
from vines.protocol.wire.hello import Hello, Refuse
from vines.protocol.wire.messages import CONTROL, DATA, TABLE_MESSAGES, Message
from vines.protocol.wire.probe import StreamAck, StreamProbe
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong, Shed

if TYPE_CHECKING:
    from vines.protocol.elections.elections import Elections

MEMBER_FAMILIES: Final = (MEMBER, ACCUSATION)
"""Families of records that say who is a member: mostly a frame holds none, or nothing else."""
ELECTION_FAMILIES: Final = (DECISION, CALL, VOTE)
"""Families of records that elections know what to do with."""


class Dialogue:
    """The two ends of every established link of one node: listening and speaking."""

    def __init__(
        self,
        tables: tuple[Table, Table],
        handshake: Handshake,
        linking: Linking,
        replication: Replication,
        flushes: Flushes,
        detector: Detector,
        retiring: Retiring,
        renew: Callable[[], None],
        reported: Callable[[float], None],
        elections: Callable[[], Elections],
    ) -> None:
        self._control, self._data = tables
        self._handshake = handshake
        self._linking = linking
        self._replication = replication
        self._flushes = flushes
        self._renew = renew
        self._reported = reported
        self._elections = elections
        self._detector = detector
        self._retiring = retiring
        self.ahead = 0
        """Records of the data table from the future, when they were last looked at."""
        self._pings = 0

    def receive(self, link: Link, message: Message, now: float) -> None:
        """Take a message. WireError, before anything changed, if it is out of turn."""
        if isinstance(message, TABLE_MESSAGES):
            limit = self._handshake.stamp_limit()
            changes = self._replication.receive(link, message, now, limit)
            if changes:
                if changes.holds(MEMBER_FAMILIES):
                    self._linking.learn(changes, now)
                    self._detector.learn(changes, now)
                self._retiring.learn(changes, now)
                if changes.holds((REPORT,)):
                    self._reported(now)
                if changes.holds(ELECTION_FAMILIES):
                    self._elections().learn(changes, now)
            self.check_tables(link, now)
            return
        match message:
            case Hello():
                raise WireError("a second hello", UNEXPECTED)
            case Refuse():
                self._linking.dismissed(link, message, now)
            case Ping():
                if link.pong is not None:
                    raise WireError("a ping before the last one was answered", UNEXPECTED)
                link.pong = message.token
            case Pong():
                if link.pinged != message.token:
                    raise WireError("an answer to a ping that nobody sent", UNEXPECTED)
                link.pinged = None
            case Flush():
                if link.answer is not None:
                    raise WireError("a flush before the last one was answered", UNEXPECTED)
                link.answer = (message.token, message.source)
            case Flushed():
                self._flushes.answered(link, message, self._linking.links.established(), now)
                self._linking.admission.demand = self._flushes.members
            case Shed():
                self._linking.asked_to_shed(link, message, now)
            case StreamProbe():
                link.said = now
                self._linking.knocks.missed(now)
                member, token, probe = link.member, message.token, message.probe
                link.ack = self._detector.probed(member, token, probe, now, stream=True)
            case StreamAck():
                link.said = now
                self._detector.acked(link.member, message.ack, now, stream=True)
            case _:
                link.said = link.urgent = now
                self._elections().receive(link.member, message.ballots, now)

    def frame(self, link: Link, now: float, *, room: bool) -> bytes | None:
        """The most urgent frame for a link; without room, nothing of the data table. When nothing
        is left to say after it, the link is `spent`.
        """
        link.spent = False
        if link.pong is not None:
            token, link.pong = link.pong, None
            return Pong(token).encode()
        if link.ack is not None:
            ack, link.ack = link.ack, None
            return StreamAck(ack).encode()
        if link.answer is not None:
            (token, source), link.answer = link.answer, None
            held = self._control.covered(source), self._data.covered(source)
            return Flushed(token, *held).encode()
        if link.need_owed:
            link.need_owed = False
            return Shed(True).encode()
        frame = link.channels[CONTROL].frame()
        if frame is not None:
            return frame
        if link.ping:
            self._pings += 1
            link.ping, link.pinged = False, self._pings
            return Ping(self._pings).encode()
        flushing = self._flushes.targets
        question = self._flushes.question(link, now) if flushing else None
        if question is not None:
            return question.encode()
        channel = link.channels[DATA]
        frame = channel.frame() if room else channel.word()
        link.spent = room and not flushing and channel.spent
        return frame

    def check_tables(self, link: Link, now: float) -> None:
        """What a frame did to the tables beyond its records."""
        if self._control.overtaken or self._data.overtaken:
            self._renew()
        if self._data.ahead != self.ahead:
            self.ahead = self._data.ahead
            assert link.hello is not None, "records come over established links only"
            self._handshake.suspect(link.hello, now)
