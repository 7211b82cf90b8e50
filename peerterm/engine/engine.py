"""The engine: runs all services together from its start to its stop, and answers its clients.

One task group carries all services: a bug in one stops the engine loudly. Entering the context starts everything
and returns when peers can be met; leaving it says bye. What the services are is ``engine.services``'.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal, Self

from peerterm import __version__, logs
from peerterm.api.events import Notice, Snapshot
from peerterm.api.views import IdentityView, LimitsView, LogLine, StatusView
from peerterm.config import set_value
from peerterm.config_values import MAX_RATE_BYTES
from peerterm.engine.bus import Bus
from peerterm.engine.references import link_to_peer
from peerterm.engine.services import Services, open_services
from peerterm.errors import PeertermError, UsageError
from peerterm.net.identity import tag

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from peerterm.api.events import Event
    from peerterm.api.views import (
        BrowsePage,
        ChunkMapView,
        ConversationView,
        MessageView,
        OfferView,
        PeerView,
        SearchHit,
        SearchQuery,
        SettingView,
        ShareView,
        StreamView,
        TransferView,
    )
    from peerterm.config import Settings
    from peerterm.paths import Paths

log = logging.getLogger("peerterm.engine")

MAX_LOG_LINES = 1000


class Engine:
    """One engine on one profile; implements ``api.engine.EngineApi``.

    The caller holds the profile's lock.

    Attributes:
        services: What does the work; there while the context is entered.
    """

    services: Services

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._state: Literal["starting", "ready", "stopping"] = "starting"
        self._started_at = time.time()
        self._stop = asyncio.Event()
        self._closing = AsyncExitStack()
        self._bus = Bus(self._snapshot)

    async def __aenter__(self) -> Self:
        opening = open_services(self._settings, self._paths, self._bus)
        try:
            self.services = await self._closing.enter_async_context(opening)
            await self.services.linking.listen()
        except BaseException:
            await self._closing.aclose()
            raise
        self._running = asyncio.create_task(self._run())
        self._state = "ready"
        try:
            await self._share_at_start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _run(self) -> None:
        """Run all services until the engine stops or one of them has a bug."""
        async with self.services.tasks as tasks:
            for run in self.services.runs():
                tasks.start(run)
            await self._stop.wait()
            self._state = "stopping"
            self._bus.close()  # clients are told the end while there is somebody to tell them
            await self.services.linking.say_goodbye()
            tasks.cancel()

    async def _share_at_start(self) -> None:
        for path in self._settings.files.share:
            try:
                await self.services.sharing.share(str(path.absolute()))
            except PeertermError as error:
                log.warning("not shared path=%r reason=%r", str(path), error.message)
                self._bus.publish(Notice(level="error", text=error.message))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        try:
            await self._running
        finally:
            self._bus.close()
            await self._closing.aclose()

    async def run_until_stopped(self) -> None:
        """Return when a client asked the engine to end; raises what broke a service."""
        await asyncio.wait(
            [self._running, stopped := asyncio.create_task(self._stop.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        stopped.cancel()
        if self._running.done():
            self._running.result()

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            status=self._status(),
            peers=self.services.peers.views(),
            shares=self.services.sharing.views(),
            transfers=self._transfers(),
            streams=self.services.streams.views(),
            conversations=self.services.talking.views(),
            offers=self.services.sending.views(),
        )

    def _status(self) -> StatusView:
        return StatusView(
            state=self._state,
            peer_id=self.services.identity.peer_id,
            name=self._settings.node.name,
            port=self.services.linking.me.port,
            version=__version__,
            profile=str(self._paths.home),
            interfaces=list(self._settings.node.interfaces),
            peers=len(self.services.peers.links()),
            shares=len(self.services.sharing.views()),
            transfers=len(self.services.downloads.transfers.queue.entries),
            started_at=self._started_at,
            pid=os.getpid(),
        )

    def _transfers(self) -> list[TransferView]:
        return [
            *self.services.downloads.transfers.views(),
            *self.services.uploads.views(self.services.peers.name_of),
        ]

    # What clients ask; see ``EngineApi``

    async def status(self) -> StatusView:
        """See ``EngineApi``."""
        return self._status()

    async def stop(self) -> None:
        """See ``EngineApi``."""
        self._stop.set()

    async def identity(self) -> IdentityView:
        """See ``EngineApi``."""
        peer_id, port = self.services.identity.peer_id, self.services.linking.me.port
        hosts = [address.host for address in self.services.linking.addresses()]
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
        return await self.services.sharing.share(path, name, visibility)

    async def shares(self) -> list[ShareView]:
        """See ``EngineApi``."""
        return self.services.sharing.views()

    async def unshare(self, share: str) -> ShareView:
        """See ``EngineApi``."""
        return await self.services.sharing.unshare(share)

    async def rescan(self, share: str = "") -> list[ShareView]:
        """See ``EngineApi``."""
        return await self.services.sharing.rescan(share)

    async def peers(self) -> list[PeerView]:
        """See ``EngineApi``."""
        return self.services.peers.views()

    async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
        """See ``EngineApi``."""
        return await self.services.searching.browse(peer, path, after, limit)

    def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """See ``EngineApi``."""
        return self.services.searching.search(query)

    async def get(self, reference: str, directory: str = "", only: list[str] | None = None) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.get(reference, directory, only or ())

    async def pause(self, transfer: str) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.pause(transfer)

    async def resume(self, transfer: str) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.resume(transfer)

    async def retry(self, transfer: str) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.retry(transfer)

    async def prioritise(self, transfer: str, priority: int) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.prioritise(transfer, priority)

    async def move(self, transfer: str, where: Literal["first", "up", "down", "last"]) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.move(transfer, where)

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
                await self.services.downloads.set_limit(transfer, down)
            view = self.services.downloads.transfers.find(transfer).view()
            return LimitsView(down=view.limit, up=0, transfer_id=view.transfer_id)
        if down is not None:
            self.services.down_budget.set_rate(down, time.monotonic())
            await asyncio.to_thread(set_value, self._paths.config, "transfers.down_limit", str(down))
        if up is not None:
            self.services.up_throttle.set_rate(up)
            await asyncio.to_thread(set_value, self._paths.config, "transfers.up_limit", str(up))
        return LimitsView(down=int(self.services.down_budget.rate), up=int(self.services.up_throttle.rate))

    async def transfers(self) -> list[TransferView]:
        """See ``EngineApi``."""
        return self._transfers()

    async def cancel(self, transfer: str, *, delete: bool = False) -> TransferView:
        """See ``EngineApi``."""
        return await self.services.downloads.cancel(transfer, delete=delete)

    async def clear(self, transfer: str = "") -> int:
        """See ``EngineApi``."""
        return await self.services.downloads.clear(transfer)

    async def chunk_map(self, transfer: str, cells: int) -> ChunkMapView:
        """See ``EngineApi``."""
        return await self.services.downloads.chunk_map(transfer, cells)

    async def stream(self, reference: str) -> StreamView:
        """See ``EngineApi``."""
        return await self.services.streams.open(reference)

    async def streams(self) -> list[StreamView]:
        """See ``EngineApi``."""
        return self.services.streams.views()

    async def close_stream(self, stream: str) -> StreamView:
        """See ``EngineApi``."""
        return await self.services.streams.close(stream)

    async def keep(self, stream: str, directory: str = "") -> TransferView:
        """See ``EngineApi``."""
        return await self.services.streams.keep(stream, directory)

    async def say(self, conversation: str, text: str, kind: str = "text") -> MessageView:
        """See ``EngineApi``."""
        return await self.services.talking.say(conversation, text, kind)

    async def messages(self, conversation: str, limit: int = 100, before: str = "") -> list[MessageView]:
        """See ``EngineApi``."""
        return await self.services.talking.messages(conversation, limit, before)

    async def conversations(self) -> list[ConversationView]:
        """See ``EngineApi``."""
        return await self.services.talking.conversations()

    async def join(self, room: str) -> ConversationView:
        """See ``EngineApi``."""
        return await self.services.talking.join(room)

    async def leave(self, room: str) -> ConversationView:
        """See ``EngineApi``."""
        return await self.services.talking.leave(room)

    async def mute(self, conversation: str, *, is_muted: bool = True) -> ConversationView:
        """See ``EngineApi``."""
        return await self.services.talking.mute(conversation, is_muted=is_muted)

    async def read(self, conversation: str) -> ConversationView:
        """See ``EngineApi``."""
        return await self.services.talking.read(conversation)

    async def send(self, peers: list[str], paths: list[str]) -> list[OfferView]:
        """See ``EngineApi``."""
        return await self.services.sending.send(peers, paths)

    async def offers(self) -> list[OfferView]:
        """See ``EngineApi``."""
        return self.services.sending.views()

    async def accept(self, offer: str, directory: str = "", items: list[int] | None = None) -> OfferView:
        """See ``EngineApi``."""
        return await self.services.sending.accept(offer, directory, items or ())

    async def decline(self, offer: str) -> OfferView:
        """See ``EngineApi``."""
        return await self.services.sending.decline(offer)

    async def withdraw(self, offer: str) -> OfferView:
        """See ``EngineApi``."""
        return await self.services.sending.withdraw(offer)

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
