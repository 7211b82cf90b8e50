"""All services of one engine: builds them, wires them to one another, loads what they know from earlier runs.

What one service tells the others goes through here. ``engine.engine`` runs and ends them, and lets clients at them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.api.events import Notice
from peerterm.core.budget import Budget
from peerterm.engine.answering import Answering
from peerterm.engine.downloading import Downloads
from peerterm.engine.granted import Granted
from peerterm.engine.grants import Grants
from peerterm.engine.hooks import Hooks
from peerterm.engine.lane_pool import LanePool
from peerterm.engine.linking import Linking
from peerterm.engine.offer_driver import OfferDriver
from peerterm.engine.order import Surroundings
from peerterm.engine.peers import Peers
from peerterm.engine.reuse import Reuse
from peerterm.engine.searching import Searching
from peerterm.engine.sending import Sending
from peerterm.engine.sharing import Sharing
from peerterm.engine.streaming import Streams
from peerterm.engine.talk_driver import TalkDriver
from peerterm.engine.talking import Talking
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.engine.titles import Titles
from peerterm.engine.upload_news import UploadNews
from peerterm.engine.uploading import Uploads
from peerterm.net.identity import Identity
from peerterm.net.lane_server import LaneServer
from peerterm.net.throttle import Throttle
from peerterm.net.tls import TlsContexts
from peerterm.net.upload_slots import UploadSlots
from peerterm.store.catalog import CatalogReader, Totals
from peerterm.store.database import Database
from peerterm.store.grants import GrantStore
from peerterm.store.journal import Journal
from peerterm.store.landed import LandedIndex
from peerterm.store.offers import OfferStore
from peerterm.store.peers import PeerStore
from peerterm.store.shares import ShareStore
from peerterm.store.space import SpaceAccount
from peerterm.store.stream_cache import StreamCache
from peerterm.store.talk import TalkStore
from peerterm.store.transfers import TransferStore

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Coroutine

    from peerterm.config import Settings
    from peerterm.core.ids import PeerId, Root
    from peerterm.engine.bus import Bus
    from peerterm.net.link import Link
    from peerterm.paths import Paths
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.services")


@asynccontextmanager
async def open_services(settings: Settings, paths: Paths, bus: Bus) -> AsyncIterator[Services]:
    """Build all services on one profile and load what they know; close them at the end of the block.

    Nothing is said on the network before they run.

    Raises:
        StorageError, SchemaTooNew: See ``Database.open``.
    """
    identity = await asyncio.to_thread(Identity.load_or_create, paths.key)
    contexts = await asyncio.to_thread(TlsContexts.for_identity, identity)
    database = await Database.open(paths.database)
    async with AsyncExitStack() as closing:
        closing.push_async_callback(database.close)
        services = Services(settings, paths, bus, identity=identity, contexts=contexts, database=database)
        closing.push_async_callback(services.close)
        await services.load()
        if database.was_rebuilt:
            text = f"the database of {paths.home} was damaged; it was set aside and a new one begun: share again"
            bus.publish(Notice(level="error", text=text))
            log.error("%s", text)
        yield services


class Services:
    """The services of one engine, from ``open_services``.

    Attributes:
        tasks: What services start when something happens; to be open while they run.
    """

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        bus: Bus,
        *,
        identity: Identity,
        contexts: TlsContexts,
        database: Database,
    ) -> None:
        self.tasks = Tasks()
        self.identity = identity
        self.peers = Peers(bus)
        self.catalog = CatalogReader(database)
        self._build_shares(settings, bus, ShareStore(database), GrantStore(database))
        self.searching = Searching(self.peers, self.catalog, identity.peer_id, settings.node.name)
        self._build_talk(settings, bus, TalkStore(database))
        self._build_network(settings, bus, contexts, PeerStore(database))
        self._build_downloads(settings, paths, bus, database)
        self._build_offers(settings, bus, OfferStore(database), TalkStore(database))
        self._hooks = Hooks(settings.events, paths.home, bus)
        self._upload_news = UploadNews(bus, lambda: self.uploads.views(self.peers.name_of))
        self.peers.on_linked = self._link_opened
        self.peers.on_offline = self._peer_offline

    def _build_shares(self, settings: Settings, bus: Bus, shares: ShareStore, private: GrantStore) -> None:
        self._granted = Granted(private)
        self.uploads = Uploads(self.catalog, self._granted)
        self.sharing = Sharing(shares, settings.files, bus, self._catalog_changed)
        self.grants = Grants(
            private,
            self._granted,
            shares,
            settings.files,
            on_changed=self.uploads.forget,
            on_moved=self.uploads.offer_again,
        )

    def _build_talk(self, settings: Settings, bus: Bus, store: TalkStore) -> None:
        own_id, own_name = self.identity.peer_id, settings.node.name
        self.talking = Talking(store, own_id, own_name, peers=self.peers, bus=bus, tasks=self.tasks)
        self.talk_driver = self.talking.driver = TalkDriver(store, self.identity, own_name, self.talking)

    def _build_network(self, settings: Settings, bus: Bus, contexts: TlsContexts, store: PeerStore) -> None:
        self.lanes = LanePool(contexts, self.peers.address_of)
        self.stream_lanes = LanePool(contexts, self.peers.address_of)  # what a player waits for stands in no line
        self.up_throttle = Throttle(settings.transfers.up_limit)
        self._lane_server = LaneServer(
            contexts.server,
            self.uploads,
            allow=lambda _: True,
            on_sent=self.uploads.sent,
            slots=UploadSlots(settings.transfers.upload_slots),
            throttle=self.up_throttle,
        )
        self.linking = Linking(
            settings.node,
            identity=self.identity,
            contexts=contexts,
            store=store,
            peers=self.peers,
            bus=bus,
            offer=Totals(0, 0, 0, 0),
            answering=Answering(self.catalog, self._granted, self.uploads, self.talk_driver),
            on_have_update=self._have_update,
            on_told=self.talk_driver.received,
            on_link_ended=self.uploads.link_closed,
            on_lane=self._lane_arrived,
        )

    def _build_downloads(self, settings: Settings, paths: Paths, bus: Bus, database: Database) -> None:
        landed, transfers = LandedIndex(database), settings.transfers
        reuse = Reuse(self.catalog, landed)
        self.down_budget = Budget(transfers.down_limit, time.monotonic())
        self.cache = self._open_cache(settings, paths)
        around = Surroundings(
            lanes=self.lanes,
            uploads=self.uploads,
            journal=Journal(database),
            reuse=reuse,
            cache=self.cache,
            space=SpaceAccount(transfers.min_free),
            budget=self.down_budget,
            links=self.peers.links,
            name_of=self.peers.name_of,
            publish=bus.publish,
            changed=lambda transfer_id: self.downloads.runs.changed(transfer_id),  # noqa: PLW0108 - not built yet
        )
        self.downloads = Downloads(
            self.searching,
            TransferStore(database),
            landed,
            settings.files.download_dir,
            bus=bus,
            around=around,
            running=transfers.running,
        )
        titles = Titles(self.searching, self.catalog, reuse, self.identity.peer_id)
        self.streams = Streams(titles, self.downloads, bus=bus, around=replace(around, lanes=self.stream_lanes))

    def _build_offers(self, settings: Settings, bus: Bus, store: OfferStore, lines: TalkStore) -> None:
        self.offer_driver = OfferDriver(
            store,
            lines,
            self.identity.peer_id,
            talk=self.talk_driver,
            grants=self.grants,
            granted=self._granted,
            downloads=self.downloads,
            peers=self.peers,
            bus=bus,
        )
        self.sending = Sending(
            store,
            self.offer_driver,
            own_names=(self.identity.peer_id, settings.node.name),
            accept_from=settings.files.accept_from,
            grants=self.grants,
            downloads=self.downloads,
            peers=self.peers,
            bus=bus,
        )
        self.offer_driver.on_kept = self.sending.offered
        self.talking.on_kept = self.offer_driver.line_kept
        self.talking.on_moved = self.offer_driver.line_moved
        self.downloads.transfers.on_moved = self.offer_driver.transfer_moved

    def _open_cache(self, settings: Settings, paths: Paths) -> StreamCache:
        """Make room for what streams fetch; nothing of an earlier engine is in it."""
        loop = asyncio.get_running_loop()

        def evicted(root: Root, index: int) -> None:
            loop.call_soon_threadsafe(self.streams.evicted, root, index)

        return StreamCache(paths.home, settings.stream.cache, evicted)

    # From the beginning to the end

    async def load(self) -> None:
        """Take up what earlier runs left: shares, peers, downloads, conversations and offers.

        Raises:
            StorageError: The disk refused.
        """
        await self.sharing.load()
        await self.grants.load()
        self.linking.me.offer = await self.catalog.totals()
        await self.linking.load()
        await self.downloads.load()
        await self.talking.load()
        await self.offer_driver.load()

    def runs(self) -> list[Coroutine[None, None, None]]:
        """Return what must run side by side from when the port is taken until the engine stops."""
        return [
            self.sharing.run(),
            self.grants.run(),
            self.downloads.run(),
            self.streams.run(),
            self.talk_driver.run(),
            self.sending.run(),
            self.linking.run(),
            self._upload_news.run(),
            self._hooks.run(),
        ]

    async def close(self) -> None:
        """Close ports, lanes and files, once nothing runs any more."""
        async with AsyncExitStack() as closing:
            closing.callback(self.cache.close)
            for lanes in (self.lanes, self.stream_lanes):
                closing.push_async_callback(lanes.close)
            closing.push_async_callback(self._lane_server.close)
            closing.push_async_callback(self.linking.close)

    # What one tells the others

    def _catalog_changed(self) -> None:
        self.uploads.forget()
        self.tasks.start(tolerate("tell peers what is offered", self._announce))

    async def _announce(self) -> None:
        self.linking.me.offer = await self.catalog.totals()
        self.linking.announce()

    def _lane_arrived(self, sock: socket.socket, address: tuple[str, int], release: Callable[[], None]) -> None:
        self._lane_server.serve(sock, address[0], release)

    def _link_opened(self, link: Link) -> None:
        self.downloads.runs.link_opened(link)
        self.streams.link_opened(link)
        self.talk_driver.link_opened(link)
        self.talking.presence_moved(link.peer_id)

    def _have_update(self, link: Link, update: HaveUpdate) -> None:
        self.downloads.runs.have_update(link, update)
        self.streams.have_update(link, update)

    def _peer_offline(self, peer: PeerId) -> None:
        self.downloads.runs.peer_offline(peer)
        self.streams.peer_offline(peer)
        self.talk_driver.peer_offline(peer)
        self.talking.presence_moved(peer)
        for lanes in (self.lanes, self.stream_lanes):
            self.tasks.start(lanes.close_peer(peer))
