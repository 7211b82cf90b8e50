from __future__ import annotations

from random import Random

from peerterm.core.addresses import Address
from peerterm.core.encounters import Link
from peerterm.core.ids import PeerId
from peerterm.core.roster import (
    MAX_ADDRESSES_PER_PEER,
    MAX_PEERS,
    MAX_REMEMBERED,
    MAX_UNVERIFIED_PER_HOST,
    Peer,
    Roster,
)


def peer_id(number: int) -> PeerId:
    """Return the id of a made-up peer."""
    return PeerId(f"{number:064x}")


def roster() -> Roster:
    """Return an empty table."""
    return Roster(Random(1))


def fill(table: Roster, *, is_online: bool) -> list[Peer]:
    """Fill the table with peers that were linked."""
    peers = []
    for number in range(MAX_PEERS):
        peer = table.admit_linked(peer_id(number))
        assert peer is not None
        peer.seen_at = float(number)
        if is_online:
            peer.link = Link(Address("10.0.0.1", number), b"instance", True, 0.0)
        peers.append(peer)
    return peers


def test_one_host_has_few_unproven_peers() -> None:
    """The ninth id heard from one host is not taken; one from another host is."""
    table = roster()
    for number in range(MAX_UNVERIFIED_PER_HOST):
        peer = table.admit_heard(peer_id(number), "10.0.0.1")
        assert peer is not None
        table.claim(peer, Address("10.0.0.1", number))

    assert table.admit_heard(peer_id(100), "10.0.0.1") is None
    assert table.admit_heard(peer_id(100), "10.0.0.2") is not None


def test_unproven_newcomer_displaces_gossip_then_the_oldest() -> None:
    """In a full table the least proven and longest silent peer makes room."""
    table = roster()
    for number in range(MAX_PEERS):
        peer = table.admit_heard(peer_id(number), f"10.0.0.{number}")
        assert peer is not None
        peer.was_heard, peer.seen_at = number != 7, float(number)
    table.admit_heard(peer_id(1000), "10.1.0.1")
    newcomer = table.get(peer_id(1000))
    assert newcomer is not None
    newcomer.was_heard, newcomer.seen_at = True, 1000.0
    table.admit_heard(peer_id(1001), "10.1.0.1")

    assert len(table) == MAX_PEERS
    assert table.get(peer_id(7)) is None
    assert table.get(peer_id(0)) is None
    assert table.get(peer_id(1)) is not None


def test_verified_peers_yield_only_to_a_link() -> None:
    """A stranger never displaces a peer that was linked; a peer that is here displaces the longest gone."""
    table = roster()
    fill(table, is_online=False)

    assert table.admit_heard(peer_id(1000), "10.0.0.9") is None
    assert table.admit_linked(peer_id(1000)) is not None
    assert table.get(peer_id(0)) is None
    assert len(table) == MAX_PEERS


def test_table_full_of_linked_peers_takes_none() -> None:
    """A peer that is online is never displaced."""
    table = roster()
    fill(table, is_online=True)

    assert table.admit_linked(peer_id(1000)) is None


def test_remembered_peers_leave_room() -> None:
    """Only so many peers of earlier sessions are taken."""
    table = roster()
    admitted = [table.admit_remembered(peer_id(number)) for number in range(MAX_REMEMBERED + 1)]

    assert admitted[-1] is None
    assert all(admitted[:-1])


def test_unproven_addresses_make_room_first() -> None:
    """A peer has few addresses; proven ones and the one being dialled stay, and find room themselves."""
    table = roster()
    peer = table.admit_linked(peer_id(1))
    assert peer is not None
    places = [Address("10.0.0.1", port) for port in range(1, MAX_ADDRESSES_PER_PEER + 4)]
    table.claim(peer, places[0], is_proven=True)
    for place in places[1:MAX_ADDRESSES_PER_PEER]:
        table.claim(peer, place)
    table.book[places[1]].is_dialling = True
    table.claim(peer, places[4])

    assert list(peer.addresses) == [places[0], places[1], places[3], places[4]]
    for place in places[3:5]:
        table.claim(peer, place, is_proven=True)
    assert table.claim(peer, places[5]) is None
    assert table.claim(peer, places[6], is_proven=True) is not None
    assert places[0] not in peer.addresses
    assert len(peer.addresses) == MAX_ADDRESSES_PER_PEER


def test_disproved_address_is_gone() -> None:
    """A stranger without an address is forgotten; a peer that was linked is kept."""
    table = roster()
    place = Address("10.0.0.1", 1)
    stranger, friend = table.admit_heard(peer_id(1), "10.0.0.1"), table.admit_linked(peer_id(2))
    assert stranger
    assert friend
    table.claim(stranger, place)
    table.claim(friend, place, is_proven=True)
    table.disprove(stranger.peer_id, place)
    table.disprove(friend.peer_id, place)
    table.disprove(friend.peer_id, place)

    assert table.get(stranger.peer_id) is None
    assert table.get(friend.peer_id) is friend
    assert not friend.addresses
    assert len(table.book) == 0


def test_stranger_with_another_address_stays() -> None:
    """Disproving one of two addresses leaves the other."""
    table = roster()
    stranger = table.admit_heard(peer_id(1), "10.0.0.1")
    assert stranger
    table.claim(stranger, Address("10.0.0.1", 1))
    table.claim(stranger, Address("10.0.0.1", 2))
    table.disprove(stranger.peer_id, Address("10.0.0.1", 1))

    assert list(stranger.addresses) == [Address("10.0.0.1", 2)]
    assert table.get(None) is None
