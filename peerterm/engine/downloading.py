"""Downloads: queues, starts, stops and lists transfers, and brings every peer's news to those it concerns."""

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
from peerterm.core.ids import PeerId, TransferId
from peerterm.core.life import Event, Life, PauseReason, State
from peerterm.core.queue import Queue
from peerterm.engine.order import Order, Surroundings
from peerterm.engine.references import HashReference, parse_reference
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.engine.transfer import Transfer
from peerterm.errors import (
    AmbiguousReference,
    DiskFull,
    InvalidPath,
    NotFound,
    PeertermError,
    StorageError,
    UsageError,
    by_code,
)
from peerterm.store.space import check_writable
from peerterm.store.transfers import TransferRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import TransferView
    from peerterm.engine.bus import Bus
    from peerterm.engine.searching import Searching
    from peerterm.net.link import Link
    from peerterm.store.landed import LandedIndex
    from peerterm.store.transfers import TransferStore
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.downloading")

MAX_LISTED = 1000
"""Transfers that are over and still listed; older ones are only in the store."""

FLUSH_SECONDS = 1.0
"""How often the journal is written: what a crash costs at most."""

DISK_SECONDS = 5.0
"""How often a disk that was full is looked at again."""


class Downloads:
    """Every download of this profile, the queue they stand in, and the tasks that run them.

    ``around`` is what each transfer is given; its ``changed`` must be this service's.
    """

    def __init__(
        self,
        searching: Searching,
        store: TransferStore,
        landed: LandedIndex,
        directory: Path,
        *,
        bus: Bus,
        around: Surroundings,
        running: int,
    ) -> None:
        self._searching = searching
        self._store = store
        self._landed = landed
        self._directory = directory
        self._bus = bus
        self._around = around
        self._queue = Queue(running)
        self._transfers: dict[TransferId, Transfer] = {}
        self._started: dict[TransferId, float] = {}
        self._runs: dict[TransferId, asyncio.Task[None]] = {}
        self._shown: dict[TransferId, TransferView] = {}
        self._tasks = Tasks()

    async def load(self) -> None:
        """Read the transfers of earlier runs; those that are not over stand in the queue as they stood."""
        for record in reversed(await self._store.history(MAX_LISTED)):
            if record.direction == "down" and record.root:
                self._recall(record)
        for record in await self._store.unfinished():
            if record.direction == "down" and record.root:
                transfer = self._recall(record)
                transfer.life.take(Event.ENGINE_STOPPED)
                self._queue.add(record.id, record.priority)
                if transfer.life.state is State.PAUSED:
                    self._queue.rest(record.id)

    async def run(self) -> None:
        """Run what the queue lets run until cancelled.

        Cancel: every attempt ends in order and is noted as clean; the next engine goes on with it.
        """
        try:
            async with self._tasks:
                self._admit()
                self._tasks.start(self._watch_disks())
                while True:
                    await asyncio.sleep(FLUSH_SECONDS)
                    await tolerate("write the journal", self._around.journal.flush)
        finally:
            for transfer in self._transfers.values():
                transfer.life.take(Event.ENGINE_STOPPED)
            await tolerate("note the transfers", self._save, *self._transfers.values())

    # What users wish

    async def get(self, reference: str, directory: str = "", only: Sequence[str] = ()) -> TransferView:
        """See ``EngineApi.get``."""
        place = Path(directory) if directory else self._directory
        await asyncio.to_thread(_check_directory, place)
        found = await self._searching.find(reference)
        if only and found.entry.kind == "file":
            raise UsageError(f"{reference} is a single file", "--only chooses files of a folder")
        for transfer in self._transfers.values():
            order = transfer.order
            is_same = (
                order.entry.root == found.entry.root and order.directory == place and order.only == tuple(only)
            )
            if is_same and not transfer.life.is_over:
                return transfer.view()
        transfer_id = TransferId(secrets.token_hex(4))
        sha256 = flat_sha256_of(reference)
        order = Order(transfer_id, reference, found.entry, place, sha256=sha256, only=tuple(only))
        transfer = self._transfers[transfer_id] = Transfer(order, self._around, Life())
        self._started[transfer_id] = time.time()
        self._queue.add(transfer_id)
        await self._save(transfer)
        self._admit()
        self._changed(transfer)
        return transfer.view()

    async def pause(self, reference: str) -> TransferView:
        """See ``EngineApi.pause``."""
        return await self._stop(self._find(reference), Event.PAUSED)

    async def cancel(self, reference: str, *, delete: bool = False) -> TransferView:
        """See ``EngineApi.cancel``."""
        transfer = self._find(reference)
        if not transfer.life.is_over:
            await self._stop(transfer, Event.CANCELLED)
        if delete and transfer.life.state is not State.DONE:
            await transfer.discard()
            await self._save(transfer)
            self._changed(transfer)
        return transfer.view()

    async def resume(self, reference: str) -> TransferView:
        """See ``EngineApi.resume``."""
        return await self._go_on(self._find(reference), Event.RESUMED)

    async def retry(self, reference: str) -> TransferView:
        """See ``EngineApi.retry``."""
        transfer = self._find(reference)
        if transfer.life.is_over and transfer.life.state is not State.DONE:
            self._queue.add(transfer.order.transfer_id, transfer.priority)
        return await self._go_on(transfer, Event.RETRIED)

    async def prioritise(self, reference: str, priority: int) -> TransferView:
        """See ``EngineApi.prioritise``."""
        transfer = self._find(reference)
        if transfer.life.is_over:
            raise UsageError(
                f"{transfer.order.name}: it is {transfer.life.state}", "only what is queued has a place"
            )
        self._queue.prioritise(transfer.order.transfer_id, priority)
        transfer.priority = priority
        await self._save(transfer)
        self._changed(transfer)
        return transfer.view()

    async def set_limit(self, reference: str, limit: int) -> TransferView:
        """Bound the rate of one transfer, in bytes per second; 0 lifts the bound."""
        transfer = self._find(reference)
        transfer.set_limit(limit)
        await self._save(transfer)
        self._changed(transfer)
        return transfer.view()

    def view(self, reference: str) -> TransferView:
        """Return one download."""
        return self._find(reference).view()

    def views(self) -> list[TransferView]:
        """Return all downloads, oldest first."""
        return [transfer.view() for transfer in self._transfers.values()]

    # What peers do

    def link_opened(self, link: Link) -> None:
        """Ask a new peer for what is being fetched."""
        for transfer in self._transfers.values():
            if fetching := transfer.fetching:
                fetching.peer_online(link)

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        for transfer in self._transfers.values():
            if fetching := transfer.fetching:
                fetching.peer_offline(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Hand a peer's news to the transfers."""
        for transfer in self._transfers.values():
            if fetching := transfer.fetching:
                fetching.have_update(link, update)

    # How transfers run

    def _admit(self) -> None:
        """Start what the queue lets start now."""
        holding = {key for key in self._runs if self._transfers[key].life.holds_slot}
        for transfer_id in self._queue.admit(holding):
            transfer = self._transfers[transfer_id]
            if transfer_id in self._runs or transfer.life.state is not State.QUEUED:
                continue
            if run := self._tasks.start(self._run(transfer), name=f"get {transfer.order.name}"):
                transfer.life.take(Event.ADMITTED)
                self._runs[transfer_id] = run
                self._changed(transfer)

    async def _run(self, transfer: Transfer) -> None:
        transfer_id = transfer.order.transfer_id
        try:
            await transfer.run(self._save)
        finally:
            self._runs.pop(transfer_id, None)
            self._settle(transfer)
        if transfer.life.state is State.DONE:
            await tolerate("remember what landed", self._landed.take_over, transfer_id, Path(transfer.path))
        await tolerate("note a transfer", self._save, transfer)
        self._admit()

    def _settle(self, transfer: Transfer) -> None:
        """Give a transfer that runs no more its place in the queue, or none."""
        transfer_id = transfer.order.transfer_id
        if transfer.life.is_over:
            self._queue.remove(transfer_id)
            over = [key for key, each in self._transfers.items() if each.life.is_over]
            for key in over[:-MAX_LISTED]:
                del self._transfers[key]
                self._shown.pop(key, None)
        elif transfer.life.state is State.PAUSED:
            self._queue.rest(transfer_id)
        self._changed(transfer)

    async def _stop(self, transfer: Transfer, wish: Event) -> TransferView:
        transfer_id = transfer.order.transfer_id
        self._take(transfer, wish)
        if run := self._runs.get(transfer_id):
            run.cancel()
            await asyncio.wait([run])
            self._runs.pop(transfer_id, None)  # it may have been cancelled before it began
        if any(entry.transfer_id == transfer_id for entry in self._queue.entries):
            self._settle(transfer)
        await self._save(transfer)
        self._admit()
        return transfer.view()

    async def _go_on(self, transfer: Transfer, wish: Event) -> TransferView:
        self._take(transfer, wish)
        transfer.error = None
        if transfer.life.state is State.QUEUED and wish is Event.RESUMED:
            self._queue.wake(transfer.order.transfer_id)
        await self._save(transfer)
        self._admit()
        self._changed(transfer)
        return transfer.view()

    @staticmethod
    def _take(transfer: Transfer, wish: Event) -> None:
        try:
            transfer.life.take(wish)
        except UsageError as error:
            raise UsageError(f"{transfer.order.name}: {error.message}", error.hint) from error

    async def _watch_disks(self) -> None:
        """Let transfers that their disk stopped go on when it lets them."""
        while True:
            await asyncio.sleep(DISK_SECONDS)
            for transfer in list(self._transfers.values()):
                if transfer.life.pause_reason is PauseReason.DISK and await self._has_room(transfer):
                    transfer.life.take(Event.DISK_FREE)
                    transfer.error = None
                    self._queue.wake(transfer.order.transfer_id)
                    self._changed(transfer)
            self._admit()

    async def _has_room(self, transfer: Transfer) -> bool:
        """Whether the fault that stopped a transfer is gone."""
        left = max(transfer.total - transfer.bytes, 1)
        files = max(transfer.files - transfer.landed_files, 1)
        directory = transfer.order.directory
        try:
            if isinstance(transfer.error, DiskFull):
                return await asyncio.to_thread(self._around.space.has_room, directory, left, files)
            await asyncio.to_thread(check_writable, directory)
        except StorageError:
            return False
        return True

    def changed(self, transfer_id: TransferId) -> None:
        """Look at a transfer that runs, and tell clients if it looks different."""
        transfer = self._transfers[transfer_id]
        was_waiting = transfer.life.state is State.WAITING
        transfer.look()
        is_waiting = transfer.life.state is State.WAITING
        if is_waiting != was_waiting:
            (self._queue.rest if is_waiting else self._queue.wake)(transfer_id)
            self._admit()  # its place is free for another while it waits
        self._changed(transfer)

    def _changed(self, transfer: Transfer) -> None:
        view = transfer.view()
        looks = view if view.state == "running" else replace(view, seconds=0)
        if self._shown.get(transfer.order.transfer_id) != looks:
            self._shown[transfer.order.transfer_id] = looks
            self._bus.publish(TransferChanged(transfer=view))

    def _find(self, reference: str) -> Transfer:
        found = [transfer for key, transfer in self._transfers.items() if reference and key.startswith(reference)]
        if not found:
            raise NotFound(f"no transfer {reference!r}", "peerterm transfers lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} transfers", "use more of the id")
        return found[0]

    # What is kept

    def _recall(self, record: TransferRecord) -> Transfer:
        assert record.root, "a download has a root"
        order = Order(
            record.id,
            record.reference,
            CatalogEntry(
                (record.name,), "folder" if record.kind == "folder" else "file", record.size, 1, record.root
            ),
            Path(record.directory),
            sha256=flat_sha256_of(record.reference),
            only=tuple(record.only),
        )
        is_disks = record.state == State.PAUSED and isinstance(by_code_of(record), StorageError)
        reason = PauseReason.DISK if is_disks else None
        life = Life(State(record.state), reason)
        transfer = Transfer(order, self._around, life, priority=record.priority, limit=record.limit)
        transfer.part, transfer.part_inode = record.part, record.part_inode
        transfer.bytes, transfer.path = record.bytes, record.path
        transfer.tally.sources = {PeerId(source["peer_id"]): source["bytes"] for source in record.sources}
        if record.error_code and life.state is not State.DONE:
            transfer.error = by_code_of(record)
        self._transfers[record.id] = transfer
        self._started[record.id] = record.started_at
        return transfer

    async def _save(self, *transfers: Transfer) -> None:
        positions = {entry.transfer_id: place for place, entry in enumerate(self._queue.entries)}
        await self._store.save(
            *(self._record(each, positions.get(each.order.transfer_id, 0)) for each in transfers)
        )

    def _record(self, transfer: Transfer, position: int) -> TransferRecord:
        view, order = transfer.view(), transfer.order
        return TransferRecord(
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
            error=transfer.error.message if transfer.error else "",
            error_code=view.error_code,
            sources=[{"peer_id": source.peer_id, "bytes": source.bytes} for source in view.sources],
            part=transfer.part,
            part_inode=transfer.part_inode,
            priority=transfer.priority,
            position=position,
            limit=transfer.limit,
            only=list(order.only),
            started_at=self._started[order.transfer_id],
            ended_at=time.time() if transfer.life.is_over else None,
        )


def flat_sha256_of(reference: str) -> bytes | None:
    """Return the flat SHA-256 that a reference asks for; ``None`` if it names a content otherwise."""
    parsed = parse_reference(reference)
    is_flat = isinstance(parsed, HashReference) and parsed.by == "sha256"
    return bytes.fromhex(parsed.prefix) if is_flat and isinstance(parsed, HashReference) else None


def by_code_of(record: TransferRecord) -> PeertermError:
    """Return the error that an earlier run of the engine noted."""
    return by_code().get(record.error_code, PeertermError)(record.error)


def _check_directory(place: Path) -> None:
    if not place.is_absolute():
        raise InvalidPath(f"{place}: not an absolute path")
    try:
        if place.exists() and not place.is_dir():
            raise InvalidPath(f"{place}: not a folder", "choose another place with -o")
    except OSError as error:
        raise InvalidPath(f"{place}: {error.strerror}", "choose another place with -o") from error
