"""Streams: what players on this machine read while it comes in, each under its secret address.

Owns the open streams, what they play, the cache they share and the loopback server. Where bytes come from is
``engine.playable``'s.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from peerterm.api.events import StreamChanged, StreamRemoved
from peerterm.api.views import SourceView, StreamItemView, StreamView, SubtitleView
from peerterm.core.ids import Root
from peerterm.engine.playable import Playable, Sources
from peerterm.engine.tasks import Tasks
from peerterm.errors import AmbiguousReference, EngineBusy, NotFound, PeertermError
from peerterm.net.media import MediaServer

if TYPE_CHECKING:
    from peerterm.api.views import TransferView
    from peerterm.core.ids import PeerId
    from peerterm.engine.bus import Bus
    from peerterm.engine.downloading import Downloads
    from peerterm.engine.exchange import Exchange
    from peerterm.engine.order import Surroundings
    from peerterm.engine.titles import Title, TitleFile, Titles
    from peerterm.net.link import Link
    from peerterm.store.reading import SharedFile
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.streaming")

MAX_STREAMS = 16
"""Streams that are open at once."""

IDLE_SECONDS = 3600.0
"""How long a stream stays open that nobody reads."""

STEP_SECONDS = 0.5
"""How often streams are aimed anew, and clients hear of them."""


_Key: TypeAlias = tuple[Root, str, bool]


def _key(file: TitleFile) -> _Key:
    """Return what files have in common that are played as one."""
    return file.root, file.name, file.is_private


@dataclass(slots=True, eq=False)
class _Played:
    """A playable under its address, in one stream or several."""

    playable: Playable
    users: int = 0


@dataclass(slots=True, eq=False)
class _Item:
    """One film or song of a stream, and the addresses of it and of its subtitles."""

    playable: Playable
    url: str
    subtitles: list[SubtitleView] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Stream:
    """One stream.

    Attributes:
        reference: What was asked for.
        current: Number of the item read last.
        transfer_id: The download that keeps an item; empty if none does.
    """

    stream_id: str
    reference: str
    title: Title
    items: list[_Item]
    started_at: float
    used_at: float
    current: int = 0
    transfer_id: str = ""
    urls: list[str] = field(default_factory=list)


class Streams:
    """Every open stream of this engine."""

    def __init__(
        self,
        titles: Titles,
        downloads: Downloads,
        *,
        bus: Bus,
        around: Surroundings,
    ) -> None:
        self._titles = titles
        self._downloads = downloads
        self._bus = bus
        self._around = around
        self._server = MediaServer()
        self._is_serving = False
        self._starting = asyncio.Lock()
        self._tasks = Tasks()
        self._played: dict[_Key, _Played] = {}
        self._streams: dict[str, _Stream] = {}
        self._shown: dict[str, StreamView] = {}
        self._sources = {
            is_private: Sources(self._local, downloads.runs.download_of, each, self._tasks)
            for is_private, each in ((False, around), (True, around.apart()))
        }

    async def run(self) -> None:
        """Keep streams aimed until cancelled; then all end."""
        try:
            async with self._tasks:
                while True:
                    await asyncio.sleep(STEP_SECONDS)
                    for stream in list(self._streams.values()):
                        self._step(stream)
        finally:
            for stream in list(self._streams.values()):
                self._end(stream)
            await self._server.close()

    # What users wish

    async def open(self, reference: str) -> StreamView:
        """See ``EngineApi.stream``."""
        if len(self._streams) >= MAX_STREAMS:
            raise EngineBusy(f"{MAX_STREAMS} streams are open", "close one: peerterm streams lists them")
        title = await self._titles.find(reference)
        await self._serve()
        now = time.monotonic()
        stream = _Stream(secrets.token_hex(4), reference, title, [], time.time(), now)
        self._streams[stream.stream_id] = stream
        try:
            for item in title.items:
                playable, url = self._publish(stream, item.file)
                subtitles = [
                    SubtitleView(name=file.name, url=self._publish(stream, file)[1], language=language)
                    for file, language in item.subtitles
                ]
                stream.items.append(_Item(playable, url, subtitles))
            await stream.items[0].playable.prepare()
        except BaseException:
            self._end(stream)
            raise
        log.info("stream opened stream=%s name=%r", stream.stream_id, title.name)
        self._tell(stream)
        return self._view(stream)

    async def _serve(self) -> None:
        async with self._starting:
            if not self._is_serving:
                await self._server.start()
                self._is_serving = True

    def _publish(self, stream: _Stream, file: TitleFile) -> tuple[Playable, str]:
        if (played := self._played.get(_key(file))) is None:
            playable = Playable(file.root, file.name, file.size, self._sources[file.is_private])
            played = self._played[_key(file)] = _Played(playable)
        url = self._server.publish(played.playable)
        played.users += 1
        stream.urls.append(url)
        return played.playable, url

    async def close(self, reference: str) -> StreamView:
        """See ``EngineApi.close_stream``."""
        stream = self._find(reference)
        view = self._view(stream)
        self._end(stream)
        return view

    async def keep(self, reference: str, directory: str) -> TransferView:
        """See ``EngineApi.keep``."""
        stream = self._find(reference)
        file = stream.title.items[stream.current].file
        transfer = await self._downloads.get(file.root.hex(), directory)
        stream.transfer_id = transfer.transfer_id
        self._tell(stream)
        return transfer

    def views(self) -> list[StreamView]:
        """Return all streams, oldest first."""
        return [self._view(stream) for stream in self._streams.values()]

    # What peers do

    def link_opened(self, link: Link) -> None:
        """Ask a peer that is new for what is read."""
        for exchange in self._exchanges():
            exchange.peer_online(link)

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        for exchange in self._exchanges():
            exchange.peer_offline(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Hand a peer's news to the streams."""
        for exchange in self._exchanges():
            exchange.have_update(link, update)

    def _exchanges(self) -> list[Exchange]:
        return [each.playable.viewed for each in self._played.values() if each.playable.viewed]

    # Streams

    def evicted(self, root: Root, index: int) -> None:
        """Note that the cache has a chunk no longer."""
        if not self._around.cache.has(root, index):
            for (other, *_), played in self._played.items():
                if other == root:
                    played.playable.evicted(index)

    async def _local(self, root: Root) -> list[SharedFile]:
        return (await self._around.reuse.find([root])).get(root, [])

    def _find(self, reference: str) -> _Stream:
        found = [stream for key, stream in self._streams.items() if reference and key.startswith(reference)]
        if not found:
            raise NotFound(f"no stream {reference!r}", "peerterm streams lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} streams", "use more digits")
        return found[0]

    def _step(self, stream: _Stream) -> None:
        """Follow what is read: aim at what comes next, begin with the next item in time, end what nobody reads."""
        now = time.monotonic()
        for number, item in enumerate(stream.items):
            if item.playable.read_at > stream.used_at:
                stream.current, stream.used_at = number, item.playable.read_at
            item.playable.aim()
        following = stream.current + 1
        if following < len(stream.items) and stream.items[stream.current].playable.is_near_end:
            self._tasks.start(self._warm(stream.items[following].playable))
        if now - stream.used_at > IDLE_SECONDS:
            log.info("stream closed because nobody reads it stream=%s", stream.stream_id)
            self._end(stream)
        else:
            self._tell(stream)

    async def _warm(self, playable: Playable) -> None:
        try:
            await playable.prepare()
        except PeertermError as error:  # it is tried again when it is read
            log.info("not fetched ahead name=%r reason=%r", playable.name, error.message)

    def _end(self, stream: _Stream) -> None:
        if self._streams.pop(stream.stream_id, None) is None:
            return
        for url in stream.urls:
            self._server.withdraw(url)
        files = [file for item in stream.title.items for file in (item.file, *(each for each, _ in item.subtitles))]
        for file in files[: len(stream.urls)]:
            played = self._played[_key(file)]
            played.users -= 1
            if not played.users:
                del self._played[_key(file)]
                played.playable.close()
        self._shown.pop(stream.stream_id, None)
        self._bus.publish(StreamRemoved(stream_id=stream.stream_id))

    def _tell(self, stream: _Stream) -> None:
        view = self._view(stream)
        if self._shown.get(stream.stream_id) != view:
            self._shown[stream.stream_id] = view
            self._bus.publish(StreamChanged(stream=view))

    def _view(self, stream: _Stream) -> StreamView:
        first, current = stream.items[0], stream.items[stream.current].playable
        exchange = current.exchange
        stats = exchange.machine.sources if exchange else {}
        is_waiting = current.is_waited_for and not (exchange and exchange.machine.has_source)
        return StreamView(
            stream_id=stream.stream_id,
            name=stream.title.name,
            kind=stream.title.kind,
            url=first.url,
            mime=first.playable.mime,
            size=first.playable.size,
            items=[_item_view(item) for item in stream.items],
            state="local" if current.is_local else "waiting" if is_waiting else "streaming",
            item=stream.current,
            position=current.position,
            ahead=current.ahead,
            bytes=sum(each.verified_bytes for each in stats.values()),
            rate=exchange.rate if exchange else 0.0,
            sources=[
                SourceView(
                    peer_id=peer,
                    name=self._around.name_of(peer),
                    bytes=each.verified_bytes,
                    rate=exchange.rate_of(peer) if exchange and each.is_present else 0.0,
                    state="active" if each.is_present else "dropped" if each.strikes else "gone",
                    strikes=each.strikes,
                )
                for peer, each in stats.items()
            ],
            started_at=stream.started_at,
            transfer_id=stream.transfer_id,
        )


def _item_view(item: _Item) -> StreamItemView:
    playable = item.playable
    return StreamItemView(
        name=playable.name,
        root=playable.root.hex(),
        url=item.url,
        mime=playable.mime,
        size=playable.size,
        is_open=playable.is_open,
        subtitles=item.subtitles,
    )
