"""Everyone we know: who is online by which link, what they are called, and what they say they offer.

Told by ``engine.linking`` what becomes of links; tells clients through the bus and the other services through
``on_linked`` and ``on_offline``.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from peerterm.api.events import (
    PeerAddressChanged,
    PeerChanged,
    PeerJoined,
    PeerLeft,
    PeerRenamed,
    PeerRestarted,
)
from peerterm.api.views import PeerView
from peerterm.core.ids import PeerId
from peerterm.core.names import collision_key
from peerterm.display import clean
from peerterm.errors import AmbiguousReference, NotFound, PeerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.engine.bus import Bus
    from peerterm.net.link import Link
    from peerterm.store.peers import KnownPeer
    from peerterm.wire.messages import Hello, Status

MAX_OFFLINE = 256
"""Peers listed that are not online; the one gone longest makes room. Anybody can invent peers."""

MIN_PREFIX = 4
"""Fewest digits by which an id may be named."""

TAG_SIGN = "~"
TAG_DIGITS = 4
"""What follows the name of somebody whom we know by lines alone, if others are called so: the start of the id."""

LONELY_SECONDS = 3.0
"""How long after its start an engine that sees nobody waits before it says so."""

MEETING_SECONDS = 1.0
"""How long after its start an engine that sees somebody waits for the others."""


class Peers:
    """The list of peers and the links to those who are online.

    Attributes:
        on_linked: Called when a peer has a new link, also when it replaces an older one.
        on_offline: Called when a peer has no link any more.
    """

    def __init__(self, bus: Bus) -> None:
        self.on_linked: Callable[[Link], None] = lambda link: None
        self.on_offline: Callable[[PeerId], None] = lambda peer: None
        self._bus = bus
        self._views: dict[PeerId, PeerView] = {}
        self._links: dict[PeerId, Link] = {}
        self._started_at = time.monotonic()
        self._joined = asyncio.Event()

    # What the other services ask

    def views(self) -> list[PeerView]:
        """Return all peers, online ones first, then by name."""
        return sorted(self._views.values(), key=lambda view: (view.state != "online", view.name.casefold()))

    def links(self) -> list[Link]:
        """Return the links to all peers that are online."""
        return list(self._links.values())

    def link(self, peer: PeerId) -> Link:
        """Return the link to a peer.

        Raises:
            PeerUnavailable: It is not online.
        """
        if link := self._links.get(peer):
            return link
        raise PeerUnavailable(f"{self.name_of(peer)} is not online", "peerterm peers shows who is")

    def is_online(self, peer: PeerId) -> bool:
        """Whether there is a link to a peer."""
        return peer in self._links

    def address_of(self, peer: PeerId) -> tuple[str, int] | None:
        """Return where an online peer listens; safe to call from a thread."""
        link = self._links.get(peer)
        return (link.host, link.hello.port) if link else None

    def name_of(self, peer: PeerId) -> str:
        """Return what a peer calls itself, or the start of its id."""
        view = self._views.get(peer)
        return view.name if view and view.name else peer[:8]

    def told_apart(self, peer: PeerId, name: str, own_name: str) -> str:
        """Return the name that somebody who may not be linked goes by: tagged if another may be meant by it."""
        others = [own_name, *(view.name for known, view in self._views.items() if known != peer)]
        if TAG_SIGN not in name and _shown(name) not in map(_shown, others):
            return name
        return f"{name}{TAG_SIGN}{peer[:TAG_DIGITS]}"

    def resolve(self, reference: str) -> PeerId:
        """Return the peer meant by a name, an id or the start of an id.

        Raises:
            NotFound: No peer that is known fits.
            AmbiguousReference: Several fit. That one of them is online proves nothing: anybody may take a name.
        """
        found = [
            peer
            for peer, view in self._views.items()
            if view.name == reference or (len(reference) >= MIN_PREFIX and peer.startswith(reference.lower()))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(peer[:12] for peer in found)
            raise AmbiguousReference(f"{reference!r} fits several peers: {ids}", "name one by its id")
        raise NotFound(f"no peer {reference!r} is known", "peerterm peers lists them")

    async def wait_for_known(self, reference: str) -> PeerId:
        """Resolve a reference to a peer, online or not; a young engine waits for one to appear.

        Raises:
            NotFound, AmbiguousReference: As ``resolve`` does.
        """
        while True:
            try:
                return self.resolve(reference)
            except NotFound:
                if not await self._joins_before(LONELY_SECONDS):
                    raise

    async def wait_for(self, reference: str) -> PeerId:
        """Resolve a reference to a peer that is online; a young engine waits for it to appear.

        Raises:
            NotFound, AmbiguousReference: As ``resolve`` does.
            PeerUnavailable: It is known and not online.
        """
        while True:
            try:
                peer = await self.wait_for_known(reference)
                self.link(peer)
            except PeerUnavailable:
                if not await self._joins_before(LONELY_SECONDS):
                    raise
            else:
                return peer

    async def settled(self) -> None:
        """Return once the peers of the network have had time to appear; at once but for a young engine."""
        while await self._joins_before(MEETING_SECONDS if self._links else LONELY_SECONDS):
            pass

    async def _joins_before(self, age: float) -> bool:
        """Wait for one more peer to come online while the engine is younger than this; return whether one came."""
        try:
            async with asyncio.timeout(self._started_at + age - time.monotonic()):
                await self._joined.wait()
        except TimeoutError:
            return False
        return True

    # What linking reports

    def remembered(self, known: KnownPeer) -> None:
        """List a peer of an earlier session as offline."""
        host, port = known.addresses[0] if known.addresses else ("", 0)
        self._views[known.peer_id] = PeerView(
            peer_id=known.peer_id,
            name=known.name,
            address=f"{host}:{port}" if host else "",
            state="offline",
            trust="new",
            shares=0,
            bytes=0,
            version="",
            last_seen=known.last_seen,
        )

    def ping(self, peer: PeerId | None = None) -> None:
        """Find out soon whether a peer that is online still lives; all of them when none is named."""
        for link in self.links():
            if peer in (None, link.peer_id):
                link.ping()

    def linked(self, link: Link, hello: Hello) -> Link | None:
        """Use a link from now on; returns the one it replaces, before anything is published."""
        older = self._links.get(link.peer_id)
        self._links[link.peer_id] = link
        self._views[link.peer_id] = PeerView(
            peer_id=link.peer_id,
            name=hello.name,
            address=_address(link.host, hello.port),
            state="online",
            trust="new",
            shares=hello.shares,
            bytes=hello.size,
            version=hello.version,
            last_seen=time.time(),
        )
        return older

    def joined(self, peer: PeerId) -> None:
        """Say that a peer is online."""
        self._bus.publish(PeerJoined(peer=self._views[peer]))
        self._joined.set()
        self._joined = asyncio.Event()

    def unlinked(self, link: Link) -> bool:
        """Forget a link; returns whether it was the one in use."""
        if self._links.get(link.peer_id) is not link:
            return False
        del self._links[link.peer_id]
        return True

    def left(self, peer: PeerId, reason: str) -> None:
        """Say that a peer is offline."""
        view = replace(self._views[peer], state="offline", last_seen=time.time())
        self._views[peer] = view
        self._bus.publish(PeerLeft(peer=view, reason=reason))
        self.on_offline(peer)
        offline = [view for view in self._views.values() if view.state == "offline"]
        if len(offline) > MAX_OFFLINE:
            del self._views[PeerId(min(offline, key=lambda view: view.last_seen).peer_id)]

    def restarted(self, peer: PeerId) -> None:
        """Say that a peer came back as a new process."""
        self._bus.publish(PeerRestarted(peer=self._views[peer]))

    def renamed(self, peer: PeerId, old_name: str, name: str) -> None:
        """Say that a peer goes by another name."""
        view = self._views[peer] = replace(self._views[peer], name=name)
        self._bus.publish(PeerRenamed(peer=view, old_name=old_name))

    def moved(self, peer: PeerId, old_address: str) -> None:
        """Say that a peer is reached elsewhere."""
        self._bus.publish(PeerAddressChanged(peer=self._views[peer], old_address=old_address))

    def offers(self, peer: PeerId, status: Status) -> None:
        """Note what a peer says it offers."""
        if peer not in self._links:
            return
        view = replace(self._views[peer], shares=status.shares, bytes=status.size)
        if view != self._views[peer]:
            self._views[peer] = view
            self._bus.publish(PeerChanged(peer=view))


@lru_cache(maxsize=2 * MAX_OFFLINE)
def _shown(name: str) -> str:
    """Return what is equal for names that look the same on a screen."""
    return collision_key(clean(name))


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
