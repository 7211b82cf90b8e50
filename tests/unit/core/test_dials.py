from __future__ import annotations

from random import Random

from peerterm.core.addresses import Address
from peerterm.core.dials import HOST_DIALS_BURST, MAX_DIALS, MAX_HINTED_DIALS, Dials
from peerterm.core.encounters import Dial, Link
from peerterm.core.ids import PeerId
from peerterm.core.roster import NEVER, Peer, Roster

NOW = 100.0


def peer_id(number: int) -> PeerId:
    """Return the id of a made-up peer."""
    return PeerId(f"{number:064x}")


def table() -> tuple[Roster, Dials]:
    """Return an empty roster and what dials from it."""
    roster = Roster(Random(1))
    return roster, Dials(roster)


def add(roster: Roster, number: int, *addresses: Address, is_heard: bool = True, is_proven: bool = False) -> Peer:
    """Add a peer that may be at some addresses."""
    peer = roster.get(peer_id(number)) or roster.admit_linked(peer_id(number))
    assert peer is not None
    for address in addresses:
        contact = roster.claim(peer, address, is_proven=is_proven)
        assert contact is not None
        contact.heard_until = NOW + 20 if is_heard else 0.0
    return peer


def place(number: int, port: int = 1) -> Address:
    """Return one of many hosts."""
    return Address(f"10.0.0.{number}", port)


def test_dials_in_flight_are_bounded() -> None:
    """However many wait, only so many are dialled at once; the end of one lets the next go."""
    roster, dials = table()
    for number in range(20):
        add(roster, number, place(number))
    first, due = dials.plan(NOW)

    assert len(first) == len(dials) == MAX_DIALS
    assert due == NEVER
    dials.end(Address(first[0].host, first[0].port)).ready_at = NOW + 30
    second, due = dials.plan(NOW)
    assert len(second) == 1
    assert due == NOW + 30


def test_silent_addresses_leave_room_for_heard_ones() -> None:
    """Remembered addresses, which may all hang, take half of the room, and the last places."""
    roster, dials = table()
    for number in range(20):
        add(roster, number, place(number), is_heard=number >= 18)
    started, _ = dials.plan(NOW)

    assert len(started) == MAX_HINTED_DIALS + 2
    assert {dial.peer_id for dial in started[:2]} == {peer_id(18), peer_id(19)}


def test_peer_is_dialled_at_one_address_at_a_time() -> None:
    """Its other addresses wait for the first dial to end."""
    roster, dials = table()
    peer = add(roster, 1, place(1), place(2))
    started, _ = dials.plan(NOW)

    assert len(started) == 1
    assert dials.reaches(peer.peer_id)
    assert not dials.reaches(peer_id(2))
    dials.end(place(1)).ready_at = NOW + 30
    assert dials.plan(NOW)[0] == [Dial(peer_id(1), "10.0.0.2", 1)]


def test_address_with_several_claimants_takes_whoever_answers() -> None:
    """False claims cannot keep the peer that is really there from being reached."""
    roster, dials = table()
    add(roster, 1, place(1))
    add(roster, 2, place(1))

    assert dials.plan(NOW)[0] == [Dial(None, "10.0.0.1", 1)]


def test_address_of_a_linked_peer_is_left_alone() -> None:
    """Neither the linked peer nor who else claims its address is dialled there; another claim elsewhere is."""
    roster, dials = table()
    linked = add(roster, 1, place(1), place(3), is_proven=True)
    linked.link = linked.last_link = Link(place(1), b"instance", True, 0.0)
    add(roster, 2, place(1), place(3))

    assert dials.plan(NOW)[0] == [Dial(peer_id(2), "10.0.0.3", 1)]


def test_manual_address_rests_while_its_peer_is_online_or_dialled() -> None:
    """What the user named is not dialled while who was there is reached otherwise."""
    roster, dials = table()
    peer = add(roster, 1, place(1))
    contact = roster.book.open(place(2))
    contact.is_manual, contact.pin = True, peer.peer_id
    first, _ = dials.plan(NOW)

    assert len(first) == 1
    dials.end(Address(first[0].host, first[0].port))
    peer.settles_at = NOW + 1
    assert dials.plan(NOW)[0] == []
    peer.settles_at, peer.wait_until = None, NOW + 50
    assert dials.plan(NOW)[0] == [Dial(peer_id(1), "10.0.0.2", 1)]
    assert dials.plan(NOW + 50)[0] == []


def test_ports_of_one_host_are_not_scanned() -> None:
    """Unproven addresses of one host are dialled at a bounded rate; proven ones are not held back."""
    roster, dials = table()
    dialled, due = 0, 0.0
    for number in range(HOST_DIALS_BURST * 2):
        add(roster, number, place(1, number + 1))
    for _ in range(10):
        started, due = dials.plan(NOW)
        dialled += len(started)
        for dial in started:
            dials.end(Address(dial.host, dial.port)).ready_at = NOW + 30

    assert dialled == HOST_DIALS_BURST
    assert due == NOW + 1.0
    add(roster, 100, place(1, 1000), is_proven=True)
    assert dials.plan(NOW)[0] == [Dial(peer_id(100), "10.0.0.1", 1000)]


def test_who_answered_two_dials_is_greeted_once() -> None:
    """The second dial to reach a peer is told so."""
    roster, dials = table()
    for number in (1, 2):
        roster.book.open(place(number)).is_manual = True
    dials.plan(NOW)

    assert dials.identify(place(1), peer_id(7))
    assert not dials.identify(place(2), peer_id(7))
    assert place(1) in dials
