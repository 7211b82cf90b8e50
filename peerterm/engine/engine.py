"""The engine: builds every service, runs them together, and answers its clients.

One task group carries all services: a bug in one stops the engine loudly. Entering the context starts everything
and returns when peers can be met; leaving it says bye.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

from peerterm import __version__, logs
from peerterm.api.events import Notice, Snapshot
from peerterm.api.views import IdentityView, LimitsView, LogLine, StatusView
from peerterm.config import set_value
from peerterm.config_values import MAX_RATE_BYTES
from peerterm.core.budget import Budget
from peerterm.engine.answering import Answering
from peerterm.engine.bus import Bus
from peerterm.engine.downloading import Downloads
from peerterm.engine.lane_pool import LanePool
from peerterm.engine.linking import Linking
from peerterm.engine.order import Surroundings
from peerterm.engine.peers import Peers
from peerterm.engine.references import link_to_peer
from peerterm.engine.reuse import Reuse
from peerterm.engine.searching import Searching
from peerterm.engine.sharing import Sharing
from peerterm.engine.streaming import Streams
from peerterm.engine.talk_driver import TalkDriver
from peerterm.engine.talking import Talking
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.engine.titles import Titles
from peerterm.engine.upload_news import UploadNews
from peerterm.engine.uploading import Uploads
from peerterm.errors import PeertermError, UsageError
from peerterm.net.identity import Identity, tag
from peerterm.net.lane_server import LaneServer
from peerterm.net.throttle import Throttle
from peerterm.net.tls import TlsContexts
from peerterm.net.upload_slots import UploadSlots
from peerterm.store.catalog import CatalogReader
from peerterm.store.database import Database
from peerterm.store.journal import Journal
from peerterm.store.landed import LandedIndex
from peerterm.store.peers import PeerStore
from peerterm.store.shares import ShareStore
from peerterm.store.space import SpaceAccount
from peerterm.store.stream_cache import StreamCache
from peerterm.store.talk import TalkStore
from peerterm.store.transfers import TransferStore

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from peerterm.api.events import Event
    from peerterm.api.views import (
        BrowsePage,
        ChunkMapView,
        ConversationView,
        MessageView,
        PeerView,
        SearchHit,
        SearchQuery,
        SettingView,
        ShareView,
        StreamView,
        TransferView,
    )
    from peerterm.config import Settings
    from peerterm.core.ids import PeerId, Root
    from peerterm.net.link import Link
    from peerterm.paths import Paths
    from peerterm.store.catalog import Totals
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.engine")

MAX_LOG_LINES = 1000


class Engine:
    """One engine on one profile; implements ``api.engine.EngineApi``.

    The caller holds the profile's lock.
    """

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._state: Literal["starting", "ready", "stopping"] = "starting"
        self._started_at = time.time()
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()
        self._tasks = Tasks()
        self._down_budget = Budget(settings.transfers.down_limit, time.monotonic())
        self._up_throttle = Throttle(settings.transfers.up_limit)

    async def __aenter__(self) -> Self:
        try:
            await self._build()
            await self._linking.listen()
        except BaseException:
            await self._stack.aclose()
            raise
        self._services = asyncio.create_task(self._run_services())
        self._state = "ready"
        try:
            await self._share_at_start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _build(self) -> None:
        """Create every service and what it stands on; nothing is said on the network yet."""
        settings, paths = self._settings, self._paths
        self._identity = await asyncio.to_thread(Identity.load_or_create, paths.key)
        contexts = await asyncio.to_thread(TlsContexts.for_identity, self._identity)
        database = await Database.open(paths.database)
        self._stack.push_async_callback(database.close)
        self._bus = Bus(self._snapshot)
        self._catalog = CatalogReader(database)
        self._peers = Peers(self._bus)
        self._uploads = Uploads(self._catalog)
        self._sharing = Sharing(ShareStore(database), settings.files, self._bus, self._catalog_changed)
        await self._sharing.load()
        self._searching = Searching(self._peers, self._catalog, self._identity.peer_id, settings.node.name)
        self._cache = self._open_cache()
        self._build_talk(TalkStore(database))
        self._build_network(contexts, PeerStore(database), await self._catalog.totals())
        self._build_downloads(database)
        await self._downloads.load()
        await self._talking.load()
        self._peers.on_linked = self._link_opened
        self._peers.on_offline = self._peer_offline
        if database.was_rebuilt:
            text = f"the database of {paths.home} was damaged; it was set aside and a new one begun: share again"
            self._bus.publish(Notice(level="error", text=text))
            log.error("%s", text)

    def _build_downloads(self, database: Database) -> None:
        landed, transfers = LandedIndex(database), self._settings.transfers
        reuse = Reuse(self._catalog, landed)
        around = Surroundings(
            lanes=self._lanes,
            uploads=self._uploads,
            journal=Journal(database),
            reuse=reuse,
            cache=self._cache,
            space=SpaceAccount(transfers.min_free),
            budget=self._down_budget,
            links=self._peers.links,
            name_of=self._peers.name_of,
            publish=self._bus.publish,
            changed=lambda transfer_id: self._downloads.runs.changed(transfer_id),  # noqa: PLW0108 - not built yet
        )
        self._downloads = Downloads(
            self._searching,
            TransferStore(database),
            landed,
            self._settings.files.download_dir,
            bus=self._bus,
            around=around,
            running=transfers.running,
        )
        titles = Titles(self._searching, self._catalog, reuse, self._identity.peer_id)
        self._streams = Streams(
            titles, self._downloads, bus=self._bus, around=replace(around, lanes=self._stream_lanes)
        )

    def _build_talk(self, store: TalkStore) -> None:
        own_id, own_name = self._identity.peer_id, self._settings.node.name
        self._talking = Talking(store, own_id, own_name, peers=self._peers, bus=self._bus, tasks=self._tasks)
        self._talk_driver = self._talking.driver = TalkDriver(store, self._identity, self._talking)

    def _open_cache(self) -> StreamCache:
        """Make room for what streams fetch; nothing of an earlier engine is in it."""
        loop = asyncio.get_running_loop()

        def evicted(root: Root, index: int) -> None:
            loop.call_soon_threadsafe(self._streams.evicted, root, index)

        cache = StreamCache(self._paths.home, self._settings.stream.cache, evicted)
        self._stack.callback(cache.close)
        return cache

    def _build_network(self, contexts: TlsContexts, store: PeerStore, offer: Totals) -> None:
        self._lanes = LanePool(contexts, self._peers.address_of)
        self._lane_server = LaneServer(
            contexts.server,
            self._uploads,
            allow=lambda _: True,
            on_sent=self._uploads.sent,
            slots=UploadSlots(self._settings.transfers.upload_slots),
            throttle=self._up_throttle,
        )
        self._linking = Linking(
            self._settings.node,
            identity=self._identity,
            contexts=contexts,
            store=store,
            peers=self._peers,
            bus=self._bus,
            offer=offer,
            answering=Answering(self._catalog, self._uploads, self._talk_driver),
            on_have_update=self._have_update,
            on_told=self._talk_driver.received,
            on_link_ended=self._uploads.link_closed,
            on_lane=self._lane_arrived,
        )
        self._stream_lanes = LanePool(contexts, self._peers.address_of)  # what a player waits for stands in no line
        for close in (self._lanes.close, self._stream_lanes.close, self._lane_server.close, self._linking.close):
            self._stack.push_async_callback(close)

    async def _run_services(self) -> None:
        async with self._tasks:
            news = UploadNews(self._bus, lambda: self._uploads.views(self._peers.name_of))
            for run in (
                self._sharing.run,
                self._downloads.run,
                self._streams.run,
                self._talk_driver.run,
                self._linking.run,
                news.run,
            ):
                self._tasks.start(run())
            await self._stop.wait()
            self._state = "stopping"
            self._bus.close()  # clients are told the end while there is somebody to tell them
            await self._linking.say_goodbye()
            self._tasks.cancel()

    async def _share_at_start(self) -> None:
        for path in self._settings.files.share:
            try:
                await self._sharing.share(str(path.absolute()))
            except PeertermError as error:
                log.warning("not shared path=%r reason=%r", str(path), error.message)
                self._bus.publish(Notice(level="error", text=error.message))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        try:
            await self._services
        finally:
            self._bus.close()
            await self._stack.aclose()

    async def run_until_stopped(self) -> None:
        """Return when a client asked the engine to end; raises what broke a service."""
        await asyncio.wait(
            [self._services, stopped := asyncio.create_task(self._stop.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        stopped.cancel()
        if self._services.done():
            self._services.result()

    # Between the services

    def _catalog_changed(self) -> None:
        self._uploads.forget()
        self._tasks.start(tolerate("tell peers what is offered", self._announce))

    async def _announce(self) -> None:
        self._linking.me.offer = await self._catalog.totals()
        self._linking.announce()

    def _lane_arrived(self, sock: socket.socket, address: tuple[str, int], release: Callable[[], None]) -> None:
        self._lane_server.serve(sock, address[0], release)

    def _link_opened(self, link: Link) -> None:
        self._downloads.runs.link_opened(link)
        self._streams.link_opened(link)
        self._talk_driver.link_opened(link)

    def _have_update(self, link: Link, update: HaveUpdate) -> None:
        self._downloads.runs.have_update(link, update)
        self._streams.have_update(link, update)

    def _peer_offline(self, peer: PeerId) -> None:
        self._downloads.runs.peer_offline(peer)
        self._streams.peer_offline(peer)
        self._talk_driver.peer_offline(peer)
        for lanes in (self._lanes, self._stream_lanes):
            self._tasks.start(lanes.close_peer(peer))

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            status=self._status(),
            peers=self._peers.views(),
            shares=self._sharing.views(),
            transfers=self._transfers(),
            streams=self._streams.views(),
            conversations=self._talking.views(),
        )

    def _status(self) -> StatusView:
        return StatusView(
            state=self._state,
            peer_id=self._identity.peer_id,
            name=self._settings.node.name,
            port=self._linking.me.port,
            version=__version__,
            profile=str(self._paths.home),
            interfaces=list(self._settings.node.interfaces),
            peers=len(self._peers.links()),
            shares=len(self._sharing.views()),
            transfers=len(self._downloads.transfers.queue.entries),
            started_at=self._started_at,
            pid=os.getpid(),
        )

    def _transfers(self) -> list[TransferView]:
        return [*self._downloads.transfers.views(), *self._uploads.views(self._peers.name_of)]

    # What clients ask; see ``EngineApi``

    async def status(self) -> StatusView:
        """See ``EngineApi``."""
        return self._status()

    async def stop(self) -> None:
        """See ``EngineApi``."""
        self._stop.set()

    async def identity(self) -> IdentityView:
        """See ``EngineApi``."""
        peer_id, port = self._identity.peer_id, self._linking.me.port
        hosts = [address.host for address in self._linking.addresses()]
        addresses = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in hosts]
        return IdentityView(
            peer_id=peer_id,
            tag=tag(peer_id),
            name=self._settings.node.name,
            port=port,
            addresses=addresses,
            link=link_to_peer(peer_id, addresses),
        )

    async def share(self, path: str, name: str = "", visibility: str = "everyone") -> ShareView:
        """See ``EngineApi``."""
        return await self._sharing.share(path, name, visibility)

    async def shares(self) -> list[ShareView]:
        """See ``EngineApi``."""
        return self._sharing.views()

    async def unshare(self, share: str) -> ShareView:
        """See ``EngineApi``."""
        return await self._sharing.unshare(share)

    async def rescan(self, share: str = "") -> list[ShareView]:
        """See ``EngineApi``."""
        return await self._sharing.rescan(share)

    async def peers(self) -> list[PeerView]:
        """See ``EngineApi``."""
        return self._peers.views()

    async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
        """See ``EngineApi``."""
        return await self._searching.browse(peer, path, after, limit)

    def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """See ``EngineApi``."""
        return self._searching.search(query)

    async def get(self, reference: str, directory: str = "", only: list[str] | None = None) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.get(reference, directory, only or ())

    async def pause(self, transfer: str) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.pause(transfer)

    async def resume(self, transfer: str) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.resume(transfer)

    async def retry(self, transfer: str) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.retry(transfer)

    async def prioritise(self, transfer: str, priority: int) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.prioritise(transfer, priority)

    async def move(self, transfer: str, where: Literal["first", "up", "down", "last"]) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.move(transfer, where)

    async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
        """See ``EngineApi``."""
        if min(down or 0, up or 0) < 0:
            raise UsageError("a limit below zero bytes a second", "0 lifts a limit")
        if max(down or 0, up or 0) > MAX_RATE_BYTES:
            raise UsageError("a limit of more than 1 TiB a second", "0 lifts a limit")
        if transfer:
            if up is not None:
                raise UsageError("a transfer has no limit for sending", "leave --up out, or the transfer")
            if down is not None:
                await self._downloads.set_limit(transfer, down)
            view = self._downloads.transfers.find(transfer).view()
            return LimitsView(down=view.limit, up=0, transfer_id=view.transfer_id)
        if down is not None:
            self._down_budget.set_rate(down, time.monotonic())
            await asyncio.to_thread(set_value, self._paths.config, "transfers.down_limit", str(down))
        if up is not None:
            self._up_throttle.set_rate(up)
            await asyncio.to_thread(set_value, self._paths.config, "transfers.up_limit", str(up))
        return LimitsView(down=int(self._down_budget.rate), up=int(self._up_throttle.rate))

    async def transfers(self) -> list[TransferView]:
        """See ``EngineApi``."""
        return self._transfers()

    async def cancel(self, transfer: str, *, delete: bool = False) -> TransferView:
        """See ``EngineApi``."""
        return await self._downloads.cancel(transfer, delete=delete)

    async def clear(self, transfer: str = "") -> int:
        """See ``EngineApi``."""
        return await self._downloads.clear(transfer)

    async def chunk_map(self, transfer: str, cells: int) -> ChunkMapView:
        """See ``EngineApi``."""
        return await self._downloads.chunk_map(transfer, cells)

    async def stream(self, reference: str) -> StreamView:
        """See ``EngineApi``."""
        return await self._streams.open(reference)

    async def streams(self) -> list[StreamView]:
        """See ``EngineApi``."""
        return self._streams.views()

    async def close_stream(self, stream: str) -> StreamView:
        """See ``EngineApi``."""
        return await self._streams.close(stream)

    async def keep(self, stream: str, directory: str = "") -> TransferView:
        """See ``EngineApi``."""
        return await self._streams.keep(stream, directory)

    async def say(self, conversation: str, text: str, kind: str = "text") -> MessageView:
        """See ``EngineApi``."""
        return await self._talking.say(conversation, text, kind)

    async def messages(self, conversation: str, limit: int = 100, before: str = "") -> list[MessageView]:
        """See ``EngineApi``."""
        return await self._talking.messages(conversation, limit, before)

    async def conversations(self) -> list[ConversationView]:
        """See ``EngineApi``."""
        return await self._talking.conversations()

    async def join(self, room: str) -> ConversationView:
        """See ``EngineApi``."""
        return await self._talking.join(room)

    async def leave(self, room: str) -> ConversationView:
        """See ``EngineApi``."""
        return await self._talking.leave(room)

    async def mute(self, conversation: str, *, is_muted: bool = True) -> ConversationView:
        """See ``EngineApi``."""
        return await self._talking.mute(conversation, is_muted=is_muted)

    async def read(self, conversation: str) -> ConversationView:
        """See ``EngineApi``."""
        return await self._talking.read(conversation)

    async def settings(self) -> list[SettingView]:
        """See ``EngineApi``."""
        return self._settings.views()

    async def log(self, lines: int = 100) -> list[LogLine]:
        """See ``EngineApi``."""
        recent = logs.recent(max(1, min(lines, MAX_LOG_LINES)))
        return [LogLine(at=line.at, level=line.level, source=line.source, text=line.text) for line in recent]

    async def events(self) -> AsyncIterator[Event]:
        """See ``EngineApi``."""
        with self._bus.subscribe() as subscription:
            async for event in subscription:
                yield event
