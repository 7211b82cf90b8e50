"""What links do: who is online, which of two stays, and what follows when one closes."""

from __future__ import annotations

from peerterm.core.addresses import Address
from peerterm.core.encounters import (
    CheckLink,
    Dial,
    PeerMoved,
    PeerOffline,
    PeerOnline,
    PeerRenamedFact,
    PeerRestartedFact,
    RefuseLink,
    ReplaceLink,
)
from peerterm.core.ids import PeerId
from peerterm.core.presence import BYE_SECONDS, SETTLE_SECONDS
from peerterm.core.roster import MAX_PEERS
from tests.fakes.encounters import (
    DIAL_LARGE,
    FIRST,
    HOST,
    LARGE,
    PORT,
    SECOND,
    THERE,
    bye,
    hello,
    linked,
    open_link,
    presence,
)


def test_link_makes_a_peer_online() -> None:
    """Online means that TLS and HELLO are done."""
    table = presence()
    table.heard(hello(), HOST, 10.0)

    assert open_link(table, 10.1) == [PeerOnline(LARGE, "anna", THERE, FIRST)]
    assert table.online() == [LARGE]
    assert table.address(LARGE) == THERE
    assert not table.is_connecting(LARGE)
    assert table.tick(60.0) == []
    assert table.deadline() is None


def test_clean_leave_is_not_redialled_until_heard() -> None:
    """After a bye the peer rests, until its first new beacon."""
    table = linked()

    assert table.link_closed(LARGE, "bye", 100.0) == [PeerOffline(LARGE, "bye")]
    assert table.online() == []
    assert table.heard(bye(), HOST, 100.1) == []
    assert table.deadline() == 100.0 + BYE_SECONDS
    assert table.heard(hello(instance=SECOND), HOST, 101.0) == [DIAL_LARGE]


def test_lost_peer_is_redialled_at_once() -> None:
    """A link that lived for long and broke is restored."""
    table = linked()

    assert table.link_closed(LARGE, "lost", 100.0) == [PeerOffline(LARGE, "lost"), DIAL_LARGE]
    assert table.link_closed(LARGE, "lost", 100.0) == []


def test_lost_peer_is_redialled_at_all_its_addresses() -> None:
    """The last link's address, remembered ones and those of beacons are tried in turn."""
    table = presence()
    (dial,) = table.learned(LARGE, "10.0.0.7", PORT, 0.0, "remembered")
    assert isinstance(dial, Dial)
    table.dial_failed(dial, 0.0, "timeout")
    open_link(table, 0.0)
    table.heard(hello(), "10.0.0.6", 50.0)
    tried = set()
    effects = table.link_closed(LARGE, "lost", 100.0)
    for _ in range(3):
        (dial,) = [effect for effect in effects if isinstance(effect, Dial)]
        tried.add(dial.host)
        effects = table.dial_failed(dial, 100.0, "timeout")

    assert tried == {HOST, "10.0.0.6", "10.0.0.7"}


def test_flapping_link_backs_off() -> None:
    """A link that breaks at once, as a blocked peer's does, is not redialled in a loop."""
    table = linked(100.0)

    assert table.link_closed(LARGE, "blocked", 100.5) == [PeerOffline(LARGE, "blocked")]
    deadline = table.deadline()
    assert deadline is not None
    assert 101.5 <= deadline <= 101.6
    assert table.tick(deadline) == [DIAL_LARGE]


def test_duplicate_of_the_larger_id_is_refused() -> None:
    """With two dials at once the smaller id's link stays; it is checked, in case it is dead."""
    table = linked()

    assert open_link(table, 0.1, is_dialer=False) == [RefuseLink(LARGE, "duplicate"), CheckLink(LARGE)]
    assert table.online() == [LARGE]


def test_duplicate_of_the_smaller_id_replaces() -> None:
    """The link that stays takes over without the peer ever being offline."""
    table = presence()
    open_link(table, 0.0, is_dialer=False)

    assert open_link(table, 0.1, is_dialer=True) == [ReplaceLink(LARGE)]


def test_duplicate_closed_at_the_other_end_is_no_leave() -> None:
    """The other side may close the loser before the winner is open here."""
    table = presence()
    open_link(table, 0.0, is_dialer=False)

    assert table.link_closed(LARGE, "duplicate", 0.1) == []
    assert table.online() == [LARGE]
    assert table.heard(hello(), HOST, 0.15) == []
    assert open_link(table, 0.2) == []
    assert table.tick(10.0) == []
    assert table.online() == [LARGE]


def test_winner_that_never_opens_is_a_loss() -> None:
    """After a second without the other link the peer is offline, and dialled."""
    table = presence()
    open_link(table, 0.0, is_dialer=False)
    table.link_closed(LARGE, "duplicate", 0.1)

    assert table.deadline() == 0.1 + SETTLE_SECONDS
    assert table.tick(0.1 + SETTLE_SECONDS) == [PeerOffline(LARGE, "lost"), DIAL_LARGE]


def test_restart_is_a_fact() -> None:
    """A new instance is told, whether its old link was still open or not."""
    table = linked()

    assert open_link(table, 1.0, instance=SECOND, is_dialer=False) == [
        ReplaceLink(LARGE),
        PeerRestartedFact(LARGE, SECOND),
    ]
    table.link_closed(LARGE, "lost", 2.0)
    assert open_link(table, 3.0, instance=FIRST) == [
        PeerOnline(LARGE, "anna", THERE, FIRST),
        PeerRestartedFact(LARGE, FIRST),
    ]


def test_move_is_a_fact() -> None:
    """A peer linked at another address than before has moved."""
    table = linked()
    table.link_closed(LARGE, "lost", 2.0)
    there = Address("10.0.0.9", PORT)

    assert open_link(table, 3.0, host="10.0.0.9") == [
        PeerOnline(LARGE, "anna", there, FIRST),
        PeerMoved(LARGE, THERE, there),
    ]


def test_new_name_is_a_fact() -> None:
    """A name changes while linked, or between two links."""
    table = linked()

    assert table.renamed(LARGE, "anna") == []
    assert table.renamed(LARGE, "berta") == [PeerRenamedFact(LARGE, "anna", "berta")]
    table.link_closed(LARGE, "bye", 2.0)
    assert table.renamed(LARGE, "clara") == []
    assert open_link(table, 3.0, name="clara")[1:] == [PeerRenamedFact(LARGE, "berta", "clara")]


def test_accepted_link_from_elsewhere_is_not_redialled() -> None:
    """A peer that reached us from the internet must do so again itself."""
    table = presence()
    open_link(table, 0.0, host="8.8.8.8", is_dialer=False)

    assert table.link_closed(LARGE, "lost", 100.0) == [PeerOffline(LARGE, "lost")]
    assert table.network_changed(200.0) == []
    assert len(table._book) == 0


def test_table_full_of_linked_peers_refuses_a_link() -> None:
    """There is a last peer."""
    table = presence()
    for number in range(MAX_PEERS):
        open_link(table, 0.0, peer_id=PeerId(f"{number:064x}"), host=f"10.0.1.{number}")

    assert table.learned(None, HOST, PORT, 1.0, "manual") == [Dial(None, HOST, PORT)]
    assert open_link(table, 1.0) == [RefuseLink(LARGE, "full")]
    assert table.address(LARGE) is None
    assert table.deadline() == 601.0
    assert len(table.online()) == MAX_PEERS


def test_network_change_ends_the_back_off_of_good_addresses() -> None:
    """After a new address or a sleep all peers are tried at once, strangers' addresses are not."""
    table = linked()
    table.link_closed(LARGE, "lost", 100.0)
    table.dial_failed(DIAL_LARGE, 100.0, "unreachable")
    (stranger,) = table.heard(hello(PeerId("aa" * 32)), "10.0.0.9", 100.0)
    assert isinstance(stranger, Dial)
    table.dial_failed(stranger, 100.0, "unreachable")

    assert table.network_changed(100.6) == [DIAL_LARGE]
