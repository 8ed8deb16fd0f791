"""Which member a name stands for, and that a name two live members share is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vines.events import ALIVE, DEAD, LEFT
from vines.protocol.members.names import SHARED_MAX, SHARED_SECONDS, Names
from vines.protocol.members.profile import Profile, Sighting

OWN = b"own"


def seen(id: bytes, name: str, state: str = ALIVE) -> Sighting:
    profile = Profile(
        name=name, address=None, tags={}, versions=(1, 1), observer=False, source=b"source"
    )
    return Sighting(id, 1, state, profile)


class View:
    """Names as a membership keeps them, and what is told of them."""

    def __init__(self, own: str = "mine") -> None:
        self.told: list[tuple[str, bytes, bytes]] = []
        self.names = Names(own, OWN, lambda *shared: self.told.append(shared))
        self.known: dict[bytes, Sighting] = {}

    def see(self, id: bytes, name: str, state: str = ALIVE, now: float = 0.0) -> None:
        new = seen(id, name, state)
        self.names.change(self.known.get(id), new, now)
        self.known[id] = new

    def forget(self, id: bytes) -> None:
        self.names.forget(self.known.pop(id))


def test_a_name_goes_to_whoever_of_many_still_lives() -> None:
    view = View()
    for one in (b"1", b"2", b"3", b"4"):
        view.see(one, "n")
    view.see(b"2", "n", DEAD)
    assert view.names.holder("n") == b"1"
    view.see(b"1", "n", DEAD)
    assert view.names.holder("n") == b"3"
    view.see(b"3", "other")
    assert view.names.holder("n") == b"4"


def test_who_comes_again_gets_the_name_that_nobody_alive_has() -> None:
    view = View()
    view.see(b"1", "n")
    view.see(b"2", "n")
    view.see(b"2", "n", DEAD)
    view.see(b"1", "n", LEFT)
    assert view.names.holder("n") == b"1"
    view.see(b"2", "n")
    assert view.names.holder("n") == b"2"
    view.see(b"3", "n")
    assert view.names.holder("n") == b"2"


def test_a_shared_name_is_told_once_with_those_who_share_it_to_the_end() -> None:
    view = View("n")
    view.see(b"1", "n", now=1.0)
    view.see(b"2", "n", now=1.0)
    assert view.names.deadline() == 1.0 + SHARED_SECONDS
    view.see(b"1", "n", DEAD, now=2.0)
    view.names.advance(1.0 + SHARED_SECONDS)
    assert view.told == [("n", OWN, b"2")]
    view.names.advance(100.0)
    assert len(view.told) == 1


def test_it_is_told_of_those_who_share_it_then() -> None:
    view = View()
    for one in (b"1", b"2", b"3"):
        view.see(one, "n")
    view.see(b"1", "n", DEAD)
    view.names.advance(SHARED_SECONDS)
    assert view.told == [("n", b"2", b"3")]


def test_no_more_are_watched_than_that() -> None:
    view = View("n")
    for number in range(SHARED_MAX + 3):
        view.see(b"%d" % number, "n")
    view.names.advance(SHARED_SECONDS)
    assert len(view.told) == SHARED_MAX


STEPS = st.lists(
    st.tuples(
        st.sampled_from([b"1", b"2", b"3"]),
        st.sampled_from(["mine", "n", "n", "n", "m"]),
        st.sampled_from([ALIVE, ALIVE, ALIVE, DEAD, LEFT, None]),
    ),
    min_size=10,
    max_size=40,
)


@given(STEPS)
def test_as_a_list_of_all_who_were_ever_called_so(
    steps: list[tuple[bytes, str, str | None]],
) -> None:
    view = View()
    bearers: dict[str, list[bytes]] = {"mine": [OWN], "n": [], "m": []}
    last: dict[str, bytes] = {"mine": OWN}
    for one, name, state in steps:
        if state is None and one not in view.known:
            continue
        before = view.known.get(one)
        renamed = before is not None and (state is None or before.profile.name != name)
        if before is not None and (renamed or state != ALIVE):
            held = bearers[before.profile.name]
            if held == [one]:
                last[before.profile.name] = one
            if one in held:
                held.remove(one)
            if renamed and not held and last.get(before.profile.name) == one:
                del last[before.profile.name]
        if state is None:
            view.forget(one)
        else:
            view.see(one, name, state)
            if state == ALIVE and one not in bearers[name]:
                bearers[name].append(one)
        for each, held in bearers.items():
            assert view.names.holder(each) == (held[0] if held else last.get(each))
    kept = view.names
    assert not kept._vacant - kept._holders.keys()
    assert all(kept._others.values())
    assert len(kept._holders) <= 1 + len(view.known)
