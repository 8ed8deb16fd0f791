"""Config: everything a node can be told, validated once and then trusted.

Each field says its unit, how its default was found and why. A field that contradicts another
raises InvalidConfig when the Config is made, so nothing further down ever checks again. It must
not know sockets, clocks or files.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType

from vines.errors import InvalidConfig, shortened
from vines.frozen import Frozen
from vines.hints import Any
from vines.spelling import is_here, is_name, is_node_id, is_tags, is_text

LABEL_BYTES_MAX = 255
FORGET_AFTER_RANGE = 600.0, 1e9


class Config(Frozen, kw_only=True):
    """What a node is told at its start; times are seconds, sizes bytes. Raises InvalidConfig."""

    name: str = ""
    """What people call this node, up to 64 bytes; empty: the first eight hex digits of its id."""
    cluster: str = ""
    """The label of the cluster: only nodes with the same one talk to each other."""
    tags: Mapping[str, str] = MappingProxyType({})
    """Short labels every member sees (role, zone): 16, 512 bytes: a member fits a datagram."""
    observer: bool = False
    """Watches only: holds all data, but is no candidate for anything and not counted by flush."""
    insecure: bool = False
    """Allows reaching beyond this machine without a key."""
    discovery: bool = True
    """Finds, and is found by, nodes of the same user and cluster label on this host."""
    node_id: bytes | None = None
    """The 16 bytes that name this node; None draws fresh ones: right unless one was stored."""
    data_dir: str = ""
    """The directory that keeps who this node is, and what it promised in elections; empty: none."""
    new: bool = False
    """This name has never voted, which is why its data directory may be empty."""

    network: str = "lan"
    """What the members are connected by: "local" (one host), "lan" or "wan"; sets the next three.

    They are probe_interval, probe_timeout, suspicion_factor: local 0.5 s, 0.2 s, 3; lan 1.0 s,
    0.5 s, 3; wan 3.0 s, 1.5 s, 4. A timeout is far above the round trip there, a loop that is busy
    included, and leaves half of the interval for asking others.
    """
    probe_interval: float = 0.0
    """Between two probes of a node; 0: what `network` says. A dead member is probed first after 0.6
    intervals on average and 1.5 at most, at any size; idle costs 112 B an interval."""
    probe_timeout: float = 0.0
    """How long a member may take to answer before others are asked; 0: what `network` says."""
    suspicion_factor: float = 0.0
    """A suspect has factor * max(2, log10 N) * probe_interval to object, once four members accuse
    it, three times that for one accuser, and factor * probe_interval if its machine is silent, too;
    0: what `network` says."""

    sync_interval: float = 1.0
    """Between comparisons of tables with a linked member, 80 B each: while probes tell that some
    member holds something else, and all the time for one that does not listen: it gets none."""
    announce_interval: float = 0.2
    """What a link is not sent is announced to it so much later, batched, and missed as late again:
    longer than a write takes through a thousand members, short enough to repair a broken tree."""
    keepalive_interval: float = 60.0
    """Silence after which a link is pinged, 28 B with the answer; probes and the kernel see sooner
    who is gone, and digests what is missing, so this only finds a stream that broke unseen between
    two who are there. Routers forget a silent stream after minutes."""
    keepalive_timeout: float = 120.0
    """Silence after which a link counts as broken: the answer to the ping has as long again."""
    handshake_timeout: float = 5.0
    """From a stream's start to its hello: many round trips; longer only holds memory."""
    dial_timeout: float = 3.0
    """From a dial to its stream: one lost SYN (retried by the kernel after 1 s) and the next."""
    frame_timeout: float = 15.0
    """From the first byte of a frame to its last: 64 KiB at 4 KiB/s; slower is not a peer."""

    reconnect_delay: float = 0.05
    """The first pause before a lost peer is dialled; doubles, drawn evenly between 0 and it."""
    reconnect_delay_max: float = 2.0
    """Where that doubling ends."""
    reconnect_tries: int = 6
    """Dials to the same peer before another one is chosen: 0.05 .. 1.6 s, about 1.6 s in all."""
    reconnect_refusals: int = 3
    """Refused dials that prove a process gone: 0.35 s at most; a faster restart is no failure."""
    seed_delay_max: float = 5.0
    """Where the doubling pause between two dials of a seed ends; seeds are dialled for ever."""
    heal_interval: float = 10.0
    """Between dials of somebody held dead: about how long a healed partition stays split."""
    dead_retention: float = 86_400.0
    """How long who failed or left is remembered, and what the control table says of them kept: a
    day; most machines are repaired in that. For so long deletions are kept for who failed; who is
    away for longer joins anew."""
    forget_after: float | None = None
    """The longest that any process is ever away from the others, standing still included; None:
    nobody says. Of a source that is gone the last 64 B are forgotten so long after nothing is left
    of it, and who was away for longer may bring keys back that were deleted. The longest that a
    member says holds for all, None above any: give every member the same."""

    mesh_members: int = 8
    """Up to this many members all link to all: one hop, and 7 sockets cost nothing."""
    fanout_min: int = 4
    """Links of a node in a larger cluster: max(this, ceil(log2 N)); keeps the graph connected."""
    collect_interval: float = 5.0
    """Least time from one round of finding out which deletions may be forgotten to the next."""
    members_max: int = 10_000
    """Members believed in at once; records of more are stored and forwarded, but not listed."""

    link_window: int = 256 * 1024
    """Unsent bytes a link may hold, some milliseconds; beyond it the tables are the queue."""
    frame_bytes: int = 64 * 1024
    """Budget of a bulk frame: what a vote may wait behind; one larger record still goes alone."""
    strangers_max: int = 128
    """Streams that have not said hello, in all: 100 nodes may join at once, a flood may not."""
    strangers_per_address_max: int = 8
    """The same from one address (the loopback is exempt)."""

    keys_max: int = 10_000_000
    """Keys of all members together beyond which this node writes no new one: each keeps all of
    them, in some 70 B more than key and value. Give every member the same."""
    bytes_max: int = 4 * 1024**3
    """The same of the bytes of all keys and values. What others write is taken all the same, or
    members would differ for ever; so writes that cross may go a little above."""

    log_slack: int = 65_536
    """Log entries beyond twice the records, 16 B each: how far one may fall back without a join."""
    horizon: int = 65_536
    """Runs of arrivals kept for links; one further behind is served from its vector instead."""

    def __post_init__(self) -> None:
        named = self.name == "" or is_name(self.name)
        self._require(named, "name", "1 to 64 bytes of printable text")
        label = is_text(self.cluster, LABEL_BYTES_MAX)
        self._require(label, "cluster", "up to 255 bytes of printable text")
        self._require(
            is_tags(self.tags),
            "tags",
            "a mapping of up to 16 printable texts by names, of 1 to 64 bytes, 512 bytes in all",
        )
        object.__setattr__(self, "tags", MappingProxyType(dict(self.tags)))
        fits = self.node_id is None or is_node_id(self.node_id)
        self._require(fits, "node_id", "16 bytes or None")
        path = type(self.data_dir) is str and "\0" not in self.data_dir
        self._require(path, "data_dir", "the path of a directory")
        both = self.data_dir and self.node_id is not None
        self._require(not both, "node_id", "left to the data directory")
        for name in _BOOLEAN_FIELDS:
            self._require(type(getattr(self, name)) is bool, name, "True or False")
        preset = _PRESETS.get(self.network) if type(self.network) is str else None
        self._require(preset is not None, "network", "local, lan or wan")
        assert preset is not None
        for name, default in preset.items():
            if type(getattr(self, name)) in (int, float) and getattr(self, name) == 0:
                object.__setattr__(self, name, default)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name == "forget_after":
                continue
            number = type(value) is int or (type(value) is float and type(low) is float)
            whole = "" if type(low) is float else "a whole number "
            self._require(number and low <= value <= high, name, f"{whole}from {low:,} to {high:,}")
        later = self.keepalive_interval < self.keepalive_timeout
        self._require(later, "keepalive_timeout", "longer than keepalive_interval")
        shorter = self.probe_timeout < self.probe_interval
        self._require(shorter, "probe_timeout", "shorter than probe_interval")
        longer = self.reconnect_delay <= self.reconnect_delay_max
        self._require(longer, "reconnect_delay_max", "at least reconnect_delay")
        self._require(self.frame_bytes <= self.link_window, "link_window", "at least frame_bytes")

    def _require(self, holds: bool, name: str, wanted: str) -> None:
        if not holds:
            given = shortened(getattr(self, name))
            raise InvalidConfig(f"{name} must be {wanted}, not {given}; nothing changed")

    def reaches(self, address: tuple[str, int]) -> bool:
        """Whether a node may send anything there, whoever says that a member is there."""
        return self.insecure or is_here(address[0])

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Config:
        """What is given (None: not given), else VINES_<FIELD> of the environment, else default."""
        environ = os.environ if environ is None else environ
        values = {name: value for name, value in given.items() if value is not None}
        read: list[str] = []
        for name in cls.fields:
            text = environ.get(_variable(name))
            if text is not None and name not in values:
                values[name] = _parse(name, text)
                read.append(name)
        unknown = sorted(values.keys() - set(cls.fields))
        if unknown:
            raise TypeError(f"{_no_setting(unknown[0], cls.fields)}; nothing changed")
        try:
            return cls(**values)
        except InvalidConfig as error:
            wrong = str(error).partition(" ")[0]
            if wrong not in read:
                raise
            raise InvalidConfig(f"{_variable(wrong)}: {error}") from None


_MIB = 1024 * 1024
_BOOLEAN_FIELDS = ("observer", "insecure", "discovery", "new")
_PRESETS: dict[str, dict[str, float]] = {
    "local": {"probe_interval": 0.5, "probe_timeout": 0.2, "suspicion_factor": 3.0},
    "lan": {"probe_interval": 1.0, "probe_timeout": 0.5, "suspicion_factor": 3.0},
    "wan": {"probe_interval": 3.0, "probe_timeout": 1.5, "suspicion_factor": 4.0},
}
_RANGES: dict[str, tuple[float, float]] = {
    "probe_interval": (0.01, 3600.0),
    "probe_timeout": (0.001, 3600.0),
    "suspicion_factor": (1.0, 100.0),
    "sync_interval": (0.01, 3600.0),
    "announce_interval": (0.001, 60.0),
    "keepalive_interval": (0.01, 3600.0),
    "keepalive_timeout": (0.02, 36_000.0),
    "handshake_timeout": (0.01, 600.0),
    "dial_timeout": (0.01, 600.0),
    "frame_timeout": (0.01, 600.0),
    "reconnect_delay": (0.001, 60.0),
    "reconnect_delay_max": (0.001, 600.0),
    "reconnect_tries": (1, 100),
    "reconnect_refusals": (1, 100),
    "seed_delay_max": (0.01, 3600.0),
    "heal_interval": (0.01, 36_000.0),
    "dead_retention": (0.0, 1e9),
    "forget_after": FORGET_AFTER_RANGE,
    "collect_interval": (0.01, 1e9),
    "mesh_members": (1, 1024),
    "fanout_min": (1, 1024),
    "members_max": (1, 1_000_000),
    "link_window": (1, _MIB),
    "frame_bytes": (1, _MIB),
    "strangers_max": (1, 65_536),
    "strangers_per_address_max": (1, 65_536),
    "keys_max": (1, 1 << 40),
    "bytes_max": (1, 1 << 50),
    "log_slack": (0, 1 << 40),
    "horizon": (1, 1 << 40),
}


def seeds_of_environment() -> list[str]:
    """The seeds of VINES_SEEDS, separated by commas, as they are written there."""
    return [seed for seed in os.environ.get("VINES_SEEDS", "").split(",") if seed.strip()]


def _parse(name: str, text: str) -> object:
    """The value a text of the environment stands for."""
    try:
        if name in _BOOLEAN_FIELDS:
            return _BOOLEANS[text.strip().lower()]
        if name == "tags":
            return dict(_parse_tag(part) for part in text.split(",") if part.strip())
        if name == "node_id":
            return bytes.fromhex(text)
        if name in _RANGES:
            return float(text) if type(_RANGES[name][0]) is float else int(text)
        return text
    except (KeyError, ValueError):
        raise InvalidConfig(
            f"{_variable(name)}={shortened(text)} is not {_wanted(name)}; nothing changed"
        ) from None


def _wanted(name: str) -> str:
    """What a text of the environment has to look like."""
    if name in _BOOLEAN_FIELDS:
        return "1, true, yes, 0, false or no"
    if name == "tags":
        return "key=value,key=value"
    if name == "node_id":
        return "32 hex digits"
    return "a number" if type(_RANGES[name][0]) is float else "a whole number"


def _variable(name: str) -> str:
    """The variable of the environment that sets a field."""
    return f"VINES_{name.upper()}"


def _no_setting(name: str, known: Collection[str]) -> str:
    """What is wrong with a setting of this name, and what was perhaps meant."""
    import difflib  # for a mistake alone

    near = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {near[0]!r}?" if near else "see the settings in docs/guide.md"
    return f"there is no setting {shortened(name)}: {meant}"


def _parse_tag(part: str) -> tuple[str, str]:
    key, separator, value = part.partition("=")
    if not separator:
        raise ValueError(part)
    return key.strip(), value.strip()


_BOOLEANS = {"1": True, "true": True, "yes": True}
_BOOLEANS |= {"0": False, "false": False, "no": False, "": False}
