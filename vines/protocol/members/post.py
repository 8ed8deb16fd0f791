"""Post: the heads of all datagrams, written and judged, and how many there were of each kind.

A datagram comes from anybody, from any address it likes to name. It is believed to be of this
cluster only once its magic, version, cluster and length are right; what it says is judged by who it
is for. Nothing is ever answered to an address that no host has, or that is this node's own.
"""

from __future__ import annotations

from collections import Counter

from vines.config import Config
from vines.errors import WireError
from vines.hints import Final
from vines.protocol.machine import Address, Outbox
from vines.protocol.members.identity import Identity
from vines.protocol.wire.datagram import HEAD_BYTES, pack, unpack
from vines.protocol.wire.hello import MAGIC, VERSION_HIGH, VERSION_LOW, cluster_id
from vines.protocol.wire.probe import TOKEN_MASK, WORDS, Word, decode_word
from vines.spelling import is_address

SHORT: Final = "short"
FOREIGN: Final = "magic"
VERSION: Final = "version"
CLUSTER: Final = "cluster"
TAG: Final = "tag"
SELF: Final = "self"
SOURCE: Final = "source"

HOSTS_MAX: Final = 4096
"""Addresses remembered as those of hosts: a large cluster's, and no more than 1 MiB of a liar's."""
_VERSION_AT: Final = len(MAGIC)
_KINDS: Final = max(WORDS) + 1


class Letter:
    """A datagram of this cluster: who says it is from them, and what it says."""

    __slots__ = ("sender", "source", "token", "word")

    def __init__(self, sender: bytes, source: Address, token: int, word: Word) -> None:
        self.sender = sender
        self.source = source
        """The address it came from: the only one to answer to."""
        self.token = token
        """What an answer to it names."""
        self.word = word


class Post:
    """Datagrams out and in."""

    def __init__(self, config: Config, identity: Identity, outbox: Outbox) -> None:
        self._cluster = cluster_id(config.cluster)
        self._identity = identity
        self._own = identity.id
        self._outbox = outbox
        self._epoch = int.from_bytes(identity.profile.source[:8], "big")
        self._counter = 0
        self._hosts: set[Address] = set()
        self._in = [0] * _KINDS
        """Datagrams by type, as in the next three: they are counted all the time."""
        self._out = [0] * _KINDS
        self._bytes_in = [0] * _KINDS
        self._bytes_out = [0] * _KINDS
        self._rejected: Counter[str] = Counter()

    def send(self, address: Address, word: Word) -> int:
        """Send a datagram; returns the token that an answer will name."""
        self._counter += 1
        kind = word.kind
        data = pack(kind, self._cluster, self._own, self._epoch, self._counter, word.encode())
        self._out[kind] += 1
        self._bytes_out[kind] += len(data)
        self._outbox.send(address, data)
        return self._counter & TOKEN_MASK

    def token(self) -> int:
        """A token for a question that goes another way."""
        self._counter += 1
        return self._counter & TOKEN_MASK

    def open(self, data: bytes, source: Address) -> Letter | str:
        """What has arrived; or why it is dropped, which is counted."""
        opened = self._open(data, source)
        if isinstance(opened, str):
            self._rejected[opened] += 1
        else:
            kind = opened.word.kind
            self._in[kind] += 1
            self._bytes_in[kind] += len(data)
        return opened

    def statistics(self) -> dict[str, object]:
        """Counts since the start."""
        return {
            "datagrams_in": _named(self._in),
            "datagrams_out": _named(self._out),
            "datagram_bytes_in": _named(self._bytes_in),
            "datagram_bytes_out": _named(self._bytes_out),
            "datagrams_rejected": dict(sorted(self._rejected.items())),
        }

    def _open(self, data: bytes, source: Address) -> Letter | str:
        if len(data) < HEAD_BYTES:
            return SHORT
        if not data.startswith(MAGIC):
            return FOREIGN
        if not VERSION_LOW <= data[_VERSION_AT] <= VERSION_HIGH:
            return VERSION
        if data[8:16] != self._cluster:
            return CLUSTER
        try:
            kind, _, sender, _, counter, payload, key_id, tag = unpack(data)
            if tag or key_id:
                # No key can have made it: this node has none, and so cannot tell a right tag.
                return TAG
            word = decode_word(kind, payload)
        except WireError as error:
            return error.reason
        if sender == self._own:
            return SELF
        if source == self._identity.profile.address or not self._is_host(source):
            return SOURCE
        return Letter(sender, source, counter & TOKEN_MASK, word)

    def _is_host(self, source: Address) -> bool:
        """Whether a host can be meant, looked up where it was found before."""
        if source in self._hosts:
            return True
        if not is_address(source):
            return False
        if len(self._hosts) >= HOSTS_MAX:
            self._hosts.clear()
        self._hosts.add(source)
        return True


def _named(counts: list[int]) -> dict[str, int]:
    """Counts by type as counts by name, without those of what never came."""
    return dict(sorted((WORDS[kind], count) for kind, count in enumerate(counts) if count))
