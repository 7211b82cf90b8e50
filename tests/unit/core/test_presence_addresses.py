"""Addresses without a beacon, named by the user, by peers or remembered: how they are dialled, and when no more."""

from __future__ import annotations

import pytest

from peerterm.core.encounters import Dial, PeerOffline, RefuseLink
from peerterm.core.ids import PeerId
from tests.fakes.encounters import DIAL_LARGE, FIRST, HOST, LARGE, OWN, PORT, hello, linked, open_link, presence


def test_manual_address_is_retried_for_ever() -> None:
    """What the user named is dialled whoever is there, after at most 30 s."""
    table = presence()
    (dial,) = table.learned(None, "example.org", 99, 0.0, "manual")
    assert dial == Dial(None, "example.org", 99)
    now = 0.0
    for _ in range(20):
        assert table.dial_failed(dial, now, "timeout") == []
        deadline = table.deadline()
        assert deadline is not None
        assert 1.0 <= deadline - now <= 30.0
        now = deadline
        assert table.tick(now) == [dial]


def test_manual_address_may_expect_one_peer() -> None:
    """An invitation names who must be there; another is retried later."""
    table = presence()

    assert table.learned(LARGE, HOST, PORT, 0.0, "manual") == [DIAL_LARGE]
    assert table.dial_failed(DIAL_LARGE, 0.0, "wrong_peer") == []
    assert table.tick(2.0) == [DIAL_LARGE]


@pytest.mark.parametrize("way", ["dial_failed", "identified", "link_opened"])
def test_dialling_ourselves_rests_for_long(way: str) -> None:
    """An address that turns out to be our own is hardly tried again, at whatever step that is seen."""
    table = presence()
    (dial,) = table.learned(None, HOST, PORT, 0.0, "manual")
    assert isinstance(dial, Dial)
    if way == "dial_failed":
        assert table.dial_failed(dial, 0.0, "dialled_self") == []
    elif way == "identified":
        assert not table.identified(dial, OWN, 0.0)
    else:
        assert open_link(table, 0.0, peer_id=OWN) == [RefuseLink(OWN, "self")]

    assert table.tick(0.0) == []
    assert table.deadline() == 600.0


def test_gossip_is_dialled_until_it_expires() -> None:
    """A peer's peers are tried, rarely; without success they are forgotten."""
    table = presence()

    assert table.learned(LARGE, HOST, PORT, 0.0, "gossip") == [DIAL_LARGE]
    assert table.dial_failed(DIAL_LARGE, 0.0, "timeout") == []
    assert table.tick(34.0) == [DIAL_LARGE]
    table.dial_failed(DIAL_LARGE, 34.0, "timeout")
    assert table.tick(301.0) == []
    assert table.deadline() is None


@pytest.mark.parametrize(
    ("host", "via", "is_taken"),
    [
        ("8.8.8.8", "", False),
        ("127.0.0.1", "", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", HOST, False),
        ("10.0.0.9", HOST, True),
        ("127.0.0.1", "alice.local", False),
    ],
)
def test_gossip_names_only_hosts_of_this_network(host: str, via: str, is_taken: bool) -> None:
    """Nobody sends us to the internet, nor a remote peer to our own machine."""
    table = presence()

    assert bool(table.learned(LARGE, host, PORT, 0.0, "gossip", via=via)) is is_taken


def test_gossip_about_a_linked_peer_says_nothing() -> None:
    """A peer that is here needs no other address."""
    table = linked()

    assert table.learned(LARGE, "10.0.0.9", PORT, 1.0, "gossip") == []
    assert table.link_closed(LARGE, "bye", 100.0) == [PeerOffline(LARGE, "bye")]


def test_gossip_without_an_id_is_ignored() -> None:
    """Only the user may name an address without a peer."""
    assert presence().learned(None, HOST, PORT, 0.0, "gossip") == []


def test_remembered_peers_are_bounded_and_dialled() -> None:
    """Peers of earlier sessions are dialled few at a time, and not all are taken."""
    table = presence()
    dials = []
    for number in range(200):
        dials += table.learned(PeerId(f"99{number:062x}"), f"10.0.1.{number}", PORT, 0.0, "remembered")

    assert len(dials) == 4


def test_impostor_at_a_remembered_address_ends_the_claim() -> None:
    """If another peer answers, the address is not the remembered peer's any more."""
    table = presence()
    table.learned(LARGE, HOST, PORT, 0.0, "remembered")

    assert table.dial_failed(DIAL_LARGE, 0.0, "wrong_peer") == []
    assert table.deadline() is None


def test_end_of_an_unknown_dial_is_ignored() -> None:
    """A dial ends once."""
    table = presence()

    assert table.dial_failed(DIAL_LARGE, 0.0, "timeout") == []
    assert not table.identified(DIAL_LARGE, LARGE, 0.0)


def test_only_one_dial_is_carried_on_to_a_peer() -> None:
    """Of two dials that reach one peer the second ends before HELLO, and is not repeated."""
    table = presence()
    (one,) = table.learned(None, "alice.local", PORT, 0.0, "manual")
    (two,) = table.learned(None, HOST, PORT, 0.0, "manual")
    assert isinstance(one, Dial)
    assert isinstance(two, Dial)

    assert table.identified(one, LARGE, 0.1)
    assert not table.identified(two, LARGE, 0.1)
    assert table.deadline() == 0.1
    assert table.tick(0.1) == []
    table.link_opened(LARGE, "alice.local", PORT, instance=FIRST, name="anna", is_dialer=True, now=0.2)
    assert table.tick(60.0) == []


def test_dial_that_reaches_a_linked_peer_ends() -> None:
    """A peer that linked meanwhile is not greeted again."""
    table = presence()
    table.heard(hello(), HOST, 0.0)
    open_link(table, 0.1, is_dialer=False)

    assert not table.identified(DIAL_LARGE, LARGE, 0.2)
    assert table.dial_failed(DIAL_LARGE, 0.2, "closed") == []
