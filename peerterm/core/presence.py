"""Who is online, whom to dial, and when: the one table that knows.

Fed with beacons and remembered, gossiped and manual addresses (hints, all of them) and with links that opened and
closed (the only truth). Returns what to do and what became of peers; opens no socket and reads no clock. Called by
``engine.peers``. The rows are ``core.roster``'s, the choice of dials is ``core.dials``'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from peerterm.core.addresses import HINTED_BACKOFF, Address, is_dialable, is_loopback
from peerterm.core.dials import Dials
from peerterm.core.encounters import (
    Beacon,
    BeaconKind,
    CheckLink,
    Dial,
    Effect,
    Link,
    PeerMoved,
    PeerOffline,
    PeerOnline,
    PeerRenamedFact,
    PeerRestartedFact,
    ProfileCloned,
    RefuseLink,
    ReplaceLink,
    judge_duplicate,
)
from peerterm.core.roster import NEVER, Peer, Roster

if TYPE_CHECKING:
    from random import Random

    from peerterm.core.ids import PeerId

__all__ = [
    "Beacon",
    "BeaconKind",
    "CheckLink",
    "Dial",
    "Effect",
    "PeerMoved",
    "PeerOffline",
    "PeerOnline",
    "PeerRenamedFact",
    "PeerRestartedFact",
    "Presence",
    "ProfileCloned",
    "RefuseLink",
    "ReplaceLink",
]

Origin = Literal["gossip", "remembered", "manual"]

COURTESY_SECONDS = 0.2
"""How much later the larger id dials, so that usually one side does."""

BEACON_LIFETIME = 20.0
GOSSIP_LIFETIME = 300.0
STABLE_SECONDS = 30.0
"""A link that lived this long proves its address good: it is dialled again at once."""

BYE_SECONDS = 30.0
"""A peer that left is not dialled for so long, unless it is heard again."""

SETTLE_SECONDS = 1.0
"""How long the link that the other side kept may take to open here."""

CHECK_SECONDS = 1.0
"""Least time between two checks of one link, whatever strangers send."""


class Presence:
    """The table of peers. Every input returns its effects in order; ``deadline()`` says when ``tick`` is due.

    Invariant: a peer is online while it has a link, and for at most ``SETTLE_SECONDS`` after the other side closed
    that link as a duplicate.

    Args:
        own_id: Ourselves, never dialled.
        instance: This engine's own 8 bytes.
        rng: Spreads retries.
    """

    def __init__(self, own_id: PeerId, instance: bytes, rng: Random) -> None:
        self._own_id = own_id
        self._instance = instance
        self._roster = Roster(rng)
        self._book = self._roster.book
        self._dials = Dials(self._roster)
        self._due = NEVER
        self._is_clone_told = False

    # What is known

    def online(self) -> list[PeerId]:
        """Return the peers that are online."""
        return [peer.peer_id for peer in self._roster if peer.is_online]

    def address(self, peer_id: PeerId) -> Address | None:
        """Return where a peer is linked, or last was in this session."""
        peer = self._roster.get(peer_id)
        return peer.last_address if peer else None

    def is_connecting(self, peer_id: PeerId) -> bool:
        """Return whether a dial that may reach an offline peer is in flight."""
        peer = self._roster.get(peer_id)
        return peer is not None and not peer.is_online and self._dials.reaches(peer_id)

    def deadline(self) -> float | None:
        """Return when ``tick`` is due; ``None`` while nothing waits for time to pass."""
        return None if self._due == NEVER else self._due

    # Hints

    def heard(self, beacon: Beacon, host: str, now: float) -> list[Effect]:
        """Take a beacon. ``host`` is the packet's source, the only host that is dialled for it."""
        if beacon.peer_id == self._own_id:
            return self._heard_own_id(beacon, host)
        peer = self._roster.get(beacon.peer_id)
        if beacon.kind is BeaconKind.BYE:
            return self._heard_bye(peer, now)
        if not is_dialable(host):
            return []
        address = Address.of(host, beacon.port)
        if peer is None:
            peer = self._roster.admit_heard(beacon.peer_id, address.host)
            if peer is None:
                return []
            peer.wait_until = self._courtesy(peer, now)
        return self._sighted(peer, address, beacon.instance, now)

    def _sighted(self, peer: Peer, address: Address, instance: bytes, now: float) -> list[Effect]:
        is_news = address not in peer.addresses
        contact = self._roster.claim(peer, address)
        peer.was_heard = True
        self._keep(peer, BEACON_LIFETIME, now)
        if peer.link is not None:
            return self._check(peer, now) if is_news or peer.link.instance != instance else []
        if contact is None:
            return []
        is_news = is_news or contact.heard_until <= now
        contact.heard_until = now + BEACON_LIFETIME
        if contact.owner == peer.peer_id and contact.instance != instance:
            contact.instance = instance  # the first beacon since it left, or a new process
            self._book.forgive(contact)
            is_news = True
        return self._consider(peer, address, now) if is_news else []

    def learned(
        self, peer_id: PeerId | None, host: str, port: int, now: float, source: Origin, *, via: str = ""
    ) -> list[Effect]:
        """Take an address from elsewhere than a beacon.

        Args:
            peer_id: Who is said to be there; ``None`` (``manual`` only) takes whoever is.
            host: An IP address; of a manual one also a name.
            port: Where the peer listens.
            now: The time.
            source: Who says so. What the user says is dialled for ever; what a peer says soon expires.
            via: Host of the peer that gossips. If given, only a peer on this machine may name loopback.
        """
        if peer_id == self._own_id or (source != "manual" and not is_dialable(host)):
            return []
        if via and is_loopback(host) and not is_loopback(via):
            return []
        address = Address.of(host, port)
        if source == "manual":
            contact = self._book.open(address)
            contact.is_manual, contact.pin = True, peer_id
        elif peer_id is not None:
            self._told_of(peer_id, address, now, is_remembered=source == "remembered")
        return self._plan(now)

    def _told_of(self, peer_id: PeerId, address: Address, now: float, *, is_remembered: bool) -> None:
        peer = self._roster.get(peer_id)
        if peer is None:
            admit = self._roster.admit_remembered
            peer = admit(peer_id) if is_remembered else self._roster.admit_heard(peer_id, address.host)
            if peer is None:
                return
            peer.wait_until = self._courtesy(peer, now)
        if not peer.is_online:  # of a peer that is here, others know nothing better
            self._roster.claim(peer, address, is_proven=is_remembered)
            self._keep(peer, GOSSIP_LIFETIME, now)

    def network_changed(self, now: float) -> list[Effect]:
        """Try at once all addresses that were good before: this machine woke up or has a new address."""
        for _, contact in self._book:
            self._book.forgive(contact)
        return self._plan(now)

    # Dials and links

    def identified(self, dial: Dial, peer_id: PeerId, now: float) -> bool:
        """Say who answered a dial, once TLS proved it and before HELLO is sent; return whether to go on.

        ``False``: the peer has a link already, or another dial that got as far, or is this engine. Close; the dial
        is over. So two dials of ours never become two links of which each side keeps another.
        """
        address = Address.of(dial.host, dial.port)
        if address not in self._dials:
            return False
        peer = self._roster.get(peer_id)
        if peer_id == self._own_id:
            self._abandon(address, now)
        elif not (peer and peer.is_online) and self._dials.identify(address, peer_id):
            return True
        else:
            self._dials.end(address).owner = peer_id
            self._book.rest(address)
        self._due = now
        return False

    def dial_failed(self, dial: Dial, now: float, kind: str) -> list[Effect]:
        """Take the end of a dial that brought no link.

        Args:
            dial: As it was asked for.
            now: The time.
            kind: Code of the error: ``wrong_peer`` if another than ``dial.peer_id`` answered, ``dialled_self`` if
                this engine did; anything else is a failure to retry.
        """
        address = Address.of(dial.host, dial.port)
        if address not in self._dials:
            return []
        if kind == "dialled_self":
            self._abandon(address, now)
            return self._plan(now)
        contact = self._dials.end(address)
        if kind == "wrong_peer":
            contact.owner = None
        self._book.failed(contact, now)
        self._book.rest(address)
        if kind == "wrong_peer" and dial.peer_id is not None:
            self._roster.disprove(dial.peer_id, address)
        return self._plan(now)

    def link_opened(
        self,
        peer_id: PeerId,
        host: str,
        port: int,
        *,
        instance: bytes,
        name: str,
        is_dialer: bool,
        now: float,
    ) -> list[Effect]:
        """Take a link on which both HELLOs came.

        Args:
            peer_id: Whom TLS proved to be there.
            host: As dialled; for an accepted link the remote host.
            port: As dialled; for an accepted link where the peer's HELLO says it listens.
            instance: From its HELLO.
            name: From its HELLO.
            is_dialer: This side dialled.
            now: The time.

        Returns:
            With ``RefuseLink`` if this link must be closed, with ``ReplaceLink`` if the older one must; no
            ``link_closed`` may follow for a link so closed.
        """
        address = Address.of(host, port)
        is_own = peer_id == self._own_id
        peer = None if is_own else self._roster.get(peer_id) or self._roster.admit_linked(peer_id)
        if is_dialer and address in self._dials:
            if peer is None:
                self._abandon(address, now)
            else:
                self._dials.end(address)
                self._book.rest(address)
        if peer is None:
            return [RefuseLink(peer_id, "self" if is_own else "full"), *self._plan(now)]
        new = Link(address, instance, is_dialer, now)
        if peer.link is not None and not judge_duplicate(self._own_id, peer_id, peer.link, new):
            return [RefuseLink(peer_id, "duplicate"), *self._check(peer, now), *self._plan(now)]
        effects = self._linked(peer, new, name)
        if is_dialer or is_dialable(address.host):
            contact = self._roster.claim(peer, address, is_proven=True)
            assert contact is not None  # a proven address always finds room
            contact.instance = instance
        return effects + self._plan(now)

    def link_closed(self, peer_id: PeerId, reason: str, now: float) -> list[Effect]:
        """Take the end of a peer's current link.

        Args:
            peer_id: Whose.
            reason: ``bye`` if the peer left cleanly, ``duplicate`` if it keeps another link, ``lost`` or a code.
            now: The time.
        """
        peer = self._roster.get(peer_id)
        if not (peer and peer.link):
            return []
        link, peer.link = peer.link, None
        if reason == "duplicate":
            peer.settles_at = now + SETTLE_SECONDS
            return self._plan(now)
        contact = self._book.open(link.address)
        if reason == "bye":
            for address in peer.addresses:
                self._book[address].ready_at = now + BYE_SECONDS
        elif now - link.opened_at >= STABLE_SECONDS:
            contact.failures, contact.ready_at = 0, now
        else:
            self._book.failed(contact, now)
        self._book.rest(link.address)
        return [*self._went_offline(peer, reason, now), *self._plan(now)]

    def renamed(self, peer_id: PeerId, name: str) -> list[Effect]:
        """Take the name that a linked peer goes by now."""
        peer = self._roster.get(peer_id)
        return self._rename(peer, name) if peer and peer.is_online else []

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for peer in [peer for peer in self._roster if peer.changes_at <= now]:
            if peer.is_online:
                effects += self._went_offline(peer, "lost", now)
            else:
                self._roster.forget(peer)
        self._book.prune(now)
        return effects + self._plan(now)

    # Details

    def _heard_own_id(self, beacon: Beacon, host: str) -> list[Effect]:
        if beacon.instance == self._instance or beacon.kind is BeaconKind.BYE or self._is_clone_told:
            return []
        self._is_clone_told = True
        return [ProfileCloned(host)]

    def _heard_bye(self, peer: Peer | None, now: float) -> list[Effect]:
        if peer and peer.is_verified:
            return self._check(peer, now)
        if peer:
            self._roster.forget(peer)
        return []

    def _check(self, peer: Peer, now: float) -> list[Effect]:
        if peer.link is None or now - peer.checked_at < CHECK_SECONDS:
            return []
        peer.checked_at = now
        return [CheckLink(peer.peer_id)]

    def _linked(self, peer: Peer, link: Link, name: str) -> list[Effect]:
        effects: list[Effect] = [ReplaceLink(peer.peer_id)] if peer.link else []
        if not peer.is_online:
            effects.append(PeerOnline(peer.peer_id, name, link.address, link.instance))
        last = peer.last_link
        peer.link = peer.last_link = link
        peer.is_verified, peer.settles_at = True, None
        if last and last.instance != link.instance:
            effects.append(PeerRestartedFact(peer.peer_id, link.instance))
        if last and last.address != link.address:
            effects.append(PeerMoved(peer.peer_id, last.address, link.address))
        return effects + self._rename(peer, name)

    def _rename(self, peer: Peer, name: str) -> list[Effect]:
        old_name, peer.name = peer.name, name
        return [PeerRenamedFact(peer.peer_id, old_name, name)] if old_name not in ("", name) else []

    def _went_offline(self, peer: Peer, reason: str, now: float) -> list[Effect]:
        peer.settles_at = None
        peer.seen_at = now
        peer.wait_until = self._courtesy(peer, now)
        for address in peer.addresses:
            self._book[address].instance = b""  # its next beacon is news
        return [PeerOffline(peer.peer_id, reason)]

    def _courtesy(self, peer: Peer, now: float) -> float:
        return now if self._own_id < peer.peer_id else now + COURTESY_SECONDS

    def _keep(self, peer: Peer, seconds: float, now: float) -> None:
        peer.seen_at = now
        peer.expires_at = max(peer.expires_at, now + seconds)

    def _abandon(self, address: Address, now: float) -> None:
        """End a dial whose repetition would end alike."""
        contact = self._dials.end(address)
        self._book.failed(contact, now)
        contact.ready_at = now + HINTED_BACKOFF[1]
        self._book.rest(address)

    def _consider(self, peer: Peer, address: Address, now: float) -> list[Effect]:
        """Do the same for one address: a flood of strangers must not make us go through the whole table."""
        dials, due = self._dials.consider(address, now)
        self._due = min(self._due, due, peer.changes_at)
        return [*dials]

    def _plan(self, now: float) -> list[Effect]:
        """Start the dials that may start, and note when something is due next."""
        dials, self._due = self._dials.plan(now)
        self._due = min([self._due, *(peer.changes_at for peer in self._roster)])
        return [*dials]
