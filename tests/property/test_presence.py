from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from peerterm.core.addresses import MAX_RESTING, is_dialable
from peerterm.core.dials import MAX_DIALS
from peerterm.core.encounters import (
    Beacon,
    BeaconKind,
    Dial,
    Effect,
    PeerOffline,
    PeerOnline,
    RefuseLink,
    ReplaceLink,
)
from peerterm.core.ids import PeerId
from peerterm.core.presence import SETTLE_SECONDS, Presence
from peerterm.core.roster import MAX_ADDRESSES_PER_PEER, MAX_PEERS

OWN = PeerId("88" * 32)
MANUAL = "example.org"
ids = st.integers(0, 400).map(lambda number: PeerId(f"{number % 16:x}{number:063x}"))
hosts = st.one_of(
    st.sampled_from(["10.0.0.1", "10.0.0.2", "192.168.1.7", "fe80::1%eth0", "127.0.0.1", "8.8.8.8", "224.0.0.1"]),
    st.integers(1, 254).map("10.9.9.{}".format),
)
ports = st.integers(1, 6)
instances = st.sampled_from([b"instanc1", b"instanc2"])
steps = st.sampled_from([0.0, 0.05, 0.3, 1.0, 7.0, 45.0])


class PresenceMachine(RuleBasedStateMachine):
    """Drives the table with any events, and keeps a model of the links that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Presence(OWN, b"own-inst", Random(1))
        self.now = 1000.0
        self.links: set[PeerId] = set()
        self.settling: dict[PeerId, float] = {}
        self.told_online: set[PeerId] = set()
        self.dials: list[Dial] = []

    def take(self, effects: list[Effect]) -> list[Effect]:
        """Do what the table asks, and check each effect when it comes."""
        for effect in effects:
            match effect:
                case Dial(peer_id=peer_id, host=host):
                    assert peer_id not in self.links
                    assert is_dialable(host) or host == MANUAL
                    assert (effect.host, effect.port) not in {(dial.host, dial.port) for dial in self.dials}
                    self.dials.append(effect)
                case PeerOnline(peer_id=peer_id):
                    assert peer_id not in self.told_online
                    self.told_online.add(peer_id)
                case PeerOffline(peer_id=peer_id):
                    self.told_online.remove(peer_id)
        return effects

    @rule(seconds=steps)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.table.tick(self.now))

    @rule(peer_id=ids, host=hosts, port=ports, instance=instances, kind=st.sampled_from(BeaconKind))
    def beacon_is_heard(self, peer_id: PeerId, host: str, port: int, instance: bytes, kind: BeaconKind) -> None:
        self.take(self.table.heard(Beacon(peer_id, instance, port, 1, kind), host, self.now))

    @rule(first=st.integers(0, 10_000), host=hosts, port=ports)
    def flood_is_heard(self, first: int, host: str, port: int) -> None:
        for number in range(first, first + 40):
            beacon = Beacon(PeerId(f"{number:064x}"), b"instanc1", port, 1, BeaconKind.HELLO)
            self.take(self.table.heard(beacon, f"10.1.{number // 250 % 250}.{number % 250}", self.now))
            self.take(self.table.heard(beacon, host, self.now))

    @rule(peer_id=ids, host=hosts, port=ports, is_remembered=st.booleans())
    def address_is_learned(self, peer_id: PeerId, host: str, port: int, is_remembered: bool) -> None:
        self.take(self.table.learned(peer_id, host, port, self.now, "remembered" if is_remembered else "gossip"))

    @rule(port=ports)
    def user_names_an_address(self, port: int) -> None:
        self.take(self.table.learned(None, MANUAL, port, self.now, "manual"))

    @precondition(lambda self: self.dials)
    @rule(data=st.data(), kind=st.sampled_from(["timeout", "wrong_peer", "dialled_self"]))
    def dial_fails(self, data: st.DataObject, kind: str) -> None:
        dial = self.dials.pop(data.draw(st.integers(0, len(self.dials) - 1)))
        self.take(self.table.dial_failed(dial, self.now, kind))

    @precondition(lambda self: self.dials)
    @rule(data=st.data(), anybody=ids, instance=instances)
    def dial_succeeds(self, data: st.DataObject, anybody: PeerId, instance: bytes) -> None:
        dial = self.dials.pop(data.draw(st.integers(0, len(self.dials) - 1)))
        peer_id = dial.peer_id or anybody
        if self.table.identified(dial, peer_id, self.now):
            self.open(peer_id, dial.host, dial.port, instance, is_dialer=True)

    @rule(peer_id=ids, host=hosts, port=ports, instance=instances)
    def link_is_accepted(self, peer_id: PeerId, host: str, port: int, instance: bytes) -> None:
        self.open(peer_id, host, port, instance, is_dialer=False)

    def open(self, peer_id: PeerId, host: str, port: int, instance: bytes, *, is_dialer: bool) -> None:
        """Report a link; it is open unless it is refused."""
        effects = self.table.link_opened(
            peer_id, host, port, instance=instance, name="name", is_dialer=is_dialer, now=self.now
        )
        assert (ReplaceLink(peer_id) in effects) <= (peer_id in self.links)
        if not any(isinstance(effect, RefuseLink) for effect in effects):
            self.links.add(peer_id)
            self.settling.pop(peer_id, None)
        self.take(effects)

    @precondition(lambda self: self.links)
    @rule(data=st.data(), reason=st.sampled_from(["bye", "lost", "duplicate"]))
    def link_closes(self, data: st.DataObject, reason: str) -> None:
        peer_id = data.draw(st.sampled_from(sorted(self.links)))
        self.links.remove(peer_id)
        if reason == "duplicate":
            self.settling[peer_id] = self.now + SETTLE_SECONDS
        self.take(self.table.link_closed(peer_id, reason, self.now))

    @rule()
    def network_changes(self) -> None:
        self.take(self.table.network_changed(self.now))

    @invariant()
    def dials_are_bounded(self) -> None:
        assert len(self.dials) <= MAX_DIALS

    @invariant()
    def table_is_bounded(self) -> None:
        assert len(self.table._roster) <= MAX_PEERS
        assert len(self.table._book) <= MAX_PEERS * MAX_ADDRESSES_PER_PEER + MAX_RESTING + MAX_DIALS + 6

    @invariant()
    def online_is_linked(self) -> None:
        settling = {peer_id for peer_id, until in self.settling.items() if peer_id in self.told_online}
        assert set(self.table.online()) == self.told_online
        assert self.links <= self.told_online <= self.links | settling

    @invariant()
    def deadline_is_ahead(self) -> None:
        self.take(self.table.tick(self.now))
        deadline = self.table.deadline()
        assert deadline is None or deadline > self.now

    @invariant()
    def claims_match(self) -> None:
        roster = self.table._roster
        claims = {(peer.peer_id, address) for peer in roster for address in peer.addresses}
        assert claims == {(peer_id, address) for address, contact in roster.book for peer_id in contact.claimants}


TestPresence = PresenceMachine.TestCase
TestPresence.settings = settings(settings.get_profile("short"), stateful_step_count=60)
