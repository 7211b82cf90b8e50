"""The list of peers, and who is meant by a name."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from peerterm.api.events import (
    Event,
    PeerAddressChanged,
    PeerChanged,
    PeerJoined,
    PeerLeft,
    PeerRenamed,
    PeerRestarted,
    Snapshot,
)
from peerterm.core.ids import PeerId
from peerterm.engine import peers as module
from peerterm.engine.bus import Bus
from peerterm.engine.peers import Peers
from peerterm.errors import AmbiguousReference, NotFound, PeerUnavailable
from peerterm.store.peers import KnownPeer
from peerterm.wire.messages import Status
from tests.fakes.linked import hello_of

if TYPE_CHECKING:
    from peerterm.net.link import Link

ANNA, BEN, CARLA = (PeerId(digit * 64) for digit in "abc")


class LinkTo:
    """As much of a link as the list of peers needs."""

    def __init__(self, peer: PeerId, name: str, host: str = "10.0.0.1") -> None:
        self.peer_id = peer
        self.host = host
        self.hello = hello_of(name, port=4000, shares=2, size=10)
        self.pings = 0

    def ping(self) -> None:
        self.pings += 1


class Recorder(Bus):
    """A bus that keeps what is published."""

    def __init__(self) -> None:
        super().__init__(cast("Any", Snapshot))
        self.events: list[Event] = []

    def publish(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def bus() -> Recorder:
    return Recorder()


@pytest.fixture
async def peers(bus: Recorder, monkeypatch: pytest.MonkeyPatch) -> Peers:
    """Return the peers of an engine that is old enough to wait for nobody."""
    monkeypatch.setattr(module, "LONELY_SECONDS", 0.0)
    monkeypatch.setattr(module, "MEETING_SECONDS", 0.0)
    return Peers(bus)


def join(peers: Peers, peer: PeerId, name: str, host: str = "10.0.0.1") -> LinkTo:
    link = LinkTo(peer, name, host)
    peers.linked(cast("Link", link), link.hello)
    peers.joined(peer)
    return link


def leave(peers: Peers, link: LinkTo) -> None:
    assert peers.unlinked(cast("Link", link))
    peers.left(link.peer_id, "bye")


async def test_joining_and_leaving_are_told(peers: Peers, bus: Recorder) -> None:
    """A peer is online from its link to its end, and stays listed."""
    gone: list[PeerId] = []
    peers.on_offline = gone.append
    link = join(peers, ANNA, "anna")
    online = peers.views()
    leave(peers, link)

    assert [type(event) for event in bus.events] == [PeerJoined, PeerLeft]
    assert (online[0].name, online[0].state, online[0].address) == ("anna", "online", "10.0.0.1:4000")
    assert (online[0].shares, online[0].bytes) == (2, 10)
    assert [view.state for view in peers.views()] == ["offline"]
    assert gone == [ANNA]


async def test_online_peers_are_listed_first_then_by_name(peers: Peers) -> None:
    """Case does not matter for the order."""
    join(peers, CARLA, "Carla")
    join(peers, ANNA, "anna")
    leave(peers, join(peers, BEN, "Ben"))

    assert [view.name for view in peers.views()] == ["anna", "Carla", "Ben"]


async def test_link_and_address_are_of_who_is_online(peers: Peers) -> None:
    """Whoever is not online has neither; an IPv6 address is put in brackets."""
    link = join(peers, ANNA, "anna", "fe80::1")

    assert peers.link(ANNA) is cast("Link", link)
    assert peers.links() == [cast("Link", link)]
    assert peers.address_of(ANNA) == ("fe80::1", 4000)
    assert peers.views()[0].address == "[fe80::1]:4000"
    leave(peers, link)
    assert peers.address_of(ANNA) is None
    with pytest.raises(PeerUnavailable, match="anna is not online"):
        peers.link(ANNA)


async def test_newer_link_replaces_the_older_one(peers: Peers) -> None:
    """The end of a link that was replaced changes nothing."""
    older = join(peers, ANNA, "anna")
    newer = LinkTo(ANNA, "anna")

    assert peers.linked(cast("Link", newer), newer.hello) is cast("Link", older)
    assert not peers.unlinked(cast("Link", older))
    assert peers.link(ANNA) is cast("Link", newer)


async def test_peer_is_found_by_name_id_and_start_of_id(peers: Peers) -> None:
    """A short start is not enough."""
    join(peers, ANNA, "anna")

    assert [peers.resolve(text) for text in ("anna", ANNA, "aaaa", "AAAA")] == [ANNA] * 4
    for text in ("aaa", "ann", ""):
        with pytest.raises(NotFound):
            peers.resolve(text)


async def test_name_of_two_peers_is_not_guessed(peers: Peers) -> None:
    """Not even when only one of them is online: anybody may take a name."""
    join(peers, ANNA, "anna")
    leave(peers, join(peers, BEN, "anna"))

    with pytest.raises(AmbiguousReference) as raised:
        peers.resolve("anna")
    assert ANNA[:12] in raised.value.message
    assert BEN[:12] in raised.value.message


async def test_unknown_peer_is_called_by_its_id(peers: Peers) -> None:
    """A name is shown where there is one."""
    join(peers, ANNA, "anna")

    assert (peers.name_of(ANNA), peers.name_of(BEN)) == ("anna", "bbbbbbbb")


async def test_peers_of_earlier_sessions_are_offline(peers: Peers) -> None:
    """What the store remembers is listed, with or without an address."""
    peers.remembered(KnownPeer(ANNA, "anna", (("10.0.0.2", 5), ("10.0.0.1", 5)), "new", 7.0))
    peers.remembered(KnownPeer(BEN, "ben", (), "new", 8.0))

    assert [(view.name, view.address, view.state, view.last_seen) for view in peers.views()] == [
        ("anna", "10.0.0.2:5", "offline", 7.0),
        ("ben", "", "offline", 8.0),
    ]
    with pytest.raises(PeerUnavailable):
        peers.link(peers.resolve("anna"))


async def test_offline_peers_are_bounded(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever left longest ago is forgotten; nobody fills the list with invented peers."""
    monkeypatch.setattr(module, "MAX_OFFLINE", 2)
    for peer in (ANNA, BEN, CARLA):
        leave(peers, join(peers, peer, peer[:4]))

    assert [view.peer_id for view in peers.views()] == [BEN, CARLA]


async def test_changes_are_events(peers: Peers, bus: Recorder) -> None:
    """Name, address, restart and offer each have an event; an offer that did not change has none."""
    join(peers, ANNA, "anna")
    peers.restarted(ANNA)
    peers.renamed(ANNA, "anna", "Anna B")
    peers.moved(ANNA, "10.0.0.9:4000")
    for _ in range(2):
        peers.offers(ANNA, Status(name="Anna B", shares=3, size=99, seq=1))
    peers.offers(BEN, Status(name="ben", shares=3, size=99, seq=1))

    assert [type(event) for event in bus.events[1:]] == [
        PeerRestarted,
        PeerRenamed,
        PeerAddressChanged,
        PeerChanged,
    ]
    assert (peers.views()[0].name, peers.views()[0].shares, peers.views()[0].bytes) == ("Anna B", 3, 99)


async def test_all_or_one_peer_is_pinged(peers: Peers) -> None:
    """Whoever is not online is passed over."""
    anna, ben = join(peers, ANNA, "anna"), join(peers, BEN, "ben")
    peers.ping()
    peers.ping(BEN)
    peers.ping(CARLA)

    assert (anna.pings, ben.pings) == (1, 2)


async def test_young_engine_waits_for_a_peer_to_appear(bus: Recorder) -> None:
    """A verb that started the engine finds a peer that joins a moment later."""
    peers = Peers(bus)
    waiting = asyncio.ensure_future(peers.wait_for("anna"))
    settled = asyncio.ensure_future(peers.settled())
    await asyncio.sleep(0)
    join(peers, BEN, "ben")
    await asyncio.sleep(0)
    assert not waiting.done()
    join(peers, ANNA, "anna")

    assert await waiting == ANNA
    assert not settled.done()
    settled.cancel()


async def test_old_engine_waits_for_nobody(peers: Peers) -> None:
    """What is not there now is an error at once."""
    await peers.settled()
    with pytest.raises(NotFound):
        await peers.wait_for("anna")
    leave(peers, join(peers, ANNA, "anna"))
    with pytest.raises(PeerUnavailable):
        await peers.wait_for("anna")


async def test_engine_that_sees_somebody_settles_soon(bus: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one peer here the others are not waited for as long as without any."""
    monkeypatch.setattr(module, "LONELY_SECONDS", 60.0)
    monkeypatch.setattr(module, "MEETING_SECONDS", 0.01)
    peers = Peers(bus)
    settled = asyncio.ensure_future(peers.settled())
    await asyncio.sleep(0)
    assert not settled.done()
    join(peers, ANNA, "anna")

    async with asyncio.timeout(5):
        await settled


async def test_peers_without_a_service_behind_them_may_come_and_go(peers: Peers) -> None:
    """Before the engine has wired the list, nobody needs to be told."""
    link = join(peers, ANNA, "anna")
    peers.on_linked(cast("Link", link))
    leave(peers, link)

    assert not peers.links()
