"""Downloads: starts, lists and ends transfers, and brings every peer's news to those it concerns."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.api.events import TransferChanged
from peerterm.core.catalog import CatalogEntry
from peerterm.core.ids import TransferId
from peerterm.engine.order import Order, Surroundings
from peerterm.engine.references import HashReference, parse_reference
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.engine.transfer import Transfer
from peerterm.errors import AmbiguousReference, InvalidPath, NotFound
from peerterm.store.transfers import TransferRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from peerterm.api.views import TransferView
    from peerterm.core.ids import PeerId
    from peerterm.engine.bus import Bus
    from peerterm.engine.lane_pool import LanePool
    from peerterm.engine.searching import Searching
    from peerterm.engine.uploading import Uploads
    from peerterm.net.link import Link
    from peerterm.store.transfers import TransferStore
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.downloading")

MAX_FINISHED = 1000
"""Finished transfers that are listed; older ones are only in the store."""


class Downloads:
    """Every download of this engine, and the tasks that run them."""

    def __init__(
        self,
        searching: Searching,
        store: TransferStore,
        directory: Path,
        bus: Bus,
        *,
        lanes: LanePool,
        uploads: Uploads,
        links: Callable[[], list[Link]],
        name_of: Callable[[PeerId], str],
    ) -> None:
        self._searching = searching
        self._store = store
        self._directory = directory
        self._bus = bus
        self._links = links
        self._around = Surroundings(lanes, uploads, links, name_of, bus.publish, self._changed)
        self._transfers: dict[TransferId, Transfer] = {}
        self._runs: dict[TransferId, asyncio.Task[None]] = {}
        self._shown: dict[TransferId, TransferView] = {}
        self._tasks = Tasks()

    async def run(self) -> None:
        """Start again what was unfinished when the engine last ended, then serve until cancelled."""
        async with self._tasks:
            for record in await self._store.all(MAX_FINISHED):
                if record.direction == "down" and record.ended_at is None:
                    self._tasks.start(self._start_again(record))
            await asyncio.Event().wait()

    async def get(self, reference: str, directory: str = "") -> TransferView:
        """See ``EngineApi.get``."""
        place = Path(directory) if directory else self._directory
        await asyncio.to_thread(_check_directory, place)
        found = await self._searching.find(reference)
        for transfer in self._transfers.values():
            order = transfer.order
            if not transfer.is_over and order.entry.root == found.entry.root and order.directory == place:
                return transfer.view()
        transfer_id = TransferId(secrets.token_hex(4))
        return await self._start(
            Order(transfer_id, reference, found.entry, place, sha256=flat_sha256_of(reference))
        )

    async def _start(self, order: Order) -> TransferView:
        transfer = Transfer(order, self._around)
        self._transfers[order.transfer_id] = transfer
        await self._save(transfer)
        if run := self._tasks.start(self._run(transfer), name=f"get {transfer.order.name}"):
            self._runs[order.transfer_id] = run
        return transfer.view()

    async def _run(self, transfer: Transfer) -> None:
        transfer_id = transfer.order.transfer_id
        try:
            await transfer.run()
        finally:
            self._runs.pop(transfer_id, None)
            self._changed(transfer)
            over = [key for key, each in self._transfers.items() if each.is_over]
            for key in over[:-MAX_FINISHED]:
                del self._transfers[key], self._shown[key]
        await tolerate("note the end of a transfer", self._save, transfer)

    async def _start_again(self, record: TransferRecord) -> None:
        """Take up a transfer that an earlier engine left unfinished; it waits until a peer has it."""
        assert record.root, "a download has a root"
        log.info("taking up transfer=%s name=%r", record.id, record.name)
        entry = CatalogEntry(
            (record.name,), "folder" if record.kind == "folder" else "file", record.size, 1, record.root
        )
        sha256 = flat_sha256_of(record.reference)
        await self._start(Order(record.id, record.reference, entry, Path(record.directory), sha256=sha256))

    async def cancel(self, reference: str, *, delete: bool = False) -> TransferView:
        """See ``EngineApi.cancel``."""
        found = [transfer for key, transfer in self._transfers.items() if reference and key.startswith(reference)]
        if not found:
            raise NotFound(f"no transfer {reference!r}", "peerterm transfers lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} transfers", "use more of the id")
        transfer = found[0]
        if task := self._runs.get(transfer.order.transfer_id):
            transfer.keeps_part = not delete
            task.cancel()
            await asyncio.wait([task])
            if not transfer.is_over:
                transfer.abandon()
            await self._save(transfer)
        return transfer.view()

    def views(self) -> list[TransferView]:
        """Return all downloads, oldest first."""
        return [transfer.view() for transfer in self._transfers.values()]

    def link_opened(self, link: Link) -> None:
        """Ask a new peer for what is being fetched."""
        for transfer in self._transfers.values():
            transfer.peer_online(link)

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        for transfer in self._transfers.values():
            transfer.peer_offline(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Hand a peer's news to the transfers."""
        for transfer in self._transfers.values():
            transfer.have_update(link, update)

    def _changed(self, transfer: Transfer) -> None:
        """Publish a transfer if it looks different from when it was last published."""
        view = transfer.view()
        looks = view if view.state == "running" else replace(view, seconds=0)
        if self._shown.get(transfer.order.transfer_id) != looks:
            self._shown[transfer.order.transfer_id] = looks
            self._bus.publish(TransferChanged(transfer=view))

    async def _save(self, transfer: Transfer) -> None:
        view, order = transfer.view(), transfer.order
        now = time.time()
        await self._store.save(
            TransferRecord(
                id=order.transfer_id,
                direction="down",
                name=view.name,
                kind=view.kind,
                root=order.entry.root,
                reference=order.reference,
                directory=str(order.directory),
                state=view.state,
                size=view.total,
                bytes=view.bytes,
                path=view.path,
                error=view.error,
                error_code=view.error_code,
                sources=[{"peer_id": source.peer_id, "bytes": source.bytes} for source in view.sources],
                started_at=now - view.seconds,
                ended_at=now if transfer.is_over else None,
            )
        )


def flat_sha256_of(reference: str) -> bytes | None:
    """Return the flat SHA-256 that a reference asks for; ``None`` if it names a content otherwise."""
    parsed = parse_reference(reference)
    is_flat = isinstance(parsed, HashReference) and parsed.by == "sha256"
    return bytes.fromhex(parsed.prefix) if is_flat and isinstance(parsed, HashReference) else None


def _check_directory(place: Path) -> None:
    if not place.is_absolute():
        raise InvalidPath(f"{place}: not an absolute path")
    try:
        if place.exists() and not place.is_dir():
            raise InvalidPath(f"{place}: not a folder", "choose another place with -o")
    except OSError as error:
        raise InvalidPath(f"{place}: {error.strerror}", "choose another place with -o") from error
