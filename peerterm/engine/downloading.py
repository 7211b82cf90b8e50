"""Downloads: queues, starts, stops and lists transfers, and brings every peer's news to those it concerns."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.api.events import TransferChanged, TransferRemoved
from peerterm.core.ids import PeerId, Root, TransferId
from peerterm.core.life import Event, Life, PauseReason, State
from peerterm.core.queue import Queue
from peerterm.engine.lookout import Lookout
from peerterm.engine.mapping import chunk_map
from peerterm.engine.order import Order, Surroundings
from peerterm.engine.records import flat_sha256_of, from_record, to_record
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.engine.transfer import Transfer
from peerterm.errors import (
    AmbiguousReference,
    DiskFull,
    EngineBusy,
    InvalidPath,
    NotFound,
    StorageError,
    UsageError,
)
from peerterm.store.completion import to_its_end
from peerterm.store.space import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import ChunkMapView, TransferView
    from peerterm.core.queue import Move
    from peerterm.engine.bus import Bus
    from peerterm.engine.searching import Searching
    from peerterm.net.link import Link
    from peerterm.store.landed import LandedIndex
    from peerterm.store.transfers import TransferStore
    from peerterm.wire.messages import HaveUpdate

log = logging.getLogger("peerterm.downloading")

MAX_LISTED = 1000
"""Transfers that are over and still listed; older ones are only in the store."""

MAX_UNFINISHED = 10_000
"""Transfers that are not over."""

MAX_IDLE = 32
"""Transfers that keep their part open, and offer it to others, while they wait for a source."""

FLUSH_SECONDS = 1.0
"""How often what transfers have is written: what a crash costs at most."""

DISK_SECONDS = 5.0
"""How often a disk that was full is looked at again."""


class Downloads:
    """Every download of this profile, the queue they stand in, and the tasks that run them.

    ``around`` is what each transfer is given; its ``changed`` must be this service's.

    Invariant: whatever moves a transfer's life calls ``_follow`` before it awaits anything, so that the queue, the
    record and the clients never see another one. A transfer has one run at most.
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
        self._runs: dict[TransferId, asyncio.Task[None]] = {}
        self._shown: dict[TransferId, TransferView] = {}
        self._unsaved: set[TransferId] = set()
        self._tasks = Tasks()
        self._lookout = Lookout(self._tasks, self._unattended, self._source_found)

    async def load(self) -> None:
        """Read the transfers of earlier runs; those that are not over stand in the queue as they stood."""
        ended, unfinished = await self._store.history(MAX_LISTED), await self._store.unfinished()
        for record in (*reversed(ended), *unfinished):
            if record.direction == "down" and record.root:
                transfer = self._transfers[record.id] = from_record(record, self._around)
                if not transfer.life.is_over:
                    transfer.life.take(Event.ENGINE_STOPPED)
                    self._queue.add(record.id, record.priority, record.position)
                    self._follow(transfer)

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
                    await tolerate("note transfers", self._save_changed)
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
        transfer_id, sha256 = TransferId(secrets.token_hex(4)), flat_sha256_of(reference)
        order = Order(
            transfer_id, reference, found.entry, place, sha256=sha256, only=tuple(only), others=found.others
        )
        for earlier in reversed(self._transfers.values()):
            if earlier.order.covers(order):
                if not earlier.life.is_over:
                    return await self._go_on(earlier, Event.RESUMED)
                if earlier.part and earlier.life.state is not State.DONE:  # what it has still counts
                    return await self._go_on(earlier, Event.RETRIED)
        if len(self._queue.entries) >= MAX_UNFINISHED:
            raise EngineBusy(f"{MAX_UNFINISHED} transfers are not over yet", "wait for some, or cancel some")
        transfer = self._transfers[transfer_id] = Transfer(order, self._around, Life())
        self._follow(transfer)
        self._admit()
        await self._save(transfer)
        return transfer.view()

    async def pause(self, reference: str) -> TransferView:
        """See ``EngineApi.pause``."""
        transfer = self._find(reference)
        async with transfer.turn:
            self._take(transfer, Event.PAUSED)
            transfer.error = None
            await self._halt(transfer)
        return transfer.view()

    async def cancel(self, reference: str, *, delete: bool = False) -> TransferView:
        """See ``EngineApi.cancel``."""
        return await to_its_end(self._cancel(self._find(reference), delete=delete))

    async def _cancel(self, transfer: Transfer, *, delete: bool) -> TransferView:
        async with transfer.turn:
            if not transfer.life.is_over:
                self._take(transfer, Event.CANCELLED)
                transfer.error = None
            await self._halt(transfer)
            if delete and transfer.life.state is not State.DONE:
                await transfer.discard()
                self._changed(transfer)
                await self._save(transfer)
        return transfer.view()

    async def resume(self, reference: str) -> TransferView:
        """See ``EngineApi.resume``."""
        return await self._go_on(self._find(reference), Event.RESUMED)

    async def retry(self, reference: str) -> TransferView:
        """See ``EngineApi.retry``."""
        return await self._go_on(self._find(reference), Event.RETRIED)

    async def prioritise(self, reference: str, priority: int) -> TransferView:
        """See ``EngineApi.prioritise``."""
        transfer = self._find_queued(reference)
        self._queue.prioritise(transfer.order.transfer_id, priority)
        transfer.priority = priority
        self._changed(transfer)
        self._admit()
        await self._save(transfer)
        return transfer.view()

    async def move(self, reference: str, where: Move) -> TransferView:
        """See ``EngineApi.move``."""
        transfer = self._find_queued(reference)
        moved = self._queue.move(transfer.order.transfer_id, where)
        self._admit()
        await self._save(*(self._transfers[key] for key in moved))
        return transfer.view()

    async def set_limit(self, reference: str, limit: int) -> TransferView:
        """Bound the rate of one transfer, in bytes per second; 0 lifts the bound."""
        transfer = self._find(reference)
        if transfer.life.state is State.DONE:
            raise UsageError(f"{transfer.order.name}: it is done", "only what is still to come has a limit")
        transfer.set_limit(limit)
        self._changed(transfer)
        await self._save(transfer)
        return transfer.view()

    async def clear(self, reference: str = "") -> int:
        """See ``EngineApi.clear``."""
        if not reference:
            return await to_its_end(self._clear(list(filter(self._is_at_rest, self._transfers.values()))))
        transfer = self._find(reference)
        if not transfer.life.is_over:
            raise UsageError(f"{transfer.order.name}: it is {transfer.life.state}", "cancel it first")
        async with transfer.turn:
            if run := self._runs.get(transfer.order.transfer_id):
                await asyncio.wait([run])
        return await to_its_end(self._clear(list(filter(self._is_at_rest, [transfer]))))

    def _is_at_rest(self, transfer: Transfer) -> bool:
        """Whether a transfer is over, and nobody is about to note anything of it."""
        key = transfer.order.transfer_id
        is_known = key in self._transfers and key not in self._runs
        return is_known and transfer.life.is_over and not transfer.turn.locked()

    async def _clear(self, transfers: Sequence[Transfer]) -> int:
        ended = {each.order.transfer_id: each for each in transfers}
        for key in ended:
            del self._transfers[key]
            self._shown.pop(key, None)
        try:
            await self._store.delete(*ended)
        except StorageError:
            self._transfers |= ended
            raise
        for key in ended:
            self._bus.publish(TransferRemoved(transfer_id=key))
        return len(ended)

    async def chunk_map(self, reference: str, cells: int) -> ChunkMapView:
        """See ``EngineApi.chunk_map``."""
        return await chunk_map(self._find(reference), cells)

    def view(self, reference: str) -> TransferView:
        """Return one download."""
        return self._find(reference).view()

    def views(self) -> list[TransferView]:
        """Return all downloads: those that ended, oldest first, then the others in the order of the queue."""
        ended = sorted(
            (each for each in self._transfers.values() if each.life.is_over), key=lambda each: each.ended_at or 0.0
        )
        return [each.view() for each in (*ended, *(self._transfers[key] for key in self._queue.line))]

    # What peers do

    def link_opened(self, link: Link) -> None:
        """Ask a peer that is new, or offers something new, for what is being fetched."""
        self._lookout.ask(link, self._unattended())
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
        self._lookout.have_update(update)
        for transfer in list(self._transfers.values()):
            if fetching := transfer.fetching:
                fetching.have_update(link, update)

    # How transfers run

    def _admit(self) -> None:
        """Stop what more urgent ones overtake, and start what the queue lets start now."""
        holding = self._holding()
        movable = {key for key in holding if self._transfers[key].life.gives_way}
        for key in self._queue.overtaken(holding, movable):
            self._transfers[key].life.take(Event.OVERTAKEN)
            self._runs[key].cancel()
            self._follow(self._transfers[key])
        for key in self._queue.admit(self._holding()):
            self._start(self._transfers[key])

    def _holding(self) -> set[TransferId]:
        return {key for key in self._runs if self._transfers[key].life.holds_slot}

    def _start(self, transfer: Transfer) -> None:
        transfer_id = transfer.order.transfer_id
        if run := self._runs.get(transfer_id):
            if run.cancelling() or not transfer.fetching:
                return  # its turn comes when that run has ended
            transfer.life.take(Event.ADMITTED)  # it kept its attempt while it waited for a source
            transfer.look()
        elif new := self._tasks.start(self._run(transfer), name=f"get {transfer.order.name}"):
            transfer.life.take(Event.ADMITTED)
            self._runs[transfer_id] = new
            new.add_done_callback(lambda _: self._run_ended(transfer))
        self._follow(transfer)

    async def _run(self, transfer: Transfer) -> None:
        try:
            await transfer.run(self._save)
        finally:
            self._follow(transfer)
            if transfer.life.state is State.DONE:
                landed = transfer.order.transfer_id, Path(transfer.path)
                await to_its_end(tolerate("remember what landed", self._landed.take_over, *landed))

    def _run_ended(self, transfer: Transfer) -> None:
        """Let others have the place of a run that has ended, or was cancelled before it began."""
        del self._runs[transfer.order.transfer_id]
        if transfer.life.state is State.WAITING:
            for link in self._around.links():
                self._lookout.ask(link, [transfer.order.entry.root])
        self._forget_oldest()
        self._admit()

    def _follow(self, transfer: Transfer) -> None:
        """Give a transfer the place in the queue that its life asks for, and tell of it."""
        transfer_id, life = transfer.order.transfer_id, transfer.life
        if life.is_over:
            if transfer_id in self._queue:
                self._queue.remove(transfer_id)
            transfer.ended_at = transfer.ended_at or time.time()
        else:
            if transfer_id not in self._queue:
                self._queue.add(transfer_id, transfer.priority)
            is_resting = life.state in (State.PAUSED, State.WAITING)
            (self._queue.rest if is_resting else self._queue.wake)(transfer_id)
            transfer.ended_at = None
        self._changed(transfer)
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        over = [key for key, each in self._transfers.items() if each.life.is_over and key not in self._runs]
        if len(over) > MAX_LISTED:
            over.sort(key=lambda key: self._transfers[key].ended_at or 0.0)
            for key in over[:-MAX_LISTED]:
                del self._transfers[key]
                self._shown.pop(key, None)
                self._bus.publish(TransferRemoved(transfer_id=key))

    async def _halt(self, transfer: Transfer) -> None:
        """End the run of a transfer, if it has one, because its life has moved on."""
        if run := self._runs.get(transfer.order.transfer_id):
            run.cancel()
        self._follow(transfer)
        self._admit()
        if run:
            await asyncio.wait([run])
        await self._save(transfer)

    async def _go_on(self, transfer: Transfer, wish: Event) -> TransferView:
        async with transfer.turn:
            self._take(transfer, wish)
            transfer.error = None
            self._follow(transfer)
            self._admit()
            await self._save(transfer)
        return transfer.view()

    @staticmethod
    def _take(transfer: Transfer, wish: Event) -> None:
        try:
            transfer.life.take(wish)
        except UsageError as error:
            raise UsageError(f"{transfer.order.name}: {error.message}", error.hint) from error

    def changed(self, transfer_id: TransferId) -> None:
        """Look at a transfer that runs, and tell clients if it looks different."""
        transfer = self._transfers[transfer_id]
        before = transfer.life.state
        transfer.look()
        if transfer.life.state is before:
            self._changed(transfer)
            return
        self._follow(transfer)
        if transfer.life.state is State.WAITING:
            idle = [key for key in self._runs if self._transfers[key].life.state is State.WAITING]
            for key in idle[:-MAX_IDLE]:
                self._runs[key].cancel()
        self._admit()
        if transfer.life.state is State.QUEUED and (fetching := transfer.fetching):
            fetching.stop()  # it has a source again, but no place
            self._runs[transfer_id].cancel()

    # What waits

    def _unattended(self) -> set[Root]:
        """Return the contents that are waited for, and not asked for by a run."""
        waiting = (each for each in self._transfers.values() if each.life.state is State.WAITING)
        return {each.order.entry.root for each in waiting if each.order.transfer_id not in self._runs}

    def _source_found(self, root: Root) -> None:
        for transfer in list(self._transfers.values()):
            is_waiting = transfer.life.state is State.WAITING and transfer.order.transfer_id not in self._runs
            if is_waiting and transfer.order.entry.root == root:
                transfer.life.take(Event.SOURCE_FOUND)
                self._follow(transfer)
        self._admit()

    async def _watch_disks(self) -> None:
        """Let transfers that their disk stopped go on when it lets them."""
        while True:
            await asyncio.sleep(DISK_SECONDS)
            for transfer in list(self._transfers.values()):
                is_free = _is_stopped_by_disk(transfer) and await self._has_room(transfer)
                if is_free and _is_stopped_by_disk(transfer):  # still
                    transfer.life.take(Event.DISK_FREE)
                    transfer.error = None
                    self._follow(transfer)
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

    # What is told and kept

    def _changed(self, transfer: Transfer) -> None:
        view = transfer.view()
        looks = view if view.state == "running" else replace(view, seconds=0)
        if self._shown.get(transfer.order.transfer_id) != looks:
            self._shown[transfer.order.transfer_id] = looks
            self._unsaved.add(transfer.order.transfer_id)
            self._bus.publish(TransferChanged(transfer=view))

    def _find(self, reference: str) -> Transfer:
        found = [transfer for key, transfer in self._transfers.items() if reference and key.startswith(reference)]
        if not found:
            raise NotFound(f"no transfer {reference!r}", "peerterm transfers lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} transfers", "use more of the id")
        return found[0]

    def _find_queued(self, reference: str) -> Transfer:
        transfer = self._find(reference)
        if transfer.life.is_over:
            raise UsageError(
                f"{transfer.order.name}: it is {transfer.life.state}", "only what is queued has a place"
            )
        return transfer

    async def _save_changed(self) -> None:
        changed, self._unsaved = self._unsaved, set()
        try:
            await self._save(*(self._transfers[key] for key in changed if key in self._transfers))
        except StorageError:
            self._unsaved |= changed
            raise

    async def _save(self, *transfers: Transfer) -> None:
        if transfers:
            await self._store.save(
                *(to_record(each, self._queue.position(each.order.transfer_id)) for each in transfers)
            )


def _is_stopped_by_disk(transfer: Transfer) -> bool:
    return transfer.life.pause_reason is PauseReason.DISK


def _check_directory(place: Path) -> None:
    if not place.is_absolute():
        raise InvalidPath(f"{place}: not an absolute path")
    try:
        if place.exists() and not place.is_dir():
            raise InvalidPath(f"{place}: not a folder", "choose another place with -o")
    except OSError as error:
        raise InvalidPath(f"{place}: {error.strerror}", "choose another place with -o") from error
