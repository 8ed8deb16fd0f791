from __future__ import annotations

import logging
import socket
import threading

import pytest

from tests.vine.helpers import PATIENCE, Calls, Gate
from vines import errors
from vines.events import ALIVE, LEFT
from vines.vine import Vine


@pytest.fixture
def make():
    made: list[Vine] = []

    def one(**options) -> Vine:
        made.append(Vine(**options))
        return made[-1]

    yield one
    for vine in made:
        vine.end()


@pytest.fixture
def pair(make) -> tuple[Vine, Vine]:
    """Two members that know each other."""
    first = make(name="first").listen()
    second = make(name="second").listen().join(first.address)
    for vine in (first, second):
        vine.wait_for(2, PATIENCE)
    return first, second


def test_the_first_example(make):
    heard = Calls()
    computer_a = make()
    computer_a.listen().gossip("foo", "hello, world")
    _, port = computer_a.address
    computer_b = make()
    computer_b.listen().join(port, "127.0.0.1").on("gossip", "foo", lambda value: heard(value))
    assert heard.wait() == ["hello, world"]


def test_a_value_written_on_either_side_is_heard_on_both(pair):
    first, second = pair
    calls = Calls(), Calls()
    first.on("gossip", calls[0])
    second.on("gossip", calls[1])
    first.gossip("a", 1)
    second.gossip("b", 2)
    heard = [{(e.key, e.value, e.local) for e in one.wait(2)} for one in calls]
    assert heard == [{("a", 1, True), ("b", 2, False)}, {("a", 1, False), ("b", 2, True)}]


def test_a_write_that_wakes_the_loop_is_told_here_once_it_has_been_sent(make):
    """Else who calls back has the interpreter while the loop is to send."""
    vine, heard, bytes_sent = make(), Calls(), []
    vine.on("gossip", "key", heard)
    engine = vine._engine
    waker, rings = engine.waker, []
    ring, engine.dispatcher._ring = engine.dispatcher._ring, lambda **how: rings.append(how)
    waker._send, waker.awake = bytes_sent.append, False
    vine["key"] = 1  # as in the middle of a turn
    assert (len(rings), bytes_sent, waker.owing) == (1, [], False)
    waker.asleep, waker.awake = True, False
    vine["key"] = 2
    assert (len(rings), bytes_sent, waker.owing) == (1, [b"\0"], True)
    vine["key"] = 3  # the loop has been woken, and may be sending already
    waker.awake, waker.owing = False, False
    vine.update({"key": 4, "other": 5})  # more may come than can wait
    assert (len(rings), bytes_sent, waker.owing) == (3, [b"\0"] * 2, False)
    waker.awake = True
    engine.dispatcher._ring = ring
    engine.loop.follow(0.0)
    assert heard.until(lambda calls: calls[-1:] == [4])


def test_a_sleeping_loop_has_listeners_of_its_own_vine_called(pair):
    heard = Calls()
    pair[0].on("gossip", "key", heard)
    for number in range(20):
        pair[0]["key"] = number
        assert heard.wait(number + 1)[-1] == number


@pytest.mark.parametrize("before", [True, False])
def test_it_does_not_matter_whether_one_listens_before_or_after_the_value_arrived(pair, before):
    first, second = pair
    calls = Calls()
    if before:
        second.on("gossip", "a", calls)
    first.gossip("a", 1).flush(PATIENCE)
    if not before:
        second.on("gossip", "a", calls)
    assert calls.wait() == [1]
    first.gossip("a", 2)
    assert calls.wait(2) == [1, 2]


def test_it_does_not_matter_when_peers_were_connected_or_when_data_was_entered(make):
    calls = Calls()
    late = make().on("gossip", "a", calls)
    first = make().gossip("a", 1).listen()
    late.join(first.address)
    assert calls.wait() == [1]


def test_listening_while_another_node_writes_misses_nothing(pair):
    first, second = pair
    total, heard, enough = 2000, [], threading.Event()

    def write() -> None:
        for number in range(total):
            first.gossip(f"{number}", number)
            if number == total // 4:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(PATIENCE)
    for _ in range(5):
        heard.append(Calls())
        second.on("gossip", heard[-1])
    writer.join(PATIENCE)
    for calls in heard:
        seen = calls.until(lambda seen: len({event.key for event in seen}) == total)
        assert len(seen) == total


def test_a_late_listener_is_told_what_is_there_only_between_two_frames(pair):
    # A frame that is being merged was not asked to say what it changes: what it brings must be in
    # the table before anybody looks there.
    first, second = pair
    first.gossip("a", 1).flush(PATIENCE)
    merging, calls = Gate(), Calls()
    second._engine.loop.call(merging)
    assert merging.entered.wait(PATIENCE)
    second.on("gossip", "a", calls)
    assert not second._engine.node.watching
    assert second._engine.dispatcher.stats()["replays_waiting"] == 0
    assert calls.seen == []
    merging.open()
    assert calls.wait() == [1]
    assert second._engine.node.watching


def test_a_delete_is_heard_and_the_key_is_gone(pair):
    first, second = pair
    values, deletes = Calls(), Calls()
    second.on("gossip", values).on("delete", "a", deletes)
    first.gossip("a", 1)
    values.wait()
    first.delete("a")
    assert deletes.wait()[0].key == "a"
    assert "a" not in second
    assert len(values.seen) == 1


def test_prefixes_and_decorators(pair):
    first, second = pair
    calls, bare = Calls(), Calls()

    @second.on("gossip", "config/*")
    def on_config(event) -> None:
        calls((event.key, event.value))

    @second.on("gossip", "config/a")
    def on_change() -> None:
        bare("changed")

    first.update({"other": 0, "config/a": 1})
    assert calls.wait() == [("config/a", 1)]
    assert bare.wait() == ["changed"]
    assert callable(on_config)
    second.off("gossip", "config/*", on_config)
    first.gossip("config/a", 2)
    assert bare.wait(2)
    assert len(calls.seen) == 1


def test_after_off_the_node_looks_for_nobody(make):
    vine = make().on("gossip", print).on("delete", "a", print)
    assert vine._engine.node.watching
    assert vine.off("gossip")._engine.node.watching
    assert not vine.off("delete")._engine.node.watching
    vine.on("join", print)
    assert not vine._engine.node.watching


def test_members_come_and_leave(make):
    joins, updates, leaves = Calls(), Calls(), Calls()
    first = make(name="first").listen()
    first.on("join", joins).on("update", updates).on("leave", leaves)
    second = make(name="second", tags={"role": "web"}).listen().join(first.address)
    second.wait_for(2, PATIENCE)
    (join,) = joins.wait()
    assert (join.member.name, join.member.tags, join.member.id) == (
        "second",
        {"role": "web"},
        second.id,
    )
    assert [member.name for member in first.members()] == ["first", "second"]
    assert [member.local for member in first.members()] == [True, False]
    assert first.member(second.id) == first.member(second.id.hex()) == join.member
    assert first.member("00" * 16) is None
    second.tags(role="db", zone="x")
    updates.until(lambda seen: seen and seen[-1].member.tags == {"role": "db", "zone": "x"})
    assert second.members()[0].tags == {"role": "db", "zone": "x"}
    second.leave()
    assert leaves.wait()[0].member.name == "second"
    assert [member.name for member in first.members()] == ["first"]
    assert [member.state for member in first.members(gone=True)] == [ALIVE, LEFT]


def test_leaving_hands_over_what_was_written(pair):
    first, second = pair
    second.update({f"{number}": "x" * 100 for number in range(20_000)}).leave(PATIENCE)
    assert len(first.keys()) == 20_000


def test_a_block_leaves_at_its_end_and_ends_at_once_after_an_error(make):
    leaves = Calls()
    first = make().listen().on("leave", leaves)
    with Vine().listen().join(first.address) as second:
        second.wait_for(2, PATIENCE)
        second.gossip("a", 1)
    assert leaves.wait()
    assert first["a"] == 1
    with pytest.raises(ZeroDivisionError), Vine().listen().join(first.address) as third:
        raise ZeroDivisionError
    with pytest.raises(errors.Closed):
        third.gossip("a", 1)


def test_leaving_says_so_even_if_nobody_took_everything(pair, monkeypatch, caplog):
    first, second = pair
    leaves = Calls()
    first.on("leave", leaves)

    def late(members: int, timeout: float) -> None:
        raise errors.TimedOut("late")

    monkeypatch.setattr(second._engine, "flush", late)
    second.gossip("a", 1).leave(PATIENCE)
    assert leaves.wait()[0].member.name == "second"
    assert "left before another member held everything" in caplog.text


def test_flush_returns_when_others_hold_everything(pair):
    first, second = pair
    first.update({f"{number}": number for number in range(1000)}).flush(PATIENCE)
    assert len(second.keys()) == 1000
    assert first.flush(PATIENCE, members=1) is first
    assert first.flush(0.0, members=0) is first


def test_flush_says_when_there_are_too_few(pair):
    first, _ = pair
    with pytest.raises(TimeoutError, match="fewer than 2"):
        first.gossip("a", 1).flush(0.01, members=2)
    assert first["a"] == 1


def test_wait_for_says_when_there_are_too_few(pair):
    first, _ = pair
    assert first.wait_for(2, PATIENCE) is first
    with pytest.raises(errors.TimedOut, match="fewer than 3"):
        first.wait_for(3, 0.01)


def test_nobody_can_be_waited_for_before_listening_or_joining(make):
    with pytest.raises(errors.NotListening, match="listen"):
        make().flush(1)
    with pytest.raises(errors.NotListening, match="listen"):
        make().wait_for(1, 1)


def test_a_seed_may_start_later_and_may_be_oneself(make):
    first = make().listen()
    port = first.address[1]
    first.end()
    second = make().listen()
    second.join(port).join(second.address)
    first = make().listen(port)
    second.wait_for(2, PATIENCE)
    first.wait_for(2, PATIENCE)


def test_ids_names_and_addresses(make):
    vine = make(name="web-1")
    assert len(vine.id) == 16
    assert vine.address is None
    assert [member.name for member in vine.members()] == ["web-1"]
    assert vine.name == "web-1"
    assert make(node_id=b"\xab" * 16).name == "abababab"
    vine.listen(advertise="localhost")
    assert vine.address == ("localhost", vine._engine.bound[1])
    assert vine.members()[0].address == vine.address
    assert "localhost" in repr(vine)


def test_settings_come_from_the_environment_too(make, monkeypatch):
    monkeypatch.setenv("VINES_NAME", "from-environment")
    monkeypatch.setenv("VINES_TAGS", "role=web,zone=a")
    monkeypatch.setenv("VINES_SYNC_INTERVAL", "0.5")
    assert make().name == "from-environment"
    assert make(name="given").name == "given"
    assert make().members()[0].tags == {"role": "web", "zone": "a"}
    assert make()._engine.config.sync_interval == 0.5
    monkeypatch.setenv("VINES_SYNC_INTERVAL", "often")
    with pytest.raises(errors.InvalidConfig, match="VINES_SYNC_INTERVAL"):
        Vine()


def test_seeds_come_from_the_environment_too(make, monkeypatch):
    first = make().listen()
    monkeypatch.setenv("VINES_SEEDS", f"127.0.0.1:{first.address[1]}, localhost:1")
    make().join().wait_for(2, PATIENCE)


def test_too_many_seeds_are_refused_at_the_call(make):
    vine = make()
    many = [f"localhost:{port}" for port in range(1, 1000)]
    with pytest.raises(errors.InvalidAddress, match="at most"):
        vine.join(many)
    assert not vine._engine.started
    with pytest.raises(errors.InvalidAddress, match="at most"):
        vine.listen().join(many)


def test_joining_nobody_is_refused(make):
    with pytest.raises(errors.InvalidAddress, match="VINES_SEEDS"):
        make().join()


@pytest.mark.parametrize(
    "options", [{"name": ""}, {"name": "x" * 65}, {"sync_interval": -1}, {"tags": {"a": 1}}]
)
def test_settings_are_checked_at_once(options):
    if options == {"name": ""}:
        assert Vine(**options).name
    else:
        with pytest.raises(errors.InvalidConfig):
            Vine(**options)


def test_an_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="no setting 'fan_out': did you mean 'fanout_min'"):
        Vine(fan_out=3)
    with pytest.raises(TypeError, match=r"no setting 'zzz': see the settings in docs/guide\.md"):
        Vine(zzz=1)


def test_tags_are_checked_before_anything_changes(make):
    vine = make(tags={"a": "b"})
    with pytest.raises(errors.InvalidConfig):
        vine.tags({"a": "x" * 1000})
    assert vine.members()[0].tags == {"a": "b"}


def test_unknown_events_and_callbacks_are_refused(make):
    vine = make()
    for call in (lambda: vine.on("gosip", print), lambda: vine.on("gosip"), lambda: vine.off("x")):
        with pytest.raises(errors.UnknownEvent):
            call()
    with pytest.raises(errors.InvalidCallback):
        vine.on("gossip", "a", 5)


def test_a_callback_may_call_back_in_any_way(pair, caplog):
    caplog.set_level(logging.ERROR, "vines")
    first, second = pair
    heard = Calls()

    def busy(value: int) -> None:
        second.gossip("b", value).on("gossip", "c", print).off("gossip", "c").flush(PATIENCE)
        second.update({"d": 1}).delete("d").keys()
        second.wait_for(2, PATIENCE).members()
        repr(second), second.stats(), second.snapshot(), second.tags(a="b"), second.address
        heard(value)

    second.on("gossip", "a", busy)
    first.gossip("a", 1)
    assert heard.wait() == [1]
    assert first["b"] == 1
    assert caplog.records == []


@pytest.mark.parametrize("how", [Vine.end, Vine.leave, Vine.close])
def test_a_callback_may_end_the_vine(pair, how):
    first, second = pair
    ended = threading.Event()
    more = Calls()

    def end(value: int) -> None:
        how(second)
        ended.set()

    second.on("gossip", "a", end).on("gossip", "b", more)
    first.gossip("a", 1).gossip("b", 2)
    assert ended.wait(PATIENCE)
    with pytest.raises(errors.Closed):
        second.keys()
    for thread in threading.enumerate():
        if second.name in thread.name:
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
def test_a_callback_that_raises_costs_nobody_anything(pair, caplog, error):
    first, second = pair
    heard = Calls()

    def broken(event) -> None:
        raise error("on purpose")

    for event in ("gossip", "delete", "join", "leave", "update", "fail"):
        second.on(event, broken)
    second.on("gossip", "a", broken).on("gossip", "a", heard)
    for value in range(3):
        first.gossip("a", value).flush(PATIENCE)
        assert heard.wait(value + 1)[-1] == value
    first.delete("a").tags(role="web")
    second.gossip("b", 1).flush(PATIENCE)
    assert first["b"] == second["b"] == 1
    first.gossip("a", 3)
    assert heard.wait(4)[-1] == 3
    assert "on purpose" in caplog.text


def test_a_slow_callback_holds_up_neither_members_nor_keys(pair):
    first, second = pair
    gate = Gate()
    second.on("gossip", "a", gate)
    first.gossip("a", 1)
    assert gate.entered.wait(PATIENCE)
    first.gossip("b", 2).flush(PATIENCE)
    assert second["b"] == 2
    second.gossip("c", 3).flush(PATIENCE)
    assert first["c"] == 3
    gate.open()


def test_ending_does_not_wait_for_a_callback_that_does_not_return(pair):
    first, second = pair
    gate = Gate()
    second.on("gossip", "a", gate)
    first.gossip("a", 1)
    assert gate.entered.wait(PATIENCE)
    second.end()
    gate.open()


def test_ending_releases_whoever_waits(make):
    vine = make().listen()
    raised = Calls()

    def wait(how) -> None:
        try:
            how()
        except errors.VinesError as error:
            raised(type(error))

    waits = [lambda: vine.flush(None), lambda: vine.wait_for(5)]
    threads = [threading.Thread(target=wait, args=(how,)) for how in waits]
    for thread in threads:
        thread.start()
    while len(vine._engine._asker._open) < 2:
        vine.members()
    vine.end()
    for thread in threads:
        thread.join(PATIENCE)
    assert raised.seen == [errors.Closed, errors.Closed]


USES = {
    "listen": lambda vine: vine.listen(),
    "join": lambda vine: vine.join(8000),
    "gossip": lambda vine: vine.gossip("a", 1),
    "update": lambda vine: vine.update({"a": 1}),
    "get": lambda vine: vine.get("a"),
    "getitem": lambda vine: vine["a"],
    "setitem": lambda vine: vine.__setitem__("a", 1),
    "delitem": lambda vine: vine.__delitem__("a"),
    "in": lambda vine: "a" in vine,
    "delete": lambda vine: vine.delete("a"),
    "keys": lambda vine: vine.keys(),
    "iter": lambda vine: list(vine),
    "snapshot": lambda vine: vine.snapshot(),
    "flush": lambda vine: vine.flush(1),
    "wait_for": lambda vine: vine.wait_for(1, 1),
    "on": lambda vine: vine.on("gossip", print),
    "off": lambda vine: vine.off("gossip"),
    "members": lambda vine: vine.members(),
    "member": lambda vine: vine.member(vine.id),
    "tags": lambda vine: vine.tags(a="b"),
    "stats": lambda vine: vine.stats(),
    "election": lambda vine: vine.election(topic="a", expire=1, total=1),
    "vote": lambda vine: vine.vote("a", True),
    "wait": lambda vine: vine.wait("a", 1),
    "outcome": lambda vine: vine.outcome("a"),
    "rerun": lambda vine: vine.rerun("a"),
    "interrupted": lambda vine: vine.interrupted(),
    "elections": lambda vine: vine.elections(),
    "with": lambda vine: vine.__enter__(),
}


HARMLESS = {"end", "leave", "close", "id", "name"}
"""What still makes sense after the end."""
SPECIAL = {"getitem", "setitem", "delitem", "in", "iter", "with"}


def test_there_is_no_other_way_to_use_a_vine(make):
    public = {name for name in dir(Vine) if not name.startswith("_")}
    assert public == (USES.keys() - SPECIAL) | HARMLESS | {"address"}
    assert not hasattr(Vine, "__len__")
    ended = make().listen().end()
    for each in (ended, make().end()):
        with pytest.raises(errors.Closed):
            assert each.address
    assert len(ended.id) == 16
    assert ended.name == ended.id[:4].hex()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("listening", [False, True])
def test_used_after_its_end_it_says_so(make, use, listening):
    vine = make()
    if listening:
        vine.listen()
    assert vine.end() is vine
    with pytest.raises(errors.Closed, match="has ended: make a new one"):
        use(vine)


def test_ending_twice_or_leaving_after_the_end_is_harmless(make):
    vine = make().listen()
    assert vine.end().end().leave().end() is vine
    vine.close()
    assert "ended" in repr(vine)
    assert make().leave() is not None
    assert vine.id
    assert vine.name


def test_listening_twice_is_refused_and_changes_nothing(make):
    vine = make().listen()
    address = vine.address
    with pytest.raises(errors.AlreadyListening, match=str(address[1])):
        vine.listen()
    assert vine.address == address


def test_a_port_in_use_is_refused_and_leaves_the_vine_as_it_was(make):
    first, second = make().listen(), make()
    with pytest.raises(errors.AddressInUse, match=str(first.address[1])):
        second.listen(first.address[1])
    assert second.address is None
    with pytest.raises(errors.NotListening):
        second.flush(1)
    second.listen().join(first.address).wait_for(2, PATIENCE)


@pytest.mark.parametrize("port", [-1, 65536, True, None, "8000", 1.5])
def test_what_is_no_port_is_refused(make, port):
    with pytest.raises(errors.InvalidAddress):
        make().listen(port)


@pytest.mark.parametrize(
    "reach",
    [
        lambda vine: vine.listen(host="0.0.0.0"),
        lambda vine: vine.listen(host="::"),
        lambda vine: vine.listen(0, "192.168.0.2"),
        lambda vine: vine.listen(host="example.com"),
        lambda vine: vine.listen(advertise="10.0.0.1:8000"),
        lambda vine: vine.listen(advertise=("10.0.0.1", 8000)),
        lambda vine: vine.join(8000, "192.168.0.2"),
        lambda vine: vine.join("localhost:1", "example.com:8000"),
        lambda vine: vine.join("[2001:db8::1]:8000"),
    ],
    ids=range(9),
)
def test_reaching_beyond_this_machine_has_to_be_said(make, reach):
    vine = make()
    with pytest.raises(errors.Insecure, match=r"Vine\(insecure=True\) or set VINES_INSECURE=1"):
        reach(vine)
    assert vine.address is None
    assert not vine._engine.started


def test_only_the_loopback_is_bound_unless_it_was_said(make, monkeypatch):
    assert make().listen()._engine.bound[0] == "127.0.0.1"
    assert make(insecure=True).listen()._engine.bound[0] == "0.0.0.0"
    monkeypatch.setenv("VINES_INSECURE", "1")
    wide = make().listen()
    assert wide._engine.bound[0] == "0.0.0.0"
    assert wide.address[0] not in ("0.0.0.0", "::")
    make().join(wide.address[1]).wait_for(2, PATIENCE)
    make().join(8000, "192.168.0.2").end()


def test_ipv6(make):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    first = make().listen(host="::1")
    port = first.address[1]
    assert first.address == ("::1", port)
    make().join(f"[::1]:{port}").wait_for(2, PATIENCE)
    make().join(port, "::1").wait_for(3, PATIENCE)


def test_a_name_that_does_not_resolve_is_tried_on(make):
    first = make(insecure=True).listen(host="127.0.0.1")
    vine = make(insecure=True).join("no-such-host.invalid:1", first.address)
    vine.wait_for(2, PATIENCE)


def test_nodes_of_other_clusters_are_refused_and_told(make):
    refused = Calls()
    first = make(cluster="a").listen()
    other = make(cluster="b").on("refused", refused).join(first.address)
    assert refused.wait()[0].reason == "cluster"
    assert len(first.members()) == len(other.members()) == 1


def test_a_bug_in_the_loop_ends_the_vine_and_says_so(make, caplog):
    vine = make().listen()
    waiting = Calls()

    def wait() -> None:
        with pytest.raises(errors.Closed) as caught:
            vine.flush(None)
        waiting(str(caught.value))

    thread = threading.Thread(target=wait)
    thread.start()
    while not vine._engine._asker._flushes:
        vine.members()

    def broken(now: float) -> None:
        raise RuntimeError("a bug")

    vine._engine.node.advance = broken
    vine.gossip("a", 1)
    thread.join(PATIENCE)
    assert "bug" in waiting.wait()[0]
    with pytest.raises(errors.Closed, match="bug"):
        vine.keys()
    assert "a bug" in caplog.text
    vine.end()
