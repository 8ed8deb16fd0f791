"""Writing: what a link is given to write, and how much of the data table at once.

What came on one link mostly leaves on some others, and is all that is owed there: all of them get
the same frame, made once. Else the dialogue is asked for the most urgent one. Where a ballot went
lately the data table comes in small portions, as another may have to wait behind them.
"""

from __future__ import annotations

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.links import Link
from vines.protocol.machine import Outbox
from vines.protocol.replicas.channel import Channel
from vines.protocol.traffic import Traffic
from vines.protocol.wire.messages import DATA, delta_of_data

if TYPE_CHECKING:
    from vines.protocol.dialogue import Dialogue
    from vines.protocol.replicas.flushing import Target

URGENT_SECONDS: Final = 1.0
"""After a ballot on a link its data comes in small portions for so long: others may follow."""
URGENT_FRAME_BYTES: Final = 8 * 1024


class Writing:
    """The frames of one node's links, on their way into its outbox."""

    __slots__ = (
        *("_body", "_bulk", "_flushing", "_framed", "_outbox", "_traffic"),
        *("dialogue", "now"),
    )

    dialogue: Dialogue
    """Who knows what there is to say; set by whoever makes both."""

    def __init__(
        self,
        config: Config,
        outbox: Outbox,
        traffic: Traffic,
        flushing: dict[int, Target],
        now: float,
    ) -> None:
        self.now = now
        """When the node was last advanced."""
        self._bulk = config.frame_bytes
        self._outbox = outbox
        self._traffic = traffic
        self._flushing = flushing
        """The flushes that somebody waits for."""
        self._body = self._framed = b""
        """What was last written to a link in this turn: others mostly get the same."""

    def write(self, link: Link, frame: bytes) -> None:
        """Write a frame."""
        self._outbox.write(link.number, frame)
        link.unsent += len(frame)
        self._traffic.written(frame)

    def frame(self, link: Link, room: bool) -> bytes | None:
        """The most urgent frame for a link; without room, nothing of the data table."""
        self._allow(link)
        return self.dialogue.frame(link, self.now, room=room)

    def news(self, link: Link) -> bytes | None:
        """A frame of data that has come, for a link on which nothing else is owed; b"" if there is
        none for it. None: `frame` knows what there is to say.
        """
        if self._flushing:
            return None
        channel = self._allow(link)
        body = channel.news()
        link.spent = channel.spent
        if not body:
            return body
        if body is not self._body:
            self._body, self._framed = body, delta_of_data(body)
        return self._framed

    def forget(self) -> None:
        """The turn is over."""
        self._body = self._framed = b""

    def is_urgent(self, link: Link) -> bool:
        """Whether somebody waits for what is told on a link besides the tables."""
        return self.now < link.urgent + URGENT_SECONDS

    def _allow(self, link: Link) -> Channel:
        """The link's channel of data, which may take as much now as it should."""
        channel = link.channels[DATA]
        channel.budget = self._bulk
        if self.now < link.urgent + URGENT_SECONDS:
            channel.budget = min(URGENT_FRAME_BYTES, self._bulk)
        return channel
