"""What needs processes of its own: the examples as they stand, forks, exits, Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vine.helpers import PATIENCE, Calls
from vines.engine.chance import Chance
from vines.protocol.members.suspicion import time_to_object
from vines.vine import Vine

ROOT = Path(__file__).parents[2]
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


class Program:
    """A Python program in a process of its own; what it prints can be waited for."""

    def __init__(
        self,
        source: str,
        *command: str,
        interactive: bool = False,
        feed: bool = False,
        **environment: str,
    ):
        arguments = [*command, sys.executable, "-u", *(["-i"] if interactive else []), "-c", source]
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE if interactive or feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        self.output = ""

    def line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        self.output += text
        assert text, f"it has ended, {self.process.wait(PATIENCE)}: {self.output}"
        return text.strip()

    def say(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def ends(self, within: float = PATIENCE) -> int:
        """Its exit code; it has to end by itself."""
        more, _ = self.process.communicate(timeout=within)
        self.output += more
        return self.process.returncode


@pytest.fixture
def run() -> Iterator[type[Program]]:
    started: list[Program] = []

    def start(*arguments: str, **options) -> Program:
        started.append(Program(*arguments, **options))
        return started[-1]

    yield start
    for program in started:
        program.process.kill()
        program.process.communicate()


COMPUTER_A = """
from vines import Vine

vine = Vine()
vine.listen(8000).gossip("foo", "hello, world")
"""
COMPUTER_B = """
from vines import Vine

vine = Vine()
vine.listen(8000).join(8000, "192.168.0.2").on("gossip", "foo", lambda value: print(value))
"""


def test_the_first_example_on_one_host(run, free_ports):
    port_a, port_b = free_ports(2)
    run(COMPUTER_A.replace("8000", str(port_a)), interactive=True)
    source = COMPUTER_B.replace("listen(8000)", f"listen({port_b})")
    source = source.replace('8000, "192.168.0.2"', str(port_a))
    computer_b = run(source, interactive=True)
    assert "hello, world" in computer_b.line()  # and a prompt before it or behind it


def test_the_first_example_on_two_computers_word_for_word(run, computers):
    inside_a, inside_b = computers("192.168.0.2", "192.168.0.3")
    computer_b = run(COMPUTER_B, *inside_b, interactive=True, VINES_INSECURE="1")
    run(COMPUTER_A, *inside_a, interactive=True, VINES_INSECURE="1")
    assert "hello, world" in computer_b.line()  # and a prompt before it or behind it


ELECTING = """
from datetime import timedelta

# One write a line: two threads print.
def on_quorum(outcome): print(f"quorum {outcome.topic}\\n", end="")
def on_expire(outcome): print(f"expire {outcome.topic}\\n", end="")

from vines import Vine
vine = Vine()
"""
THE_CALL = """
vine.listen(8000).on("quorum", on_quorum).on("expire", on_expire) \\
    .election(topic="email", expire=timedelta(minutes=5), min=2, total=2).vote("email", True)
"""
THE_END = """
print(f"closed {vine.wait('email', 60).owner == vine.id}\\n", end="")
"""


@pytest.mark.parametrize("first", ["A", "B"])
def test_the_second_example_in_two_processes(run, free_ports, first):
    port_a, port_b = free_ports(2)
    source_a = ELECTING + THE_CALL.replace("8000", str(port_a)) + THE_END
    join = f"vine.listen({port_b}).join({port_a})"
    source_b = ELECTING + THE_CALL.replace("vine.listen(8000)", join) + THE_END
    sources = (source_a, source_b) if first == "A" else (source_b, source_a)
    programs = [run(source, interactive=True) for source in sources]
    ends = [[program.line().removeprefix(">>> ") for _ in (1,)] for program in programs]
    for program, lines in zip(programs, ends, strict=True):
        while not lines[-1].startswith("closed"):
            lines.append(program.line())
    owners = [lines[-1] == "closed True" for lines in ends]
    assert sorted(owners) == [False, True], ends
    acting = programs[owners.index(True)]
    while "quorum email" not in acting.output:
        acting.line()
    assert "quorum" not in programs[owners.index(False)].output
    assert all("expire" not in program.output for program in programs)


AT_ONCE = """
import sys, time
from vines import Vine

vine = Vine()
acted, closed = [], []
vine.on("quorum", lambda outcome: acted.append(outcome.topic))
vine.on("closed", closed.append).listen({here})
if {there}:
    vine.join({there})
vine.wait_for(2, 60)
print("ready", flush=True)
start = float(sys.stdin.readline())
for number in range({times}):
    time.sleep(max(0.0, start + number * {every} - time.monotonic()))
    vine.election(topic=f"run {{number}}", expire=60, min=2, total=2).vote(f"run {{number}}", True)
found = [vine.wait(f"run {{number}}", 60) for number in range({times})]
owned = [outcome.topic for outcome in found if outcome.owner == vine.id]
while len(acted) < len(owned) or len(closed) < len(found):
    time.sleep(0.01)
time.sleep(0.2)
assert sorted(acted) == sorted(owned)
print(*sorted(
    f"{{each.topic[4:]}}:{{each.kind}}:{{each.choice}}:{{each.owner.hex()}}" for each in closed
))
print(*sorted(int(topic[4:]) for topic in acted), flush=True)
"""


def test_two_hundred_times_in_the_same_millisecond_exactly_one_acts(run, free_ports):
    port_a, port_b = free_ports(2)
    times, every = 200, 0.01
    programs = [
        run(AT_ONCE.format(here=here, there=there, times=times, every=every), feed=True)
        for here, there in ((port_a, 0), (port_b, port_a))
    ]
    for program in programs:
        assert program.line() == "ready"
    for program in programs:
        program.say(f"{time.monotonic() + 0.2}\n")
    closed = [program.line().split() for program in programs]
    assert closed[0] == closed[1]
    assert sorted(int(each.split(":")[0]) for each in closed[0]) == list(range(times))
    acted = [list(map(int, program.line().split())) for program in programs]
    assert sorted(acted[0] + acted[1]) == list(range(times))


@pytest.fixture
def free_ports():
    def find(count: int) -> list[int]:
        vines = [Vine().listen() for _ in range(count)]
        ports = [vine.address[1] for vine in vines]
        for vine in vines:
            vine.end()
        return ports

    return find


@pytest.fixture
def computers():
    """Two network namespaces with a cable between them; commands that run something inside."""
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and the ip command of Linux")
    holders: list[subprocess.Popen[bytes]] = []

    def connect(*hosts: str) -> list[list[str]]:
        inside = []
        for _ in hosts:
            holder = subprocess.Popen(["unshare", "--net", "sleep", "60"])
            holders.append(holder)
            inside.append(["nsenter", "--target", str(holder.pid), "--net"])
        cable = [f"vines{holder.pid}" for holder in holders]
        outside = Path("/proc/self/ns/net").readlink()
        for holder in holders:
            while Path(f"/proc/{holder.pid}/ns/net").readlink() == outside:
                if holder.poll() is not None:
                    pytest.skip("no network namespaces here")
        _sh("ip", "link", "add", cable[0], "type", "veth", "peer", "name", cable[1])
        for holder, command, name, host in zip(holders, inside, cable, hosts, strict=True):
            _sh("ip", "link", "set", name, "netns", str(holder.pid))
            _sh(*command, "ip", "address", "add", f"{host}/24", "dev", name)
            _sh(*command, "ip", "link", "set", name, "up")
            _sh(*command, "ip", "link", "set", "lo", "up")
        return inside

    yield connect
    for holder in holders:
        holder.kill()
        holder.wait()


def _sh(*command: str) -> None:
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"{' '.join(command)}: {found.stderr}")


INERT = """
import os
from vines import Closed, Vine

vine = Vine(name="parent").listen()
other = Vine(name="other").listen().join(vine.address)
vine.wait_for(2, 20)
vine.gossip("a", 1)
child = os.fork()
if not child:
    for use in (vine.keys, vine.listen, vine.members, lambda: vine.gossip("a", 2)):
        try:
            use()
            os._exit(1)
        except Closed as error:
            print(error)
    with_end = vine.end().end().leave()
    fresh = Vine().listen()
    print(fresh.members()[0].name == fresh.name)
    fresh.end()
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, status
vine.gossip("a", 3).flush(20)
print(other["a"], [member.name for member in vine.members()])
vine.end()
other.end()
"""


@forking
def test_a_forked_copy_is_inert_and_the_parent_goes_on(run):
    program = run(INERT, PYTHONWARNINGS="ignore")
    assert program.ends() == 0, program.output
    lines = program.output.splitlines()
    said = re.compile(r"this vine belongs to process \d+.*make a new one here.*nothing changed")
    assert all(said.fullmatch(line) for line in lines[:4]), lines
    assert lines[4:] == ["True", "3 ['parent', 'other']"]


BEFORE = """
import os, threading
from vines import Vine

vine = Vine()
heard = threading.Event()
vine.gossip("a", 1).on("gossip", "a", lambda value: heard.set()).tags(role="worker")
assert heard.wait(20)
heard.clear()

def worker():
    vine.listen()
    assert heard.wait(20)
    assert vine["a"] == 1 and vine.members()[0].tags == {"role": "worker"}
    port = int(os.read(seed, 8)) if os.getpid() != first else None
    if port is None:
        for _ in range(2):
            os.write(told, b"%8d" % vine.address[1])
    else:
        vine.join(port)
    vine.wait_for(3, 20)
    vine.gossip(f"from/{vine.id.hex()}", os.getpid())
    found = threading.Event()
    def count(event):
        if len(vine.keys("from/")) == 3:
            found.set()
    vine.on("gossip", "from/*", count)
    assert found.wait(20)
    os.write(1, f"{vine.id.hex()} {len(vine.keys())}\\n".encode())  # one piece: others print, too
    os.write(done, b"x")
    os.close(keep)
    os.read(stay, 1)
    os._exit(0)

seed, told = os.pipe()
finished, done = os.pipe()
stay, keep = os.pipe()
children = []
for number in range(3):
    child = os.fork()
    if not child:
        first = os.getpid() if number == 0 else None
        worker()
    children.append(child)
for child in children:
    assert os.read(finished, 1) == b"x"
os.close(keep)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
print(vine.id.hex(), vine.gossip("a", 2)["a"])
assert heard.wait(20)
"""


@forking
def test_a_vine_that_has_not_begun_works_in_each_forked_worker(run):
    program = run(BEFORE, PYTHONWARNINGS="ignore")
    assert program.ends() == 0, program.output
    *workers, parent = [line.split() for line in program.output.splitlines()]
    assert len({one[0] for one in [*workers, parent]}) == 4
    assert [one[1] for one in workers] == ["4", "4", "4"]
    assert parent[1] == "2"


DRAWS = """
import os
from vines import Vine

vine = Vine()

def draw():
    chance = vine._engine.chance
    drawn = [vine.id.hex(), vine._engine.node.source[8:].hex(), chance.randbytes(8).hex()]
    print(*drawn, chance.random(), chance.getrandbits(64), flush=True)

for _ in range(2):
    child = os.fork()
    if not child:
        draw()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
draw()
"""


@forking
def test_a_forked_child_draws_other_numbers_than_its_parent(run):
    program = run(DRAWS)
    assert program.ends() == 0, program.output
    drawn = program.output.split()
    assert len(drawn) == 3 * 5
    assert len(set(drawn)) == len(drawn)


def test_what_names_a_node_is_not_drawn_again_by_who_draws_the_same_numbers():
    one, other = Chance(), Chance()
    other.setstate(one.getstate())
    assert one.random() == other.random()
    assert one.randbytes(16) != other.randbytes(16)
    assert len(one.randbytes(16)) == 16


FORK_IN_CALLBACK = """
import os, threading
from vines import Closed, Vine

done = threading.Event()
status = []

def fork(value):
    child = os.fork()
    if not child:
        try:
            vine.keys()
        except Closed:
            os._exit(7)
        os._exit(1)
    status.append(os.waitpid(child, 0)[1])
    done.set()

vine = Vine().listen().on("gossip", "a", fork)
vine.gossip("a", 1)
assert done.wait(20)
print(os.waitstatus_to_exitcode(status[0]), vine["a"])
"""


@forking
def test_a_callback_may_fork(run):
    program = run(FORK_IN_CALLBACK, PYTHONWARNINGS="ignore")
    assert program.ends() == 0, program.output
    assert program.output == "7 1\n"


RUNNING_CALLBACK = """
import logging, threading, time
from vines import Vine

logging.disable()  # what a callback raises is shown, and here it is of no interest

entered = threading.Event()

def callback(value):
    entered.set()
    {inside}

vine = Vine().listen().on("gossip", "a", callback)
vine.gossip("a", 1)
assert entered.wait(20)
print("ready")
{then}
"""

INSIDE = {
    "sleeps": "time.sleep(3600)",
    "spins": "while True: pass",
    "flushes": "vine.flush(3600)",
    "exits": "raise SystemExit(5)",
}


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_exit_does_not_wait_for_a_callback(run, inside):
    program = run(RUNNING_CALLBACK.format(inside=inside, then=""))
    assert program.line() == "ready"
    assert program.ends(within=10) == 0, program.output


THEN = {
    "sleeps": "time.sleep(3600)",
    "flushes": "vine.flush(None)",
    "counts": "vine.wait_for(5)",
    "listens": "Vine().listen(); threading.Event().wait()",
}


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal elsewhere only")
@pytest.mark.parametrize("then", THEN.values(), ids=THEN)
def test_ctrl_c_ends_the_program(run, then):
    program = run(RUNNING_CALLBACK.format(inside="time.sleep(3600)", then=then))
    assert program.line() == "ready"
    program.process.send_signal(signal.SIGINT)
    assert program.ends(within=10) in (1, 130, -signal.SIGINT)
    assert "KeyboardInterrupt" in program.output


@pytest.mark.parametrize("last", ["", "raise RuntimeError", "import sys; sys.exit(3)"])
def test_a_program_that_just_ends_leaves(run, last):
    leaves, fails = Calls(), Calls()
    with Vine().listen().on("leave", leaves).on("fail", fails) as here:
        port = here.address[1]
        program = run(
            f"from vines import Vine\nvine = Vine().join({port})\nvine.wait_for(2, 20)\n"
            f"vine.gossip('a', 'x' * 100)\n{last}\n"
        )
        program.ends(within=10)
        leaves.wait()
        assert fails.seen == []
        assert here["a"] == "x" * 100


BUSY = """
import sys, time
from vines import Vine

def sleep():
    time.sleep({seconds})

def compute():
    end = time.monotonic() + {seconds}
    while time.monotonic() < end:
        sum(range(1000))

vine = Vine("busy", **{settings}).listen()

def work(value):
    {what}()
    vine.gossip("done", value)

vine.on("gossip", "work", work).join({port})
sys.stdin.read()
"""


LAN_FASTER = {"probe_interval": 0.2, "probe_timeout": 0.1}
"""All times of failure detection are multiples of the interval: what six seconds are to this one,
thirty are to that of a LAN."""


@pytest.mark.parametrize(
    ("seconds", "settings"),
    [(6.0, LAN_FASTER), pytest.param(30.0, {}, marks=pytest.mark.soak)],
    ids=["thirty intervals", "half a minute"],
)
@pytest.mark.parametrize("what", ["sleep", "compute"])
def test_a_callback_that_takes_long_makes_no_failure(run, what, seconds, settings):
    """It is longer than any suspect has to object."""
    fails, done = Calls(), Calls()
    with Vine(**settings).listen().on("fail", fails).on("gossip", "done", done) as here:
        config = here._engine.config
        assert (config.network, config.suspicion_factor) == ("lan", 3.0)
        assert time_to_object(config, 100, 0, gone=False) < seconds
        words = {"seconds": seconds, "what": what, "settings": settings}
        program = run(BUSY.format(port=here.address[1], **words), feed=True)
        here.wait_for(2, PATIENCE)
        before = here.stats()["node"]["datagrams_in"].get("ack", 0)
        here.gossip("work", 1)
        time.sleep(max(0.0, seconds - PATIENCE / 2))
        assert done.wait() == [1]
        assert here.stats()["node"]["datagrams_in"]["ack"] - before >= 10
        assert fails.seen == []
        assert program.process.poll() is None


STILL = """
import sys
from vines import Vine

vine = Vine("still", **{settings}).listen()
vine.on("gossip", "question", lambda value: vine.gossip("answer", value))
vine.gossip("mine", 1).join({port})
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no SIGSTOP here")
@pytest.mark.parametrize(
    ("seconds", "settings"),
    [
        (6.0, {"probe_interval": 0.1, "probe_timeout": 0.05}),
        pytest.param(60.0, {}, marks=pytest.mark.soak),
    ],
    ids=["sixty intervals", "a minute"],
)
def test_a_program_that_was_stopped_for_long_is_back_once_it_goes_on(run, seconds, settings):
    """It is held dead meanwhile, as it says nothing."""
    fails, joins, answers = Calls(), Calls(), Calls()
    with (
        Vine("here", **settings).listen().on("fail", fails).on("join", joins) as here,
        Vine("there", **settings).listen().join(here.address) as there,
    ):
        here.on("gossip", "answer", answers)
        program = run(STILL.format(port=here.address[1], settings=settings), feed=True)
        for vine in (here, there):
            vine.wait_for(3, PATIENCE)
        began = time.monotonic()
        program.process.send_signal(signal.SIGSTOP)
        (failed,) = fails.wait()
        assert failed.member.name == "still"
        there.gossip("meanwhile", "x" * 100_000)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        program.process.send_signal(signal.SIGCONT)
        joins.until(lambda seen: [each.member.name for each in seen].count("still") == 2)
        here.gossip("question", 1)
        assert answers.wait() == [1]
        for vine in (here, there):
            vine.wait_for(3, PATIENCE)
            assert vine.keys() == ["answer", "meanwhile", "mine", "question"]
        assert [each.member.name for each in fails.seen] == ["still"]


def test_a_program_that_is_killed_has_failed(run):
    fails = Calls()
    with Vine().listen().on("fail", fails) as here:
        source = (
            f"from vines import Vine\nvine = Vine().listen().join({here.address[1]})\ninput()\n"
        )
        program = run(source, interactive=True)
        here.wait_for(2, PATIENCE)
        program.process.kill()
        fails.wait()
        assert len(here.members()) == 1


def test_an_end_in_a_signal_handler_in_the_middle_of_a_write_is_legal(run):
    program = run(
        "import signal, sys\n"
        "from vines import Closed, Vine\n"
        "vine = Vine().listen().on('gossip', print)\n"
        "vine.off('gossip').on('gossip', lambda: None)\n"
        "signal.signal(signal.SIGALRM, lambda *_: vine.gossip('b', 1).end())\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
        "try:\n"
        "    while True: vine.gossip('a', 1)\n"
        "except Closed:\n"
        "    print('closed')\n"
    )
    assert program.ends(within=10) == 0, program.output
    assert program.output == "closed\n"


CYCLES = """
import ctypes, gc, os, threading
from vines import Vine
from vines.protocol.members import profile

def heard(event):
    pass

def cycle():
{cycle}

class Heap(ctypes.Structure):
    _fields_ = [(f"{{number}}", ctypes.c_size_t) for number in range(10)]

def memory():
    try:
        look = ctypes.CDLL(None).mallinfo2  # what is in use, to the byte: glibc since 2.33
    except AttributeError:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"), 8 << 20
    look.restype = Heap
    heap = look()
    return getattr(heap, "4") + getattr(heap, "7"), 64 << 10  # mapped, and in the heap

def held():
    profile._profile.cache_clear()  # of a bounded number, which all this does not reach
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd"))
    return memory()[0], descriptors, threading.active_count(), len(gc.get_objects())

for _ in range(200):
    cycle()
before = held()
for number in range({count}):
    cycle()
    if number % 50 == 0:
        gc.collect()  # when Python would do it by itself is not what is measured
print(*[now - then for now, then in zip(held(), before)], memory()[1])
"""
ALONE = """
    vine = Vine().listen().on("gossip", heard)
    vine.off("gossip").gossip("a", 1).end()
"""
LINKED = """
    first = Vine().listen().on("gossip", "a", heard)
    second = Vine().listen().join(first.address).wait_for(2, 20).gossip("b", 1).leave()
    assert first["b"] == 1
    first.end()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("cycle", "count"), [(ALONE, 1000), (LINKED, 200)], ids=["alone", "linked"]
)
def test_a_thousand_beginnings_and_ends_leave_nothing_behind(run, cycle, count):
    # One heap, of the C library: what an allocator keeps for later would hide a leak.
    source = CYCLES.format(cycle=cycle, count=count)
    program = run(source, MALLOC_ARENA_MAX="1", PYTHONMALLOC="malloc")
    assert program.ends(within=60) == 0, program.output
    memory, descriptors, threads, objects, most = map(int, program.output.split())
    assert (descriptors, threads) == (0, 0)
    assert objects < 100
    assert memory < most


def test_importing_it_is_quick_and_starts_nothing(run):
    program = run("import threading, vines; print(threading.active_count())")
    assert program.ends() == 0
    assert program.output == "1\n"


def test_nodes_of_one_named_cluster_find_each_other_on_one_host(run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    label = f"shop-{os.getpid()}-{time.monotonic_ns()}"
    source = "from vines import Vine\nvine = Vine('away').listen()\nvine.gossip('a', 1)\ninput()\n"
    run(source, interactive=True, VINES_CLUSTER=label)
    heard = Calls()
    with Vine(cluster=label).on("gossip", "a", heard).listen() as here:
        assert heard.wait() == [1]
        with Vine(cluster=label).join() as watcher, Vine(cluster=f"{label}x").listen() as stranger:
            watcher.wait_for(3, PATIENCE)
            here.wait_for(3, PATIENCE)
            assert len(stranger.members()) == 1


def test_many_vines_in_one_process(run):
    vines = [Vine(name=f"{number}") for number in range(12)]
    try:
        vines[0].listen()
        for vine in vines[1:]:
            vine.listen().join(vines[0].address)
        for vine in vines:
            vine.wait_for(12, PATIENCE)
        for vine in vines:
            vine.gossip(vine.name, 1)
        for vine in vines:
            calls = Calls()
            vine.on("gossip", calls)
            calls.until(lambda seen: len(seen) >= 12)
    finally:
        for vine in vines:
            vine.end()
