"""Pushing: which link writes its next frame now, and when there is nothing more to write.

Every link with room and something owed writes one frame in turn, so that no link waits for
another's backlog; a turn writes a bounded number of frames and goes on in the next. When nothing
was written to a table since, and nobody is owed anything, a turn compares two numbers and looks
at nobody. A link on which nothing was owed before data came is not asked for the most urgent frame:
there is one. It must not know what the frames mean.
"""

from __future__ import annotations

from vines._core.table import Table
from vines.config import Config
from vines.hints import Final
from vines.protocol.links.links import Link
from vines.protocol.wire.messages import CONTROL, DATA
from vines.protocol.writing import Writing

FRAMES_PER_TURN: Final = 32
"""2 MiB, some three milliseconds: a turn must stay under ten."""

URGENT_WINDOW_BYTES: Final = 16 * 1024
"""Of data that may wait on a link on which ballots go: two small frames."""


class Pusher:
    """The turn order of links that may have something to write."""

    def __init__(self, config: Config, tables: tuple[Table, Table], writing: Writing) -> None:
        self._window = config.link_window
        self._reserve = config.link_window + config.frame_bytes
        self._control, self._data = tables
        self._writing = writing
        self._control_sequence = self._data_sequence = -1
        """Those of the tables when links were last looked at."""
        self._ready: dict[int, Link] = {}

    def wake(self, link: Link) -> None:
        """Something is owed on this link."""
        if link.unsent < self._reserve:
            self._ready[link.number] = link
        else:
            link.blocked = True

    def takes(self, link: Link) -> bool:
        """Whether a link has room for what is neither table's: beyond that it is not said."""
        return link.unsent < self._reserve

    def sent(self, link: Link) -> None:
        """The driver took bytes of this link; it may have room again."""
        if link.blocked and link.unsent < self._room(link):
            self.wake(link)

    def _is_plain(self, link: Link) -> bool:
        """Whether nothing was owed on a link, or waits there."""
        return not (link.unsent or link.blocked or link.number in self._ready)

    def _room(self, link: Link) -> int:
        """Bytes of the data table that may wait on a link: a ballot waits behind them."""
        return (
            min(URGENT_WINDOW_BYTES, self._window)
            if self._writing.is_urgent(link)
            else self._window
        )

    def remove(self, link: Link) -> None:
        """A link is gone."""
        self._ready.pop(link.number, None)

    def has_more(self) -> bool:
        """Whether another turn would write something, or look for it."""
        return (
            bool(self._ready)
            or self._control.sequence != self._control_sequence
            or self._data.sequence != self._data_sequence
        )

    def push(self, links: list[Link]) -> bool:
        """Write what is owed, up to a turn's bound; whether a table has changed."""
        control_sequence, data_sequence = self._control.sequence, self._data.sequence
        control = control_sequence != self._control_sequence
        data = data_sequence != self._data_sequence
        changed = control or data
        writing = self._writing
        written = 0
        if changed:
            self._control_sequence, self._data_sequence = control_sequence, data_sequence
            for link in links:
                if not link.channels:
                    continue
                channel = link.channels[DATA]
                if data and (channel.eager or channel.direct or channel.owing):
                    if not control and written < FRAMES_PER_TURN and self._is_plain(link):
                        news = writing.news(link)
                        if news:
                            written += 1
                            writing.write(link, news)
                        if news is not None and link.spent:
                            continue
                    self.wake(link)
                elif control and link.channels[CONTROL].open:
                    self.wake(link)
        for _ in range(FRAMES_PER_TURN - written):
            if not self._ready:
                break
            link = self._ready.pop(next(iter(self._ready)))
            # The reserve is for questions, answers and the control table: data stays behind.
            room = not link.unsent or link.unsent < self._room(link)
            frame = writing.frame(link, room)
            link.blocked = frame is None and not room
            if frame is not None:
                writing.write(link, frame)
                if not link.spent:
                    self.wake(link)
        return changed
