"""What is missed here of sources that are retired is asked for until somebody gives it, and what
nobody has any more holds up neither that nor anything else.
"""

from __future__ import annotations

import pytest

from vines._core.retired import RetiredSources
from vines._core.table import EXPIRING
from vines.protocol.replicas import missing
from vines.protocol.replicas.missing import ASKED, MISSED_MAX, SELDOM_SECONDS, Missing

from .pump import Host, Pump
from .test_retiring import LOOKS, known, retire

LOST = bytes(15) + b"\x07"
"""A source of which nobody holds anything: whoever did is gone. It is older than all others."""
LONG = 10**9


def part(pump: Pump, one: Host, others: list[Host]) -> None:
    """One is cut off from these."""
    for other in others:
        pump.walls.add(frozenset({one.address, other.address}))
        if one.route(other) is not None:
            pump.cut(one.to(other))


def lease(pump: Pump, there: Host) -> bytes:
    """Somebody comes, writes a key that expires, and leaves; returns its source once that is
    retired.
    """
    guest = pump.host(9)
    pump.join(guest, there)
    pump.run(2.0)
    guest.node.data.put(0, b"lease", EXPIRING, b"\x05", pump.wall() << 16, LONG)
    guest.node.advance(pump.now)
    pump.run(2.0)
    guest.node.leave(pump.now)
    pump.run(1.0)
    pump.kill(guest)
    pump.run(LOOKS)
    assert there.node.data.is_retired(guest.node.source)
    return guest.node.source


def away() -> tuple[Pump, Host, Host, Host, bytes]:
    """Three members, the last of which was away while another one came, wrote and left."""
    pump = Pump()
    a, b, c = pump.cluster(3, dead_retention=86400.0)
    c.write("mine")  # so it is none that comes new
    pump.run(2.0)
    part(pump, c, [a, b])
    pump.run(20.0)
    return pump, a, b, c, lease(pump, a)


@pytest.mark.parametrize("seconds", [10.0, 300.0])
def test_who_is_cut_off_again_as_it_hears_what_it_misses_has_it_once_it_is_back(
    seconds: float,
) -> None:
    pump, a, b, c, source = away()
    pump.walls.clear()
    pump.until(lambda: source in known(c))
    part(pump, c, [a, b])
    assert c.value("lease") is None
    pump.run(seconds)
    pump.walls.clear()
    pump.until(lambda: c.value("lease") is not None)


def test_what_nobody_has_keeps_nobody_from_asking_for_what_somebody_has() -> None:
    pump, a, _, c, _ = away()
    retire(a, LOST, (3, 3))
    pump.run(600.0)
    pump.walls.clear()
    pump.until(lambda: c.value("lease") is not None)
    assert known(c)[LOST] == (3, 3) and c.node.data.covered(LOST) == 0


def test_who_comes_back_with_what_all_others_gave_up_is_found_in_the_end() -> None:
    pump, a, b, c, source = away()
    last = (a.node.control.covered(source), a.node.data.covered(source))
    pump.kill(a)
    d, e = pump.host(4), pump.host(5)
    for host in (d, e):
        pump.walls.add(frozenset({host.address, b.address}))
        pump.join(host, c)
    pump.run(5.0)
    retire(e, source, last)
    pump.run(1.0)
    pump.kill(e)
    pump.run(300.0)
    for host in (c, d):
        assert known(host)[source] == last and host.value("lease") is None
        assert host.node._parts.retiring._missing.is_complete()
    pump.walls.clear()
    pump.until(lambda: b.route(c) is not None and b.route(d) is not None)
    assert c.value("lease") is None and d.value("lease") is None
    pump.run(8 * SELDOM_SECONDS)
    assert c.value("lease") is not None and d.value("lease") is not None


class Asked:
    """What is asked of others, by a node that never gets it."""

    def __init__(self, linked: bool = True) -> None:
        self.gone = RetiredSources()
        self.words: list[tuple[float, int, list[bytes]]] = []
        self.linked = linked
        self.now = 0.0
        self.missing = Missing(self.gone, self._ask)

    def _ask(self, table: int, sources: list[bytes]) -> bool:
        if self.linked:
            self.words.append((self.now, table, sources))
        return self.linked

    def name(self, source: bytes) -> None:
        """Somebody says that a source is retired of which nothing is here."""
        self.gone.say(source, 0, 1)
        self.hear()

    def hear(self) -> None:
        """The same of one of which all is here."""
        self.missing.named((0, 1))
        self.missing.begin(self.now)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.missing.deadline()) <= end:
            self.now = max(self.now, due)
            self.missing.advance(self.now)
        self.now = end


def test_others_are_asked_eight_times_and_seldom_from_then_on() -> None:
    asked = Asked()
    asked.name(LOST)
    assert not asked.missing.is_complete()
    asked.run(60.0)
    assert not asked.missing.is_complete()
    asked.run(60.0)
    assert asked.missing.is_complete()
    assert [table for _, table, _ in asked.words] == [1] * ASKED
    asked.run(10 * SELDOM_SECONDS)
    assert ASKED + 9 <= len(asked.words) <= ASKED + 10 and asked.missing.is_complete()


def test_what_was_asked_for_in_vain_holds_nothing_up_however_often_more_is_named() -> None:
    """Or no deletion would be forgotten any more where processes come and go all the time."""
    asked = Asked()
    asked.name(LOST)
    for _ in range(5):
        asked.run(30.0)
        asked.hear()
    for _ in range(20):
        assert not asked.missing.is_complete()
        asked.run(2.0)
        assert asked.missing.is_complete()
        asked.run(13.0)
        asked.hear()
    assert len(asked.words) <= 6 * ASKED + 1


def test_who_is_linked_to_nobody_asks_once_it_is() -> None:
    asked = Asked(linked=False)
    asked.name(LOST)
    asked.run(3600.0)
    assert not asked.words and not asked.missing.is_complete()
    asked.linked = True
    asked.run(30.0)
    assert asked.words[0][1:] == (1, [LOST])


def test_of_many_sources_that_nobody_has_only_the_latest_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(missing, "LOOKED_AT", 100)
    asked = Asked()
    many = [number.to_bytes(16, "big") for number in range(1, 10_001)]
    for source in many:
        asked.gone.say(source, 0, 1)
    asked.name(many[0])
    asked.run(150.0)
    assert asked.missing.is_complete() and len(asked.words) == ASKED
    assert all(len(sources) == MISSED_MAX for _, _, sources in asked.words)
    late = bytes([255]) * 16
    asked.name(late)
    assert not asked.missing.is_complete()
    asked.run(2.0)
    assert late in asked.words[-1][2] and not asked.missing.is_complete()
