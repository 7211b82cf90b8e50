"""Presence at work: beacons out and in, dials, links. Performs what ``core.presence`` decides.

Owns the listener for links, the beacons, the dials and the task of every link; keeps ``engine.peers`` true.
"""

from __future__ import annotations

import asyncio
import logging
import time
from random import Random
from typing import TYPE_CHECKING

from peerterm.api.events import Notice
from peerterm.core import presence as core
from peerterm.core.addresses import is_loopback
from peerterm.core.ids import PeerId
from peerterm.core.presence import Presence
from peerterm.engine.introducing import Introduction, check_peer_name, gossip_about
from peerterm.engine.tasks import Tasks, apart, tolerate
from peerterm.errors import PeerError, PeerUnavailable, ProtocolViolation
from peerterm.net.beacons import Beacons
from peerterm.net.dialer import dial_link
from peerterm.net.interfaces import LocalAddress, list_addresses, listen_hosts, reaches
from peerterm.net.link import Link
from peerterm.net.listener import DEFAULT_PORT, Listener
from peerterm.wire.messages import (
    Answer,
    Gossip,
    HaveUpdate,
    Message,
    Request,
    Status,
)
from peerterm.wire.session import CloseCode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from peerterm.config import NodeSettings
    from peerterm.engine.answering import Answering
    from peerterm.engine.bus import Bus
    from peerterm.engine.peers import Peers
    from peerterm.net.identity import Identity
    from peerterm.net.link import Connected
    from peerterm.net.listener import OnLane
    from peerterm.net.tls import TlsContexts
    from peerterm.store.catalog import Totals
    from peerterm.store.peers import KnownPeer, PeerStore

log = logging.getLogger("peerterm.linking")

GOODBYE_SECONDS = 1.0
"""How long a stopping engine waits for its links to say so."""


MAX_EARLY = 1024
"""Messages kept of a peer that said them right after its HELLO, until the link is in use; one more ends it."""

REFUSALS = {"duplicate": CloseCode.DUPLICATE, "self": CloseCode.SELF, "full": CloseCode.BUSY}


class Linking:
    """Keeps a link to every peer of the network.

    Attributes:
        me: What peers are told of this engine.
    """

    def __init__(
        self,
        settings: NodeSettings,
        *,
        identity: Identity,
        contexts: TlsContexts,
        store: PeerStore,
        peers: Peers,
        bus: Bus,
        offer: Totals,
        answering: Answering,
        on_have_update: Callable[[Link, HaveUpdate], None],
        on_told: Callable[[Link, Message], bool],
        on_link_ended: Callable[[Link], None],
        on_lane: OnLane,
    ) -> None:
        self._settings = settings
        self._contexts = contexts
        self._store = store
        self._peers = peers
        self._bus = bus
        self.me = Introduction(identity.peer_id, settings.name, offer)
        self._presence = Presence(identity.peer_id, self.me.instance, Random())  # noqa: S311 - spreads retries
        self._remembered: list[KnownPeer] = []
        self._addresses: tuple[LocalAddress, ...] = ()
        self._hurry = asyncio.Event()
        self._carried: set[Link] = set()
        self._early: dict[Link, list[Message]] = {}  # what was said on links that are not in use yet
        self._answering = answering
        self._on_have_update = on_have_update
        self._on_told = on_told
        self._on_link_ended = on_link_ended
        self._listener = Listener(contexts, on_link=self._accepted, on_lane=on_lane)
        self._tasks = Tasks()
        self._is_running = asyncio.Event()

    def addresses(self) -> tuple[LocalAddress, ...]:
        """Return the addresses of the interfaces in use, as they are now."""
        return list_addresses(self._settings.interfaces)

    async def load(self) -> None:
        """List the peers of earlier runs; ``run`` dials them.

        Raises:
            StorageError: The disk refused.
        """
        self._remembered = await self._store.all()
        for known in self._remembered:
            self._peers.remembered(known)

    async def listen(self) -> None:
        """Take the port. Links wait for ``run``.

        Raises:
            PortTaken: The port that was asked for is used by somebody else.
            ConfigError: There is no such interface.
        """
        self.me.port = await self._listener.listen(self._hosts(self.addresses()), self._settings.port or None)

    async def close(self) -> None:
        """Stop to listen."""
        await self._listener.close()

    async def run(self) -> None:
        """Find peers and keep links to them until cancelled.

        Cancel: links end without a word; call ``say_goodbye`` first.
        """
        beacons = Beacons(
            self.addresses,
            on_beacon=self._heard,
            make_beacon=self.me.beacon,
            rng=Random(),  # noqa: S311 - spreads the schedule
            port=self._settings.discovery_port,
            on_addresses_changed=self._addresses_changed,
            on_resumed=self._resumed,
        )
        async with self._tasks:
            self._is_running.set()
            now = time.monotonic()
            for known in self._remembered:
                for host, port in known.addresses:
                    self._perform(self._presence.learned(known.peer_id, host, port, now, "remembered"))
            for host, port in map(split_address, self._settings.peers):
                self._perform(self._presence.learned(None, host, port, now, "manual"))
            self._tasks.start(self._keep_time())
            await beacons.run()

    async def say_goodbye(self) -> None:
        """Close every link with a word, for a clean stop; no new one opens."""
        self._tasks.close()
        closing = [asyncio.create_task(link.close(CloseCode.BYE)) for link in self._carried]
        if closing:
            await asyncio.wait(closing, timeout=GOODBYE_SECONDS)

    def announce(self) -> None:
        """Tell every peer what is offered now."""
        status = self.me.status()
        for link in self._peers.links():
            link.send(status)

    # Inputs of the presence table

    def _heard(self, beacon: core.Beacon, host: str) -> None:
        self._perform(self._presence.heard(beacon, host, time.monotonic()))

    def _resumed(self) -> None:
        self._peers.ping()
        self._perform(self._presence.network_changed(time.monotonic()))

    def _addresses_changed(self, addresses: tuple[LocalAddress, ...]) -> None:
        is_first, self._addresses = not self._addresses, addresses
        hosts = {address.host.partition("%")[0] for address in addresses}
        for link in self._peers.links():
            if not is_loopback(link.local_host) and link.local_host.partition("%")[0] not in hosts:
                link.drop()  # its own address is gone; waiting for a pong would only cost time
        self._tasks.start(self._listener.rebind(self._hosts(addresses)))
        if not is_first:
            self._resumed()

    def _hosts(self, addresses: tuple[LocalAddress, ...]) -> tuple[str, ...]:
        return listen_hosts(addresses, restricted=self._is_restricted)

    @property
    def _is_restricted(self) -> bool:
        return bool(self._settings.interfaces)

    async def _keep_time(self) -> None:
        while True:
            deadline = self._presence.deadline()
            self._hurry.clear()
            try:
                async with asyncio.timeout(None if deadline is None else max(deadline - time.monotonic(), 0)):
                    await self._hurry.wait()
            except TimeoutError:
                self._perform(self._presence.tick(time.monotonic()))

    # What peers say

    def answer(self, link: Link, request: Request) -> AsyncGenerator[Answer, None]:
        """See ``net.link.Handler``."""
        return self._answering.answer(link, request)

    def received(self, link: Link, message: Message) -> None:
        """See ``net.link.Handler``."""
        early = self._early.get(link)
        if early is None:
            self._take(link, message)
        elif len(early) < MAX_EARLY:
            early.append(message)
        else:
            raise ProtocolViolation("too many messages at once")

    def _take(self, link: Link, message: Message) -> None:
        match message:
            case Status():
                self._status_changed(link, message)
            case Gossip():
                self._gossiped(link, message)
            case HaveUpdate():
                self._on_have_update(link, message)
            case _ if not self._on_told(link, message):
                raise ProtocolViolation(f"{type(message).__name__} is not said on an open link")

    def _gossiped(self, link: Link, gossip: Gossip) -> None:
        for peer in gossip.peers:
            effects = self._presence.learned(
                PeerId(peer.peer.hex()), peer.host, peer.port, time.monotonic(), "gossip", via=link.host
            )
            self._perform(effects)

    def _status_changed(self, link: Link, status: Status) -> None:
        check_peer_name(status.name)
        self._peers.offers(link.peer_id, status)
        self._perform(self._presence.renamed(link.peer_id, status.name))
        self._peers.on_linked(link)  # what it offers now may be what is waited for

    # Effects

    def _perform(self, effects: list[core.Effect]) -> None:  # noqa: C901 - one branch an effect
        """Do what the table decided."""
        for effect in effects:
            match effect:
                case core.Dial():
                    self._tasks.start(self._dial(effect))
                case core.CheckLink(peer_id=peer):
                    self._peers.ping(peer)
                case core.PeerOnline(peer_id=peer):
                    self._peers.joined(peer)
                case core.PeerOffline(peer_id=peer, reason=reason):
                    self._peers.left(peer, reason)
                case core.PeerRestartedFact(peer_id=peer):
                    self._peers.restarted(peer)
                case core.PeerRenamedFact(peer_id=peer, old_name=old_name, name=name):
                    self._peers.renamed(peer, old_name, name)
                case core.PeerMoved(peer_id=peer, old_address=old_address):
                    self._peers.moved(peer, str(old_address))
                case core.ProfileCloned(host=host):
                    text = f"{host} runs a copy of this profile; start one of the two with another --profile"
                    self._bus.publish(Notice(level="warning", text=text))
                    log.warning("profile cloned host=%s", host)
                case core.RefuseLink() | core.ReplaceLink():
                    pass  # done where the link is at hand
        self._hurry.set()

    async def _dial(self, dial: core.Dial) -> None:
        """Perform one dial, and carry the link it brings."""
        if not await apart(self._dial_and_carry(dial), f"a dial to {dial.host}"):
            self._perform(self._presence.dial_failed(dial, time.monotonic(), "bug"))

    async def _dial_and_carry(self, dial: core.Dial) -> None:
        try:
            if self._is_restricted and not reaches(self._addresses, dial.host):
                raise PeerUnavailable(f"{dial.host} is not on the chosen interfaces")
            connected = await dial_link(dial.host, dial.port, self._contexts, expected=dial.peer_id)
        except PeerError as error:
            log.debug("dial failed host=%s port=%d reason=%r", dial.host, dial.port, error.message)
            self._perform(self._presence.dial_failed(dial, time.monotonic(), error.code))
            return
        if self._presence.identified(dial, connected.peer_id, time.monotonic()):
            await self._carry(connected, dial)
        else:
            connected.writer.transport.abort()
            self._hurry.set()

    async def _accepted(self, connected: Connected) -> None:
        """Carry a link that a peer dialled, until it ends."""
        await self._is_running.wait()
        await apart(self._carry(connected, None), f"the link from {connected.host}")

    async def _carry(self, connected: Connected, dial: core.Dial | None) -> None:
        link = Link(connected, self.me.hello())
        self._carried.add(link)
        self._early[link] = []
        running = asyncio.create_task(link.run(self))
        reason: str = CloseCode.LOST
        try:
            await self._open(link, dial)
            reason = (await running).code
        finally:
            running.cancel()
            await asyncio.wait([running])
            self._carried.discard(link)
            self._early.pop(link, None)
            self._on_link_ended(link)
            if self._peers.unlinked(link):
                self._perform(self._presence.link_closed(link.peer_id, reason, time.monotonic()))

    async def _open(self, link: Link, dial: core.Dial | None) -> None:
        """Bring a link into use once both HELLOs came, or end it."""
        now = time.monotonic
        try:
            hello = await link.opened()
            check_peer_name(hello.name)
        except PeerError as error:
            log.info("no link peer=%s reason=%r", link.peer_id[:8], error.message)
            await link.close(CloseCode.PROTOCOL)
            if dial:
                self._perform(self._presence.dial_failed(dial, now(), error.code))
            return
        host, port = (dial.host, dial.port) if dial else (link.host, hello.port)
        effects = self._presence.link_opened(
            link.peer_id,
            host,
            port,
            instance=hello.instance,
            name=hello.name,
            is_dialer=link.is_dialer,
            now=now(),
        )
        if refusal := next((effect for effect in effects if isinstance(effect, core.RefuseLink)), None):
            self._perform(effects)
            await link.close(REFUSALS[refusal.reason])
            return
        if older := self._peers.linked(link, hello):
            self._tasks.start(older.close(CloseCode.DUPLICATE))
        self._perform(effects)
        self._peers.on_linked(link)
        self._introduce(link)
        facts = (link.peer_id, hello.name, host, port, time.time())
        self._tasks.start(tolerate("remember a peer", self._store.remember, *facts))
        try:
            for message in self._early.pop(link):
                self._take(link, message)
        except ProtocolViolation as violation:
            await link.close(CloseCode.PROTOCOL, violation.message)

    def _introduce(self, link: Link) -> None:
        """Tell a new peer of the others, and the others of it."""
        others = [other for other in self._peers.links() if other is not link]
        for gossip in gossip_about(others):
            link.send(gossip)
        for gossip in gossip_about([link]):
            for other in others:
                other.send(gossip)


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT`` or a bare host."""
    host, _, port = text.rpartition(":")
    if host and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return text.strip("[]"), DEFAULT_PORT
