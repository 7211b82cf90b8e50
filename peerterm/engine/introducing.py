"""What this engine says of itself and of others: HELLO, status, beacons, gossip."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from peerterm import __version__
from peerterm.core.names import check_display_name
from peerterm.core.presence import Beacon, BeaconKind
from peerterm.errors import InvalidName, ProtocolViolation
from peerterm.wire.beacon import encode_beacon
from peerterm.wire.messages import MAX_GOSSIP, PROTOCOL_VERSION, TALK, Gossip, Hello, PeerAddress, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerterm.core.ids import PeerId
    from peerterm.net.link import Link
    from peerterm.store.catalog import Totals


class Introduction:
    """This engine as its peers get to know it.

    Attributes:
        instance: 8 random bytes that tell this run of the engine from any other.
        port: Where it listens; 0 until it does.
        offer: What is shared now.
    """

    def __init__(self, peer_id: PeerId, name: str, offer: Totals) -> None:
        self.instance = secrets.token_bytes(8)
        self.port = 0
        self.offer = offer
        self._peer_id = peer_id
        self._name = name
        self._beacons_sent = 0

    def hello(self) -> Hello:
        """Return the first message of a link."""
        return Hello(
            protocol=PROTOCOL_VERSION,
            features=[TALK],
            name=self._name,
            instance=self.instance,
            port=self.port,
            version=__version__,
            shares=self.offer.shares,
            size=self.offer.size,
            seq=self.offer.seq,
        )

    def status(self) -> Status:
        """Return what a HELLO said, as it is now."""
        return Status(name=self._name, shares=self.offer.shares, size=self.offer.size, seq=self.offer.seq)

    def beacon(self, kind: BeaconKind) -> bytes:
        """Return the next datagram."""
        self._beacons_sent += 1
        return encode_beacon(Beacon(self._peer_id, self.instance, self.port, self._beacons_sent, kind))


def gossip_about(links: list[Link]) -> Iterator[Gossip]:
    """Yield messages that tell where these peers are; a link-local address means nothing elsewhere."""
    known = [
        PeerAddress(peer=bytes.fromhex(link.peer_id), host=link.host, port=link.hello.port)
        for link in links
        if "%" not in link.host
    ]
    for first in range(0, len(known), MAX_GOSSIP):
        yield Gossip(peers=known[first : first + MAX_GOSSIP])


def check_peer_name(name: str) -> None:
    """Refuse a name that no honest peer has.

    Raises:
        ProtocolViolation: It is too long, or has characters that must not reach a screen.
    """
    try:
        check_display_name(name)
    except InvalidName as error:
        raise ProtocolViolation(f"a peer calls itself something impossible: {error.message}") from error
