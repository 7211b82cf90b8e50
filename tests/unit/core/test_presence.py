"""What a beacon does: whom it has dialled, when it is ignored, and that it proves nothing."""

from __future__ import annotations

import pytest

from peerterm.core.encounters import CheckLink, Dial, Effect, ProfileCloned
from peerterm.core.ids import PeerId
from peerterm.core.presence import BEACON_LIFETIME, COURTESY_SECONDS
from tests.fakes.encounters import (
    DIAL_LARGE,
    HOST,
    LARGE,
    OWN,
    PORT,
    SECOND,
    SMALL,
    THERE,
    bye,
    hello,
    linked,
    presence,
)


def test_larger_id_is_dialled_at_once() -> None:
    """The smaller id dials when it hears a beacon, at the packet's source and the beacon's port."""
    table = presence()

    assert table.heard(hello(), HOST, 10.0) == [DIAL_LARGE]
    assert table.is_connecting(LARGE)
    assert table.online() == []


def test_smaller_id_is_dialled_after_the_courtesy() -> None:
    """The larger id gives the other side 0.2 s to dial first, then dials too."""
    table = presence()

    assert table.heard(hello(SMALL), HOST, 10.0) == []
    assert table.deadline() == 10.0 + COURTESY_SECONDS
    assert table.tick(10.0 + COURTESY_SECONDS) == [Dial(SMALL, HOST, PORT)]


def test_repeated_beacon_dials_nothing_more() -> None:
    """Beacons come several times, by broadcast and multicast; one dial is enough."""
    table = presence()
    table.heard(hello(), HOST, 10.0)

    assert table.heard(hello(), HOST, 10.0) == []
    assert table.heard(hello(), "10.0.0.6", 10.1) == []


def test_ninth_peer_waits_for_a_dial_to_end() -> None:
    """With all dials in flight a beacon starts none; the first to end makes room."""
    table = presence()
    dials: list[Effect] = []
    for number in range(9):
        dials += table.heard(hello(PeerId(f"99{number:062x}")), f"10.0.1.{number}", 10.0)

    assert len(dials) == 8
    assert isinstance(dials[0], Dial)
    assert table.dial_failed(dials[0], 10.1, "refused") == [Dial(PeerId(f"99{8:062x}"), "10.0.1.8", PORT)]


@pytest.mark.parametrize("host", ["8.8.8.8", "224.0.0.1", "not an address"])
def test_beacon_from_elsewhere_is_ignored(host: str) -> None:
    """Only hosts of this network are dialled."""
    table = presence()

    assert table.heard(hello(), host, 10.0) == []
    assert table.deadline() is None


def test_own_beacon_is_ignored() -> None:
    """We hear ourselves, and learn nothing."""
    table = presence()

    assert table.heard(hello(OWN, instance=b"own-inst"), HOST, 10.0) == []
    assert table.learned(OWN, HOST, PORT, 10.0, "gossip") == []


def test_cloned_profile_is_told_once() -> None:
    """Our id with another instance is another engine on a copied profile; the bye of our last run is not."""
    table = presence()

    assert table.heard(bye(OWN, instance=SECOND), HOST, 10.0) == []
    assert table.heard(hello(OWN, instance=SECOND), HOST, 10.0) == [ProfileCloned(HOST)]
    assert table.heard(hello(OWN, instance=SECOND), HOST, 15.0) == []


def test_a_thousand_ids_cause_one_dial_in_thirty_seconds() -> None:
    """Whatever ids are claimed for one address, it is dialled rarely, and ever more rarely."""
    table = presence()
    dialled_at = []
    for step in range(1000):
        now = step * 0.1
        for effect in table.heard(hello(PeerId(f"{step:064x}")), HOST, now) + table.tick(now):
            assert isinstance(effect, Dial)
            dialled_at.append(now)
            table.dial_failed(effect, now, "refused")

    assert len(dialled_at) == 3
    assert dialled_at[1] - dialled_at[0] >= 30.0
    assert dialled_at[2] - dialled_at[1] >= 60.0


def test_unproven_peer_is_forgotten_after_its_last_beacon() -> None:
    """Twenty seconds of silence end a peer that was never linked."""
    table = presence()
    table.heard(hello(), HOST, 10.0)
    table.heard(hello(), HOST, 15.0)
    table.tick(10.0 + BEACON_LIFETIME)

    assert table.is_connecting(LARGE)
    assert table.deadline() == 15.0 + BEACON_LIFETIME
    table.tick(15.0 + BEACON_LIFETIME)
    assert not table.is_connecting(LARGE)
    assert table.deadline() is None


def test_bye_of_an_unproven_peer_forgets_it() -> None:
    """There is no use in dialling a peer that says it leaves."""
    table = presence()
    table.heard(hello(SMALL), HOST, 10.0)

    assert table.heard(bye(SMALL), HOST, 10.1) == []
    assert table.heard(bye(SMALL), HOST, 10.1) == []
    assert table.tick(11.0) == []


def test_full_host_or_peer_takes_no_more() -> None:
    """The ninth unproven id of a host is ignored; so is a fifth address of a peer proven at four."""
    table = presence()
    for number in range(8):
        table.heard(hello(PeerId(f"{number:064x}"), port=number + 1), HOST, 10.0)

    assert table.heard(hello(LARGE, port=100), HOST, 11.0) == []
    for number in range(4):
        table.learned(SMALL, f"10.0.1.{number}", PORT, 11.0, "remembered")
    assert table.heard(hello(SMALL), "10.0.1.9", 11.0) == []


def test_linked_peer_is_never_moved_by_a_beacon() -> None:
    """A beacon from elsewhere, true or not, only has the link checked; and that rarely."""
    table = linked()

    assert table.heard(hello(), HOST, 10.0) == []
    assert table.heard(hello(), "10.0.0.66", 10.0) == [CheckLink(LARGE)]
    assert table.address(LARGE) == THERE
    assert table.heard(hello(instance=SECOND), HOST, 10.5) == []
    assert table.heard(hello(instance=SECOND), HOST, 11.5) == [CheckLink(LARGE)]
    assert table.heard(bye(), HOST, 13.0) == [CheckLink(LARGE)]
    assert table.online() == [LARGE]


def test_beacon_ends_the_back_off_of_a_peer_that_returns() -> None:
    """The first beacon after a peer went offline, and each new process, is worth a dial; others are not."""
    table = linked()
    table.link_closed(LARGE, "lost", 100.0)
    for _ in range(5):
        table.dial_failed(DIAL_LARGE, 100.0, "refused")
        table.tick(table.deadline() or 0.0)
    now = 200.0
    table.dial_failed(DIAL_LARGE, now, "refused")

    assert table.heard(hello(), HOST, now) == [DIAL_LARGE]
    table.dial_failed(DIAL_LARGE, now, "refused")
    assert table.heard(hello(), HOST, now + 0.6) == []
    assert table.heard(hello(instance=SECOND), HOST, now + 0.6) == [DIAL_LARGE]
