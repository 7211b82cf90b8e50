"""An engine in memory: its peers, shares and transfers are what a test says. Behaves as ``EngineApi`` demands."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from peerterm.api.events import (
    Event,
    ShareChanged,
    ShareRemoved,
    Snapshot,
    StreamChanged,
    StreamRemoved,
    TransferChanged,
    TransferRemoved,
)
from peerterm.api.views import (
    BrowsePage,
    ChunkMapView,
    EntryView,
    IdentityView,
    LimitsView,
    LogLine,
    PeerView,
    SearchHit,
    SearchQuery,
    SettingView,
    ShareView,
    StatusView,
    StreamView,
    TransferView,
)
from peerterm.config import Settings
from peerterm.core import life
from peerterm.core.queue import MAX_PRIORITY, MIN_PRIORITY
from peerterm.errors import InvalidPath, NotFound, NotSupported, UsageError
from tests.fakes.fake_base import OWN_ID as OWN_ID  # noqa: PLC0414 - tests import it from here
from tests.fakes.fake_base import OWN_NAME, pick
from tests.fakes.fake_offers import FakeOffers
from tests.fakes.fake_talk import FakeTalk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def make_peer(name: str, **fields: Any) -> PeerView:
    """Return a peer that is online, with what the test cares about."""
    number = f"{sum(name.encode(errors='replace')):08x}"
    known: dict[str, Any] = {
        "peer_id": number * 8,
        "name": name,
        "address": "127.0.0.1:47470",
        "state": "online",
        "trust": "new",
        "shares": 1,
        "bytes": 1000,
        "version": "0.1.0",
        "last_seen": 1.0,
    }
    return PeerView(**known | fields)


def make_hit(name: str, **fields: Any) -> SearchHit:
    """Return a search hit."""
    known: dict[str, Any] = {
        "name": name,
        "path": f"Videos/{name}",
        "kind": "file",
        "size": 2000,
        "root": f"{sum(name.encode(errors='replace')):064x}",
        "sha256": "",
        "mtime": 1.0,
        "files": 1,
        "peers": [],
    }
    return SearchHit(**known | fields)


def make_transfer(name: str, **fields: Any) -> TransferView:
    """Return a download that runs."""
    known: dict[str, Any] = {
        "transfer_id": f"{sum(name.encode(errors='replace')):08x}",
        "direction": "down",
        "name": name,
        "kind": "file",
        "root": "f" * 64,
        "state": "running",
        "bytes": 0,
        "total": 1000,
        "rate": 0.0,
        "eta": None,
        "seconds": 0.0,
        "files": 1,
        "done_files": 0,
        "path": "",
        "sources": [],
    }
    return TransferView(**known | fields)


class FakeEngine(FakeTalk, FakeOffers):
    """Set what it holds by attribute or by the methods that also announce it.

    Attributes:
        playable: What can be streamed, by reference.
        progress: By reference, the states a download goes through, one at each turn of the loop.
        indexing: States each new share goes through after ``indexing``; the last is where it stays.
        limits: Those of the whole engine.
        open_streams: How many streams are open now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.known_shares: list[ShareView] = []
        self.known_transfers: list[TransferView] = []
        self.known_streams: list[StreamView] = []
        self.playable: dict[str, StreamView] = {}
        self.hits: list[SearchHit] = []
        self.entries: list[EntryView] = []
        self.lines: list[LogLine] = []
        self.progress: dict[str, list[TransferView]] = {}
        self.indexing: list[dict[str, Any]] = [{"done_bytes": 500}, {"state": "ready", "root": "e" * 64}]
        self.limits = LimitsView(down=0, up=0)
        self.open_streams = 0
        self._stopped = asyncio.Event()

    async def run_until_stopped(self) -> None:
        """Return once ``stop`` was called."""
        await self._stopped.wait()

    async def status(self) -> StatusView:
        """See ``EngineApi``, as for all that follow."""
        return StatusView(
            state="stopping" if self._stopped.is_set() else "ready",
            peer_id=OWN_ID,
            name=OWN_NAME,
            port=47470,
            version="0.1.0",
            profile="/profile",
            interfaces=["lo"],
            peers=sum(peer.state == "online" for peer in self.known_peers),
            shares=len(self.known_shares),
            transfers=len(self.known_transfers),
            started_at=1.0,
            pid=1,
        )

    async def stop(self) -> None:
        """End all subscriptions."""
        self._stopped.set()
        for queue in self._subscribers:
            queue.put_nowait(None)

    async def identity(self) -> IdentityView:
        """Return a fixed identity."""
        return IdentityView(
            peer_id=OWN_ID,
            tag="fake-a1a1",
            name=OWN_NAME,
            port=47470,
            addresses=["127.0.0.1"],
            link="peerterm:fake",
        )

    async def share(self, path: str, name: str = "", visibility: str = "everyone") -> ShareView:
        """Pretend to index a path that exists."""
        self.asked.append(("share", path, name, visibility))
        if visibility != "everyone":
            raise NotSupported(f"{visibility}: not offered yet", "leave --to out")
        if not Path(path).exists():
            raise InvalidPath(f"{path}: does not exist", "check the path")
        for share in self.known_shares:
            if share.path == path:
                return self._index(share)
        view = ShareView(
            share_id=f"{len(self.known_shares) + 1:08x}",
            name=name or Path(path).name,
            path=path,
            kind="folder" if Path(path).is_dir() else "file",
            root="",
            sha256="",
            files=1,
            bytes=1000,
            visibility=visibility,
            state="indexing",
        )
        self.known_shares.append(view)
        return self._index(view)

    def _index(self, view: ShareView) -> ShareView:
        async def work() -> None:
            for step in self.indexing:
                await asyncio.sleep(0)
                changed = replace(self._share(view.share_id), **step)
                self.known_shares[self.known_shares.index(self._share(view.share_id))] = changed
                self.announce(ShareChanged(share=changed))

        self.start(work())
        return replace(view, state="indexing")

    def _share(self, reference: str) -> ShareView:
        found: ShareView = pick(self.known_shares, reference, lambda x: (x.share_id, x.name, x.path))
        return found

    async def shares(self) -> list[ShareView]:
        """Return the shares, by name."""
        return sorted(self.known_shares, key=lambda share: share.name)

    async def unshare(self, share: str) -> ShareView:
        """Forget a share."""
        found = self._share(share)
        self.known_shares.remove(found)
        self.announce(ShareRemoved(share_id=found.share_id))
        return found

    async def rescan(self, share: str = "") -> list[ShareView]:
        """Index again."""
        return [self._index(x) for x in ([self._share(share)] if share else self.known_shares)]

    async def peers(self) -> list[PeerView]:
        """Return the peers, online ones first."""
        return sorted(self.known_peers, key=lambda peer: (peer.state != "online", peer.name))

    async def browse(self, peer: str, path: str = "", after: str = "", limit: int = 500) -> BrowsePage:
        """List ``entries``, in pages of two."""
        if peer != OWN_NAME:
            pick(self.known_peers, peer, lambda x: (x.peer_id, x.name))
        first = int(after or 0)
        last = first + min(limit, 2)
        more = str(last) if last < len(self.entries) else ""
        return BrowsePage(peer_id=OWN_ID, path=path, entries=self.entries[first:last], next=more)

    async def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """Yield ``hits``."""
        self.asked.append(("search", query))
        self.open_streams += 1
        try:
            for hit in self.hits:
                yield hit
        finally:
            self.open_streams -= 1

    async def get(self, reference: str, directory: str = "", only: list[str] | None = None) -> TransferView:
        """Start what ``progress`` holds for the reference."""
        self.asked.append(("get", reference, directory, only))
        if reference not in self.progress:
            raise NotFound(f"{reference}: nobody who is online has it", "try again later")
        first, *steps = self.progress[reference]
        self.known_transfers.append(first)

        async def work() -> None:
            for step in steps:
                await asyncio.sleep(0)
                self._put_transfer(step)

        self.start(work())
        return first

    def _put_transfer(self, view: TransferView) -> None:
        place = [known.transfer_id for known in self.known_transfers].index(view.transfer_id)
        self.known_transfers[place] = view
        self.announce(TransferChanged(transfer=view))

    async def transfers(self) -> list[TransferView]:
        """Return the transfers."""
        return list(self.known_transfers)

    def _transfer(self, reference: str) -> TransferView:
        found: TransferView = pick(self.known_transfers, reference, lambda x: (x.transfer_id,))
        return found

    def _change(self, view: TransferView, **fields: Any) -> TransferView:
        changed = replace(view, **fields)
        self._put_transfer(changed)
        return changed

    def _wish(self, event: life.Event, transfer: str) -> TransferView:
        found = self._transfer(transfer)
        state = life.Life(life.State(found.state)).take(event)
        return self._change(found, state=state.value, error="", error_code="", rate=0.0, eta=None)

    async def pause(self, transfer: str) -> TransferView:
        """Pause what has not ended."""
        self.asked.append(("pause", transfer))
        return self._wish(life.Event.PAUSED, transfer)

    async def resume(self, transfer: str) -> TransferView:
        """Queue what is paused."""
        self.asked.append(("resume", transfer))
        return self._wish(life.Event.RESUMED, transfer)

    async def retry(self, transfer: str) -> TransferView:
        """Queue what failed or was cancelled."""
        self.asked.append(("retry", transfer))
        return self._wish(life.Event.RETRIED, transfer)

    async def prioritise(self, transfer: str, priority: int) -> TransferView:
        """Note the priority."""
        self.asked.append(("prioritise", transfer, priority))
        found = self._transfer(transfer)
        if not MIN_PRIORITY <= priority <= MAX_PRIORITY:
            raise UsageError(f"{found.name}: cannot have priority {priority}")
        return self._change(found, priority=priority)

    async def move(self, transfer: str, where: Literal["first", "up", "down", "last"]) -> TransferView:
        """Note the wish."""
        self.asked.append(("move", transfer, where))
        return self._transfer(transfer)

    async def limit(self, transfer: str = "", *, down: int | None = None, up: int | None = None) -> LimitsView:
        """Note the limits."""
        self.asked.append(("limit", transfer, down, up))
        if not transfer:
            before = self.limits
            self.limits = LimitsView(down=before.down if down is None else down, up=before.up if up is None else up)
            return self.limits
        found = self._transfer(transfer)
        if up is not None:
            raise UsageError("one transfer has a limit for down only")
        if down is not None:
            found = self._change(found, limit=down)
        return LimitsView(down=found.limit, up=0, transfer_id=found.transfer_id)

    async def cancel(self, transfer: str, *, delete: bool = False) -> TransferView:
        """End a transfer."""
        self.asked.append(("cancel", transfer, delete))
        return self._wish(life.Event.CANCELLED, transfer)

    async def clear(self, transfer: str = "") -> int:
        """Forget what ended."""
        self.asked.append(("clear", transfer))
        chosen = [self._transfer(transfer)] if transfer else self.known_transfers
        ended = [view for view in chosen if life.Life(life.State(view.state)).is_over]
        if transfer and not ended:
            raise UsageError(f"{chosen[0].name}: it is {chosen[0].state}", "cancel it first")
        self.known_transfers = [view for view in self.known_transfers if view not in ended]
        for view in ended:
            self.announce(TransferRemoved(transfer_id=view.transfer_id))
        return len(ended)

    async def chunk_map(self, transfer: str, cells: int) -> ChunkMapView:
        """Say that what is held lies in front."""
        self.asked.append(("chunk_map", transfer, cells))
        found = self._transfer(transfer)
        full = cells * found.bytes // (found.total or 1)
        percents = [100] * full + [0] * (cells - full)
        return ChunkMapView(transfer_id=found.transfer_id, chunks=cells, held=full, cells=percents)

    async def stream(self, reference: str) -> StreamView:
        """Open what ``playable`` holds for the reference."""
        self.asked.append(("stream", reference))
        if reference not in self.playable:
            raise NotFound(f"{reference}: nobody who is online has it", "try again later")
        self.known_streams.append(self.playable[reference])
        self.announce(StreamChanged(stream=self.playable[reference]))
        return self.playable[reference]

    async def streams(self) -> list[StreamView]:
        """Return the open streams."""
        return list(self.known_streams)

    async def close_stream(self, stream: str) -> StreamView:
        """End a stream."""
        self.asked.append(("close_stream", stream))
        found: StreamView = pick(self.known_streams, stream, lambda x: (x.stream_id,))
        self.known_streams.remove(found)
        self.announce(StreamRemoved(stream_id=found.stream_id))
        return found

    async def keep(self, stream: str, directory: str = "") -> TransferView:
        """Start to download the item that is read."""
        self.asked.append(("keep", stream, directory))
        found: StreamView = pick(self.known_streams, stream, lambda x: (x.stream_id,))
        transfer = make_transfer(found.items[found.item].name, root=found.items[found.item].root)
        self.known_transfers.append(transfer)
        self.announce(TransferChanged(transfer=transfer))
        return transfer

    async def settings(self) -> list[SettingView]:
        """Return the defaults."""
        return Settings().views()

    async def log(self, lines: int = 100) -> list[LogLine]:
        """Return the newest of ``lines``."""
        return self.lines[-lines:]

    async def events(self) -> AsyncIterator[Event]:
        """Yield a snapshot, then what is announced."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._subscribers.add(queue)
        self.open_streams += 1
        try:
            yield Snapshot(
                status=await self.status(),
                peers=await self.peers(),
                shares=await self.shares(),
                transfers=await self.transfers(),
                streams=await self.streams(),
                conversations=await self.conversations(),
                offers=await self.offers(),
            )
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self.open_streams -= 1
            self._subscribers.discard(queue)
