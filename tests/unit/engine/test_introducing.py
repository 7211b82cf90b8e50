"""What an engine says of itself and of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from peerterm.core.ids import PeerId
from peerterm.core.presence import BeaconKind
from peerterm.engine.introducing import Introduction, check_peer_name, gossip_about
from peerterm.errors import ProtocolViolation
from peerterm.store.catalog import Totals
from peerterm.wire.beacon import decode_beacon
from peerterm.wire.messages import MAX_GOSSIP
from tests.fakes.linked import hello_of

if TYPE_CHECKING:
    from peerterm.net.link import Link
    from peerterm.wire.messages import Hello

ME = PeerId("ab" * 32)


class LinkTo:
    """As much of a link as gossip needs."""

    def __init__(self, number: int, host: str = "10.0.0.1") -> None:
        self.peer_id = f"{number:064x}"
        self.host = host
        self.hello: Hello = hello_of("x", port=1000 + number)


def links(*items: LinkTo) -> list[Link]:
    return cast("list[Link]", list(items))


def test_hello_status_and_beacon_agree() -> None:
    """All of them speak of the same engine, and of the offer as it is now."""
    me = Introduction(ME, "anna", Totals(1, 2, 3, 4))
    me.port = 47470
    hello = me.hello()
    me.offer = Totals(5, 6, 7, 8)
    status = me.status()
    beacon = decode_beacon(me.beacon(BeaconKind.HELLO))

    assert (hello.name, hello.port, hello.shares, hello.size, hello.seq) == ("anna", 47470, 1, 3, 4)
    assert (status.name, status.shares, status.size, status.seq) == ("anna", 5, 7, 8)
    assert (beacon.peer_id, beacon.port, beacon.kind) == (ME, 47470, BeaconKind.HELLO)
    assert hello.instance == beacon.instance == me.instance


def test_beacons_are_counted_and_instances_differ() -> None:
    """Each beacon has a number of its own, each start of the engine an instance of its own."""
    me, again = (Introduction(ME, "anna", Totals(0, 0, 0, 0)) for _ in range(2))
    me.port = 1
    counters = [decode_beacon(me.beacon(BeaconKind.BYE)).counter for _ in range(3)]

    assert counters == sorted(set(counters))
    assert me.instance != again.instance


def test_gossip_leaves_out_what_means_nothing_elsewhere() -> None:
    """A link-local address is of no use to another machine."""
    (gossip,) = gossip_about(links(LinkTo(1), LinkTo(2, "fe80::1%eth0")))

    assert [(peer.peer.hex(), peer.host, peer.port) for peer in gossip.peers] == [(f"{1:064x}", "10.0.0.1", 1001)]
    assert not list(gossip_about(links(LinkTo(2, "fe80::1%eth0"))))


def test_gossip_about_many_comes_in_several_messages() -> None:
    """No message names more peers than the protocol allows."""
    messages = list(gossip_about(links(*(LinkTo(number) for number in range(MAX_GOSSIP + 1)))))

    assert [len(message.peers) for message in messages] == [MAX_GOSSIP, 1]


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 33, "..", "\x1b[2J"])
def test_impossible_peer_name_is_a_violation(name: str) -> None:
    """No honest peer bears such a name."""
    with pytest.raises(ProtocolViolation):
        check_peer_name(name)


def test_ordinary_peer_name_passes() -> None:
    """Names in any language are welcome."""
    check_peer_name("Größe 音楽")
