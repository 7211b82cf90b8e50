"""Presence at work: who is linked, who is refused, and what peers say of themselves and of others."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice, PeerJoined, PeerLeft, PeerRenamed, PeerRestarted
from peerterm.core.ids import PeerId
from peerterm.core.presence import Beacon, BeaconKind
from peerterm.engine.linking import split_address
from peerterm.errors import ProtocolViolation
from peerterm.net.dialer import dial_link
from peerterm.wire.codec import encode
from peerterm.wire.messages import TALK, Gossip, HaveUpdate, Message, PeerAddress, Status, TalkHeads, TalkLeave
from peerterm.wire.session import CloseCode
from tests.fakes.chatting import LAN
from tests.fakes.engines import eventually, first, network, running, shared, until_online, write
from tests.fakes.fake_peer import FakePeer, fake_peer
from tests.fakes.linked import LOOPBACK, contexts_of, hello_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.engine import Engine
    from peerterm.net.link import Connected


def status(name: str, shares: int = 0) -> Status:
    return Status(name=name, shares=shares, size=1, seq=1)


@pytest.fixture
async def anna(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, "anna") as engine:
        yield engine


async def peer_names(engine: Engine) -> dict[str, str]:
    return {view.name: view.state for view in await engine.peers()}


async def test_peer_that_links_is_online_and_leaves_with_a_word(anna: Engine, tmp_path: Path) -> None:
    """HELLO says what is known of it; a clean close is a clean leave."""
    async with fake_peer(tmp_path, anna, "mallory") as peer:
        await until_online(anna, 1)
        (view,) = await anna.peers()
        left = await first(anna, PeerLeft, after=lambda: asyncio.ensure_future(peer.link.close()))

    assert (view.name, view.state, view.address) == ("mallory", "online", f"{LOOPBACK}:{peer.port}")
    assert (left.peer.name, left.reason) == ("mallory", "bye")


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "x" * 40, "..", "a/b"])
async def test_status_with_a_hostile_name_closes_the_link(anna: Engine, tmp_path: Path, name: str) -> None:
    """No impossible name replaces an honest one."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        peer.link.send(status(name))
        closed = await peer.links[0]

        assert closed.code == CloseCode.PROTOCOL
        assert closed.by_peer
        await eventually(lambda: not anna.services.peers.links())
        assert await peer_names(anna) == {"mallory": "offline"}


async def test_hello_with_a_hostile_name_opens_no_link(anna: Engine, tmp_path: Path) -> None:
    """Such a peer is never shown."""
    async with fake_peer(tmp_path, anna) as peer:
        await peer.link.close()
        await eventually(lambda: not anna.services.peers.links())
        stranger = FakePeer(contexts_of(tmp_path, "stranger"), "a\x1b[2J")
        await stranger.listen()
        await stranger.connect(anna)
        closed = await stranger.links[0]
        await stranger.close()

    assert closed.code == CloseCode.PROTOCOL
    assert await peer_names(anna) == {"mallory": "offline"}


async def test_news_of_no_concern_harm_nobody(anna: Engine, tmp_path: Path) -> None:
    """News about contents that are not fetched here are passed over; the link stays."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        peer.link.send(HaveUpdate(root=b"r" * 32, chunks=[2**60]))
        peer.link.send(status("other"))
        await first(anna, PeerRenamed)

        assert (await anna.status()).peers == 1


async def test_new_name_and_offer_are_shown(anna: Engine, tmp_path: Path) -> None:
    """A status changes what is listed."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        renamed = await first(anna, PeerRenamed, after=lambda: peer.link.send(status("Mallory 2", shares=3)))
        (view,) = await anna.peers()

    assert (renamed.old_name, renamed.peer.name) == ("mallory", "Mallory 2")
    assert (view.name, view.shares, view.bytes) == ("Mallory 2", 3, 1)


async def test_what_is_shared_is_announced(anna: Engine, tmp_path: Path) -> None:
    """A peer that is linked hears of a new share without asking."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        await shared(anna, write(tmp_path / "film.mkv", b"film"))
        await eventually(lambda: peer.heard)

    assert [(said.shares, said.size) for said in peer.heard if isinstance(said, Status)] == [(1, 4)]


async def test_peer_that_comes_back_as_a_new_process_has_restarted(anna: Engine, tmp_path: Path) -> None:
    """The newer link replaces the older one, and the peer was never gone."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        restarted = await first(
            anna,
            PeerRestarted,
            after=lambda: asyncio.ensure_future(peer.connect(anna, instance=b"87654321")),
        )
        closed = await peer.links[0]

        assert restarted.peer.name == "mallory"
        assert closed.code == CloseCode.DUPLICATE
        assert (await anna.status()).peers == 1


async def test_gossip_makes_a_third_engine_reachable(tmp_path: Path) -> None:
    """One mutual peer is enough to meet, where no beacon is heard."""
    async with running(tmp_path, "anna") as anna, fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        third = FakePeer(contexts_of(tmp_path, "third"), "third")
        await third.listen()
        third_id = PeerId(contexts_of(tmp_path, "third").peer_id)
        known = PeerAddress(peer=bytes.fromhex(third_id), host=LOOPBACK, port=third.port)
        async with third.welcoming():
            peer.link.send(Gossip(peers=[known]))
            joined = await first(anna, PeerJoined)
            assert joined.peer.peer_id == third_id
        await third.close()


async def test_peers_are_introduced_to_one_another(anna: Engine, tmp_path: Path) -> None:
    """Whoever links is told of the others, and they of it."""
    async with fake_peer(tmp_path, anna, "one") as one:
        await until_online(anna, 1)
        async with fake_peer(tmp_path, anna, "two") as two:
            await until_online(anna, 2)
            await eventually(lambda: one.heard and two.heard)

    ports = {PeerId(view.peer_id): int(view.address.rpartition(":")[2]) for view in await anna.peers()}
    for peer, other in ((one, two), (two, one)):
        (gossip,) = [said for said in peer.heard if isinstance(said, Gossip)]
        assert [(known.host, known.port) for known in gossip.peers] == [(LOOPBACK, other.port)]
        assert [ports[PeerId(known.peer.hex())] for known in gossip.peers] == [other.port]


@pytest.mark.parametrize("host", ["8.8.8.8", "not an address", "224.0.0.1", "127.0.0.1%x;reboot"])
async def test_hostile_gossip_makes_nobody_dial(anna: Engine, tmp_path: Path, host: str) -> None:
    """Only addresses of a local network are dialled for hearsay, and nothing breaks."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        peer.link.send(Gossip(peers=[PeerAddress(peer=b"p" * 32, host=host, port=9)]))
        peer.link.send(status("done"))
        await first(anna, PeerRenamed)

        assert await peer_names(anna) == {"done": "online"}


async def test_manual_address_is_dialled(tmp_path: Path) -> None:
    """Whoever answers at an address the user named is a peer, and one where nobody is does no harm."""
    peer = FakePeer(contexts_of(tmp_path, "peer"), "peer")
    await peer.listen()
    async with (
        peer.welcoming(),
        running(tmp_path, "anna", peers=(f"{LOOPBACK}:{peer.port}", f"{LOOPBACK}:9")) as anna,
    ):
        await until_online(anna, 1)

        assert await peer_names(anna) == {"peer": "online"}
    await peer.close()


async def test_address_outside_the_chosen_interfaces_is_not_dialled(tmp_path: Path) -> None:
    """An engine that is kept on loopback reaches nobody else, not even on request."""
    async with running(tmp_path, "anna", peers=("192.0.2.1:5000",)) as anna, fake_peer(tmp_path, anna):
        await until_online(anna, 1)
        await eventually(lambda: failures(anna))

        assert (await anna.status()).peers == 1


async def test_own_address_is_no_peer(tmp_path: Path) -> None:
    """An engine that is told its own address notices and lets go."""
    async with running(tmp_path, "anna") as anna:
        port = (await anna.status()).port
        await eventually(lambda: anna.services.linking._addresses)
        dial(anna, port)
        await eventually(lambda: failures(anna))

        assert not await anna.peers()


async def test_copy_of_the_profile_is_told_once(anna: Engine) -> None:
    """Two engines with one key cannot both be reached: the user is told."""
    own = PeerId((await anna.status()).peer_id)
    beacon = Beacon(own, b"another!", 47470, 1, BeaconKind.HELLO)
    notice = await first(anna, Notice, after=lambda: anna.services.linking._heard(beacon, "10.0.0.7"))

    assert notice.level == "warning"
    assert "10.0.0.7" in notice.text


async def test_engine_that_wakes_up_checks_its_links(tmp_path: Path) -> None:
    """After a sleep or a change of network every peer is asked whether it lives."""
    async with network(tmp_path, "anna", "ben") as (anna, _):
        (link,) = anna.services.peers.links()
        anna.services.linking._addresses_changed(anna.services.linking.addresses())
        await eventually(lambda: link.rtt is not None)

        assert (await anna.status()).peers == 1


async def test_beacon_of_a_restarted_peer_has_its_link_checked(anna: Engine, tmp_path: Path) -> None:
    """A beacon proves nothing; the link does."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        (link,) = anna.services.peers.links()
        anna.services.linking._heard(Beacon(link.peer_id, b"another!", peer.port, 1, BeaconKind.HELLO), LOOPBACK)
        await eventually(lambda: link.rtt is not None)

        assert (await anna.status()).peers == 1


async def test_link_whose_own_address_is_gone_is_dropped(anna: Engine, tmp_path: Path) -> None:
    """Nothing can come over it any more, so nobody waits for an answer."""
    async with fake_peer(tmp_path, anna):
        await until_online(anna, 1)
        (link,) = anna.services.peers.links()
        link.local_host = "10.9.9.9"
        left = await first(
            anna,
            PeerLeft,
            after=lambda: anna.services.linking._addresses_changed(anna.services.linking.addresses()),
        )

    assert left.reason == "lost"


async def test_message_that_opens_links_is_not_said_on_an_open_one(anna: Engine, tmp_path: Path) -> None:
    """Whatever else a peer says at the wrong time is a violation."""
    async with fake_peer(tmp_path, anna):
        await until_online(anna, 1)
        with pytest.raises(ProtocolViolation):
            anna.services.linking.received(anna.services.peers.links()[0], hello_of("again"))


def dial(engine: Engine, port: int) -> None:
    """Let an engine dial an address as if the user had named it."""
    linking = engine.services.linking
    linking._perform(linking._presence.learned(None, LOOPBACK, port, time.monotonic(), "manual"))


def failures(engine: Engine) -> int:
    """Return how many dials have failed in a row, at the worst address."""
    return max((contact.failures for _, contact in engine.services.linking._presence._book), default=0)


async def test_bug_in_a_dial_ends_only_the_dial(
    anna: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the address is tried again later."""

    async def buggy(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with fake_peer(tmp_path, anna):
        await until_online(anna, 1)
        monkeypatch.setattr("peerterm.engine.linking.dial_link", buggy)
        dial(anna, 9)
        await eventually(lambda: failures(anna))

        assert "ZeroDivisionError" in caplog.text
        assert (await anna.status()).peers == 1


async def test_dial_that_finds_a_peer_with_a_link_is_let_go(anna: Engine, tmp_path: Path) -> None:
    """Who it is shows only when it answers; no second link comes of it."""
    async with fake_peer(tmp_path, anna, "mallory") as peer:
        await until_online(anna, 1)
        elsewhere = FakePeer(contexts_of(tmp_path, "mallory.key"), "mallory")
        await elsewhere.listen()
        async with elsewhere.welcoming():
            dial(anna, elsewhere.port)
            await eventually(lambda: elsewhere.links and elsewhere.links[0].done())
        await elsewhere.close()

        assert not peer.links[0].done()
        assert (await anna.status()).peers == 1


async def test_dialled_peer_with_a_hostile_name_is_no_peer(anna: Engine, tmp_path: Path) -> None:
    """The dial counts as failed."""
    async with fake_peer(tmp_path, anna):
        await until_online(anna, 1)
        stranger = FakePeer(contexts_of(tmp_path, "stranger"), "a/b")
        await stranger.listen()
        async with stranger.welcoming():
            dial(anna, stranger.port)
            await eventually(lambda: failures(anna))
        await stranger.close()

        assert await peer_names(anna) == {"mallory": "online"}


async def test_two_links_of_one_process_become_one(anna: Engine, tmp_path: Path) -> None:
    """One of them is closed as a duplicate; the peer stays online."""
    async with fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        await peer.connect(anna)
        await asyncio.wait(peer.links, return_when=asyncio.FIRST_COMPLETED)
        (closed,) = [link.result() for link in peer.links if link.done()]

        assert closed.code == CloseCode.DUPLICATE
        assert (await anna.status()).peers == 1


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1:5000", ("10.0.0.1", 5000)),
        ("host.local", ("host.local", 47470)),
        ("[fe80::1%eth0]:5000", ("fe80::1%eth0", 5000)),
        ("[::1]", ("::1", 47470)),
        ("fe80::1", ("fe80::1", 47470)),
    ],
)
def test_address_is_split(text: str, address: tuple[str, int]) -> None:
    """The port may be left out."""
    assert split_address(text) == address


async def rushed(engine: Engine, folder: Path, *messages: Message, name: str = "mallory") -> Connected:
    """Link to an engine, and say all this in one piece with the HELLO."""
    connected = await dial_link(LOOPBACK, (await engine.status()).port, contexts_of(folder, "mallory.key"))
    hello = hello_of(name, features=[TALK])
    connected.writer.write(b"".join(map(encode, (hello, *messages))))
    return connected


async def test_what_comes_with_the_hello_is_heard(anna: Engine, tmp_path: Path) -> None:
    """A peer says it once, however busy this machine is; in the order in which it was said."""
    said = [TalkHeads(room="#lan", heads=[]), Status(name="eve", shares=3, size=1, seq=1)]
    connected = await rushed(anna, tmp_path, *said)
    await until_online(anna, 1)

    assert anna.services.talk_driver.talk.members(LAN) == [(await anna.peers())[0].peer_id]
    assert [(view.name, view.shares) for view in await anna.peers()] == [("eve", 3)]
    connected.writer.transport.abort()


@pytest.mark.parametrize("said", [[TalkLeave(room="lan")], [TalkHeads(room="#lan", heads=[])] * 4])
async def test_what_comes_with_the_hello_is_bounded_and_judged(
    anna: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[Message]
) -> None:
    """As all that comes later is: the link ends."""
    monkeypatch.setattr("peerterm.engine.linking.MAX_EARLY", 3)
    connected = await rushed(anna, tmp_path, *said)
    async with asyncio.timeout(10):
        await connected.reader.read()
    await eventually(lambda: not anna.services.peers.links())

    assert not anna.services.linking._early
    connected.writer.transport.abort()


async def test_link_that_is_refused_tells_nothing(anna: Engine, tmp_path: Path) -> None:
    """Whatever came with its HELLO."""
    connected = await rushed(anna, tmp_path, TalkHeads(room="#lan", heads=[]), name="\x1b[31m")
    async with asyncio.timeout(10):
        await connected.reader.read()

    assert not anna.services.talk_driver.talk.heard_of()
    assert not await anna.peers()
    connected.writer.transport.abort()
