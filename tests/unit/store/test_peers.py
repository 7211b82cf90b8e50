from __future__ import annotations

import pytest

from peerterm.core.ids import PeerId
from peerterm.store import peers as module
from peerterm.store.database import Database
from peerterm.store.peers import KnownPeer, PeerStore

ALICE, BOB, CAROL = (PeerId(letter * 64) for letter in "abc")


async def test_peer_is_remembered_with_its_newest_name(database: Database) -> None:
    """Addresses gather, newest first; the name is the last one heard."""
    store = PeerStore(database)
    await store.remember(ALICE, "alice", "10.0.0.1", 47470, 1.0)
    await store.remember(ALICE, "alice 🎉", "fe80::1%eth0", 47471, 2.5)
    await store.remember(ALICE, "alice 🎉", "10.0.0.1", 47470, 3.0)

    addresses = (("10.0.0.1", 47470), ("fe80::1%eth0", 47471))
    assert await store.all() == [KnownPeer(ALICE, "alice 🎉", addresses, "new", 3.0)]
    assert await database.fetch_one("SELECT first_seen FROM peers") == (1.0,)


async def test_oldest_addresses_make_room(database: Database) -> None:
    """A peer that moves about keeps its newest eight addresses."""
    store = PeerStore(database)
    for port in range(1, 11):
        await store.remember(ALICE, "alice", "10.0.0.1", port, float(port))

    [alice] = await store.all()
    assert [port for _, port in alice.addresses] == [10, 9, 8, 7, 6, 5, 4, 3]


async def test_longest_unseen_peer_makes_room(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of peers is bounded."""
    monkeypatch.setattr(module, "MAX_PEERS", 2)
    store = PeerStore(database)
    for seen, peer in enumerate((ALICE, BOB, CAROL)):
        await store.remember(peer, "x", "10.0.0.1", 1, float(seen))

    assert [peer.peer_id for peer in await store.all()] == [CAROL, BOB]


async def test_peer_whose_trust_is_settled_stays(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers cannot push out a peer the user blocked."""
    monkeypatch.setattr(module, "MAX_PEERS", 2)
    store = PeerStore(database)
    await store.remember(ALICE, "x", "10.0.0.1", 1, 0.0)
    async with database.transaction() as connection:
        await connection.execute("UPDATE peers SET trust = 'blocked'")
    for seen, peer in enumerate((BOB, CAROL), start=1):
        await store.remember(peer, "x", "10.0.0.1", 1, float(seen))

    assert [(peer.peer_id, peer.trust) for peer in await store.all()] == [(CAROL, "new"), (ALICE, "blocked")]
