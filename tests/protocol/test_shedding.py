"""Links that nobody needs go by agreement: nobody falls below what it keeps, and none is missed."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from vines.errors import WireError
from vines.events import Fail, Suspect
from vines.protocol.links.links import Link
from vines.protocol.links.shedding import AGE_SECONDS, LOOK_SECONDS, LOOK_SECONDS_MAX
from vines.protocol.wire.hello import SURPLUS, Refuse
from vines.protocol.wire.messages import CONTROL, DATA, decode
from vines.protocol.wire.talk import Shed

from .pump import Host, Pump
from .test_hostile import LINK, Stranger

SIZE = 18
WANTED = 5
CALM = 100.0
"""Seconds after which there is nothing left that can go."""


class Word(NamedTuple):
    """What was said about a link that may go, and what was so at its sender."""

    sender: Host
    receiver: Host
    message: Shed | Refuse
    eager: bool


class Ear(Pump):
    """A network that keeps what is said about links that may go."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self.words: list[Word] = []
        self.crossing: tuple[Host, Host] | None = None

    def on_frame(self, sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        if frame[0] not in (Shed.kind, Refuse.kind):
            return
        message = decode(frame)
        if isinstance(message, Shed) or message.reason == SURPLUS:  # type: ignore[union-attr]
            link = sender.node._parts.linking.links.to(receiver.node.id)
            eager = link is not None and link.channels[DATA].eager
            self.words.append(Word(sender, receiver, message, eager))  # type: ignore[arg-type]

    def said(self, kind: type) -> int:
        return sum(isinstance(each.message, kind) for each in self.words)


def grown(pump: Pump, size: int = SIZE) -> list[Host]:
    """A cluster whose trees have formed, before anybody asks."""
    hosts = pump.cluster(size)
    for host in hosts[:4]:
        for number in range(4):
            host.write(f"{host.name}/{number}")
            pump.run(0.5)
    return hosts


def kept(host: Host) -> int:
    return host.node._parts.linking.links.kept()


def spare(host: Host) -> int:
    wanted = host.node._parts.linking.wanted()
    assert wanted is not None
    return kept(host) - wanted


def link(host: Host, other: Host) -> Link:
    found = host.node._parts.linking.links.to(other.node.id)
    assert found is not None
    return found


def reached(hosts: list[Host]) -> set[str]:
    """Whom the first of them reaches over links."""
    by_name = {host.name: host for host in hosts}
    seen, look = {hosts[0].name}, [hosts[0]]
    while look:
        fresh = set(look.pop().linked()) - seen
        seen |= fresh
        look += [by_name[name] for name in fresh]
    return seen


@pytest.fixture(scope="module")
def shed() -> tuple[Ear, int, int]:
    """A cluster that gave up what it could; how many links and dials there were before."""
    pump = Ear()
    hosts = grown(pump)
    before = sum(map(kept, hosts)), sum(len(host.dials) for host in hosts)
    pump.run(CALM)
    return pump, *before


def test_links_beyond_those_that_are_kept_go_and_nobody_misses_them(
    shed: tuple[Ear, int, int],
) -> None:
    pump, links, dials = shed
    hosts = pump.hosts
    assert {host.node._parts.linking.wanted() for host in hosts} == {WANTED}
    assert links - sum(map(kept, hosts)) >= SIZE / 2
    assert min(map(spare, hosts)) >= 0
    assert len(reached(hosts)) == SIZE
    assert sum(len(host.dials) for host in hosts) == dials
    assert not any(host.of(Fail) or host.of(Suspect) for host in hosts)
    assert not any(len(host.node._parts.linking.dialler.losses) for host in hosts)
    assert not any(host.errors for host in hosts)
    assert not any(host.count("datagrams_out", "ask") for host in hosts)


def test_no_link_of_a_tree_goes_and_all_get_what_is_written_then(
    shed: tuple[Ear, int, int],
) -> None:
    pump, hosts = shed[0], shed[0].hosts
    assert pump.said(Refuse) >= SIZE / 4
    assert not any(each.eager for each in pump.words)
    hosts[7].write("late")
    pump.run(0.1)
    assert all(host.value("late") for host in hosts)


def test_one_that_takes_a_link_without_asking_is_dialled_as_any_other(
    shed: tuple[Ear, int, int],
) -> None:
    """Nothing has to be believed of a peer: who falls below what it keeps finds another."""
    pump, hosts = shed[0], shed[0].hosts
    one = next(host for host in hosts if spare(host) == 0)
    other = next(host for host in hosts if host.name in one.linked())
    before = sum(len(host.dials) for host in hosts)
    one.node.receive(Refuse(SURPLUS).encode()[4:], link(one, other).number, pump.now)
    pump.run(5.0)
    assert sum(len(host.dials) for host in hosts) > before
    assert spare(one) >= 0
    assert not any(host.of(Fail) or host.of(Suspect) for host in hosts)


def test_one_whose_links_are_needed_asks_ever_more_seldom() -> None:
    pump = Ear()
    hosts = grown(pump, 10)
    for host in hosts:
        host.node._parts.linking.shedding._spare = lambda: 0  # type: ignore[method-assign]
    host = next(one for one in hosts for other in hosts if is_lazy(one, other))
    shedding = host.node._parts.linking.shedding
    shedding._spare = lambda: 1  # type: ignore[method-assign]
    pump.run(LOOK_SECONDS_MAX / 2)
    asked = [each for each in pump.words if each.sender is host]
    assert 3 <= len(asked) <= 9
    assert {each.sender for each in pump.words if not each.message.needed} == {host}  # type: ignore[union-attr]
    assert shedding._pause > LOOK_SECONDS_MAX / 4


def test_a_young_link_stays() -> None:
    pump = Ear()
    grown(pump)
    assert pump.now < 100.0 + AGE_SECONDS - LOOK_SECONDS
    pump.run(100.0 + AGE_SECONDS - 1.0 - pump.now)
    assert not pump.words


def test_where_all_link_to_all_nobody_asks() -> None:
    pump = Ear()
    pump.cluster(6)
    pump.run(CALM)
    assert not pump.words


def test_both_that_ask_of_one_link_at_once_lose_that_one() -> None:
    pump = Ear()
    hosts = grown(pump)
    pump.run(100.0 + AGE_SECONDS - 1.0 - pump.now)
    one, other = next(
        (one, other)
        for one in hosts
        for other in hosts
        if is_lazy(one, other) and spare(one) > 0 and spare(other) > 0
    )
    before = kept(one), kept(other)
    for here, there in ((one, other), (other, one)):
        linking = here.node._parts.linking
        linking.shedding.asked = link(here, there)
        linking.writing.write(link(here, there), Shed(False).encode())
    pump.settle()
    assert one.route(other) is None
    assert (kept(one), kept(other)) == (before[0] - 1, before[1] - 1)
    assert not one.errors and not other.errors
    assert one.node._parts.linking.shedding.asked is None


def is_lazy(host: Host, other: Host) -> bool:
    found = host.node._parts.linking.links.to(other.node.id)
    return found is not None and not found.channels[DATA].eager


@pytest.fixture
def host() -> Host:
    return Pump().host(1)


@pytest.fixture
def peer(host: Host) -> Stranger:
    peer = Stranger(host)
    peer.shake_hands()
    return peer


def test_a_member_with_few_links_needs_each(host: Host, peer: Stranger) -> None:
    assert peer.answers(Shed(False))[-1] == Shed(True)
    assert host.node.established(LINK)


def test_an_answer_that_nobody_asked_for_is_refused(host: Host, peer: Stranger) -> None:
    with pytest.raises(WireError, match="nobody asked"):
        peer.say(Shed(True))


def test_a_second_question_before_the_answer_is_refused(host: Host, peer: Stranger) -> None:
    host.node.receive(Shed(False).encode()[4:], LINK, 100.0)
    with pytest.raises(WireError, match="before the last one"):
        host.node.receive(Shed(False).encode()[4:], LINK, 100.0)


def test_a_tree_of_one_table_is_enough_until_the_other_has_one(host: Host, peer: Stranger) -> None:
    linking = host.node._parts.linking
    second = Stranger(host, LINK + 1)
    second.say(second.hello(id=bytes(15) + b"\x09", source=bytes(15) + b"\x09", serial=1))
    one, other = linking.links.established()
    for there in (one, other):
        there.established = -AGE_SECONDS
        for channel in there.channels:
            channel.progress.assume_equal()
            channel.pages.clear()
            channel.awaiting = False
    is_idle = linking.shedding._is_idle
    assert not is_idle(one, host.pump.now)
    one.channels[CONTROL].thin(told=False)
    assert is_idle(one, host.pump.now)
    other.channels[DATA].thin(told=False)
    assert not is_idle(one, host.pump.now)
    one.channels[DATA].thin(told=False)
    assert is_idle(one, host.pump.now)
