"""Finding the other nodes of a named cluster on this host, without addresses.

A node that listens writes its address into a directory of its user; every node looks there now and
then and joins those it does not know. Publishing comes before the first look, so of two nodes that
start together at least one finds the other. Without a name nothing is found by itself.
"""

from __future__ import annotations

from vines.addresses import is_loopback
from vines.events import ALIVE
from vines.hints import TYPE_CHECKING
from vines.log import logger
from vines.net.sockets import is_wildcard

if TYPE_CHECKING:
    from vines.config import Config
    from vines.net.local import LocalDirectory
    from vines.net.loop import Loop
    from vines.protocol.machine import Address
    from vines.protocol.node import Node

LOOK_SECONDS = 2.0
"""Between two looks into the directory: so long two halves of a cluster may overlook each other."""

JOINED_AT_ONCE_MAX = 8
"""Unknown nodes joined in one look: one leads to all others, some may be about to end."""

JOINED_MAX = 32
"""Nodes joined in a life: a node keeps dialling a seed, so there must not be one more each restart.
"""


class Discovery:
    """Looks for other nodes of this user with this cluster label; idle without one, or if told
    so.
    """

    def __init__(self, config: Config, node: Node) -> None:
        self._config = config
        self._node = node
        self._directory: LocalDirectory | None = None
        if config.cluster and config.discovery:
            from vines.net.local import LocalDirectory  # for those only who have use for it

            self._directory = LocalDirectory(config.cluster)
        self._looking = False
        self._unknown: list[Address] = []
        """Whom the last look found, and nobody knew."""
        self._joined: set[Address] = set()

    def start(self, loop: Loop, bound: Address | None) -> None:
        """Publish where this node listens, if it does, then look now and then."""
        directory = self._directory
        if directory is None:
            return
        if bound is not None:
            name, address = self._node.id.hex(), _dialled_from_here(bound)
            loop.call(lambda _now: self._publish(directory, name, address))
        if not self._looking:
            self._looking = True
            loop.every(LOOK_SECONDS, self._look)

    def refused(self, address: Address | None) -> None:
        """Nobody answers at this address any more."""
        if self._directory is not None and address is not None:
            self._directory.refused(address)

    def close(self) -> None:
        """Be found no more."""
        if self._directory is not None:
            self._directory.close()

    def _publish(self, directory: LocalDirectory, name: str, address: Address) -> None:
        try:
            directory.publish(name, address)
        except OSError as error:  # Insecure is one: somebody else could write there
            logger.warning("other nodes on this host cannot find this one: %s", error)

    def _look(self, now: float) -> None:
        assert self._directory is not None
        members = [member for member in self._node.members() if member.state == ALIVE]
        known = {member.address for member in members} | self._joined
        unknown = [
            address
            for address in self._directory.scan()
            if address not in known and (self._config.insecure or is_loopback(address[0]))
        ]
        # Whoever is new dials those who are there: these need not dial it, too.
        overlooked = [one for one in unknown if one in self._unknown or len(members) == 1]
        self._unknown = unknown
        chosen = overlooked[: min(JOINED_AT_ONCE_MAX, JOINED_MAX - len(self._joined))]
        if chosen:
            self._joined.update(chosen)
            self._node.join(chosen, now)


def _dialled_from_here(bound: Address) -> Address:
    host, port = bound
    if not is_wildcard(host):
        return bound
    return ("::1" if ":" in host else "127.0.0.1", port)
