from __future__ import annotations

from random import Random

import pytest

from peerterm.core.addresses import Address
from peerterm.core.encounters import (
    Beacon,
    BeaconKind,
    CheckLink,
    Dial,
    Effect,
    PeerMoved,
    PeerOffline,
    PeerOnline,
    PeerRenamedFact,
    PeerRestartedFact,
    ProfileCloned,
    RefuseLink,
    ReplaceLink,
)
from peerterm.core.ids import PeerId
from peerterm.core.presence import BEACON_LIFETIME, BYE_SECONDS, COURTESY_SECONDS, SETTLE_SECONDS, Presence
from peerterm.core.roster import MAX_PEERS

OWN = PeerId("88" * 32)
SMALL, LARGE = PeerId("11" * 32), PeerId("99" * 32)
HOST, PORT = "10.0.0.5", 47470
THERE = Address(HOST, PORT)
FIRST, SECOND = b"instanc1", b"instanc2"
DIAL_LARGE = Dial(LARGE, HOST, PORT)


def presence() -> Presence:
    """Return an empty table. ``LARGE`` is dialled at once, ``SMALL`` after the courtesy."""
    return Presence(OWN, b"own-inst", Random(1))


def hello(peer_id: PeerId = LARGE, *, instance: bytes = FIRST, port: int = PORT) -> Beacon:
    """Return a beacon of a peer that is there."""
    return Beacon(peer_id, instance, port, 1, BeaconKind.HELLO)


def bye(peer_id: PeerId = LARGE, *, instance: bytes = FIRST) -> Beacon:
    """Return a beacon of a peer that leaves."""
    return Beacon(peer_id, instance, PORT, 2, BeaconKind.BYE)


def open_link(
    table: Presence,
    now: float,
    *,
    peer_id: PeerId = LARGE,
    host: str = HOST,
    instance: bytes = FIRST,
    name: str = "anna",
    is_dialer: bool = True,
) -> list[Effect]:
    """Report a link."""
    return table.link_opened(peer_id, host, PORT, instance=instance, name=name, is_dialer=is_dialer, now=now)


def linked(now: float = 0.0) -> Presence:
    """Return a table with ``LARGE`` online."""
    table = presence()
    open_link(table, now)
    return table


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
