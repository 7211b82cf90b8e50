"""Downloads, as users wish them: asked for, paused, cancelled, put in order, forgotten.

Acts on wishes only: ``engine.transfers`` holds the downloads, ``engine.runs`` runs them. Called by the engine.
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.config_values import BadValue, text
from peerterm.core.ids import TransferId
from peerterm.core.life import Event, Life, State
from peerterm.core.names import check_path
from peerterm.engine.disks import watch_disks
from peerterm.engine.mapping import chunk_map
from peerterm.engine.order import Order, Surroundings
from peerterm.engine.plan import chosen_by
from peerterm.engine.records import flat_sha256_of
from peerterm.engine.runs import Runs
from peerterm.engine.tasks import Tasks, tolerate
from peerterm.engine.transfer import Transfer
from peerterm.engine.transfers import Transfers
from peerterm.errors import EngineBusy, InvalidPath, PeertermError, UsageError
from peerterm.store.completion import to_its_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import ChunkMapView, TransferView
    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.queue import Move
    from peerterm.engine.bus import Bus
    from peerterm.engine.searching import Searching
    from peerterm.store.landed import LandedIndex
    from peerterm.store.transfers import TransferStore

MAX_UNFINISHED = 10_000
"""Transfers that are not over."""

FLUSH_SECONDS = 1.0
"""How often what transfers have is written: what a crash costs at most."""


class Downloads:
    """What users wish of the downloads of this profile.

    ``around`` is what each transfer is given; its ``changed`` must be that of ``runs``.

    Attributes:
        transfers: All of them.
        runs: Those under way; it is to be told what peers do.
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
        self._directory = directory
        self._around = around
        self._tasks = Tasks()
        self.transfers = Transfers(store, bus, running=running)
        self.runs = Runs(self.transfers, self._tasks, landed, around.links)

    async def load(self) -> None:
        """Read the transfers of earlier runs of the engine, and note what the last one could not note any more."""
        await self.transfers.load(self._around)
        for transfer in self.transfers:
            if transfer.life.state is State.DONE and transfer.part:
                await tolerate("note what landed", self.runs.note_done, transfer)

    async def run(self) -> None:
        """Run what the queue lets run until cancelled.

        Cancel: every attempt ends in order and is noted as clean; the next engine goes on with it.
        """
        try:
            async with self._tasks:
                self.runs.admit()
                self._tasks.start(watch_disks(self.transfers, self._around.space, self.runs.admit))
                while True:
                    await asyncio.sleep(FLUSH_SECONDS)
                    await tolerate("write the journal", self._around.journal.flush)
                    await tolerate("note transfers", self.transfers.save_changed)
        finally:
            for transfer in self.transfers:
                transfer.life.take(Event.ENGINE_STOPPED)
            await tolerate("note the transfers", self.transfers.save, *self.transfers)

    async def get(self, reference: str, directory: str = "", only: Sequence[str] = ()) -> TransferView:
        """See ``EngineApi.get``."""
        place = await self.place(directory)
        chosen_by(only)
        found = await self._searching.find(reference)
        if only and found.entry.kind == "file":
            raise UsageError(f"{reference} is a single file", "--only chooses files of a folder")
        transfer_id, sha256 = TransferId(secrets.token_hex(4)), flat_sha256_of(reference)
        order = Order(
            transfer_id, reference, found.entry, place, sha256=sha256, only=tuple(only), others=found.others
        )
        return await self._start(order)

    async def fetch(self, entry: CatalogEntry, directory: str = "") -> TransferView:
        """Download a content that is known already, by its root; it waits while nobody who has it is online.

        Args:
            entry: What somebody said of it; it lands under the last part of its path. If it is private, others do
                not get it from us.
            directory: As of ``get``.

        Raises:
            InvalidName: Its name must not reach a disk.
            PeertermError: As of ``get``.
        """
        check_path(entry.path)
        place = await self.place(directory)
        return await self._start(Order(TransferId(secrets.token_hex(4)), entry.root.hex(), entry, place))

    async def place(self, directory: str) -> Path:
        """Return the folder that downloads go into: an absolute path, or empty for the configured one.

        Raises:
            InvalidPath: It cannot be used.
        """
        place = Path(directory) if directory else self._directory
        await asyncio.to_thread(_check_directory, place)
        return place

    async def _start(self, order: Order) -> TransferView:
        """Run a new transfer when its turn comes, or go on with one that fulfils the order."""
        if earlier := self.transfers.earlier(order):
            return await self._go_on(*earlier)
        if len(self.transfers.queue.entries) >= MAX_UNFINISHED:
            raise EngineBusy(f"{MAX_UNFINISHED} transfers are not over yet", "wait for some, or cancel some")
        transfer = Transfer(order, self._around, Life())
        self.transfers.add(transfer)
        return await self._admitted(transfer)

    async def pause(self, reference: str) -> TransferView:
        """See ``EngineApi.pause``."""
        transfer = self.transfers.find(reference)
        async with transfer.turn:
            _take(transfer, Event.PAUSED)
            await to_its_end(self._halt(transfer))
        return transfer.view()

    async def _halt(self, transfer: Transfer) -> None:
        await self.runs.halt(transfer)
        await self.transfers.save(transfer)

    async def cancel(self, reference: str, *, delete: bool = False) -> TransferView:
        """See ``EngineApi.cancel``."""
        return await to_its_end(self._cancel(self.transfers.find(reference), delete=delete))

    async def _cancel(self, transfer: Transfer, *, delete: bool) -> TransferView:
        async with transfer.turn:
            if not transfer.life.is_over:
                _take(transfer, Event.CANCELLED)
            await self._halt(transfer)
            if delete and transfer.life.state is not State.DONE:
                await transfer.discard()
                self.transfers.changed(transfer)
                await self.transfers.save(transfer)
        return transfer.view()

    async def give_up(self, transfer_id: TransferId, error: PeertermError) -> None:
        """End a private download that must not go on, and remove what it has; one that is over stays as it is.

        Args:
            transfer_id: Its id; one that is unknown is no error.
            error: Why, and what to do.

        Raises:
            StorageError: The disk refuses; it has ended all the same.
        """
        if transfer_id in self.transfers and self.transfers[transfer_id].order.is_private:
            await to_its_end(self._give_up(self.transfers[transfer_id], error))

    async def _give_up(self, transfer: Transfer, error: PeertermError) -> None:
        async with transfer.turn:
            if transfer.life.is_over:
                return
            transfer.life.take(Event.CANCELLED)
            transfer.error = error
            await self._halt(transfer)
            await transfer.discard()
            self.transfers.changed(transfer)
            await self.transfers.save(transfer)

    async def resume(self, reference: str) -> TransferView:
        """See ``EngineApi.resume``."""
        return await self._go_on(self.transfers.find(reference), Event.RESUMED)

    async def retry(self, reference: str) -> TransferView:
        """See ``EngineApi.retry``."""
        return await self._go_on(self.transfers.find(reference), Event.RETRIED)

    async def _go_on(self, transfer: Transfer, wish: Event) -> TransferView:
        async with transfer.turn:
            _take(transfer, wish)
            self.transfers.follow(transfer)
            return await self._admitted(transfer)

    async def _admitted(self, transfer: Transfer) -> TransferView:
        """Let the queue take note of a change, then the store."""
        self.runs.admit()
        await self.transfers.save(transfer)
        return transfer.view()

    async def prioritise(self, reference: str, priority: int) -> TransferView:
        """See ``EngineApi.prioritise``."""
        transfer = self.transfers.find_queued(reference)
        self.transfers.queue.prioritise(transfer.order.transfer_id, priority)
        transfer.priority = priority
        self.transfers.changed(transfer)
        return await self._admitted(transfer)

    async def move(self, reference: str, where: Move) -> TransferView:
        """See ``EngineApi.move``."""
        transfer = self.transfers.find_queued(reference)
        moved = self.transfers.queue.move(transfer.order.transfer_id, where)
        self.runs.admit()
        await self.transfers.save(*(self.transfers[key] for key in moved))
        return transfer.view()

    async def set_limit(self, reference: str, limit: int) -> TransferView:
        """Bound the rate of one transfer, in bytes per second; 0 lifts the bound."""
        transfer = self.transfers.find(reference)
        if transfer.life.state is State.DONE:
            raise UsageError(f"{transfer.order.name}: it is done", "only what is still to come has a limit")
        transfer.set_limit(limit)
        self.transfers.changed(transfer)
        await self.transfers.save(transfer)
        return transfer.view()

    async def clear(self, reference: str = "") -> int:
        """See ``EngineApi.clear``."""
        wanted = list(self.transfers)
        if reference:
            wanted = [await self._ended(reference)]
        forgotten = [each for each in wanted if self._is_at_rest(each) and not each.has_remains]
        await to_its_end(self._forget(forgotten))
        return len(forgotten)

    async def _ended(self, reference: str) -> Transfer:
        """Return a transfer that can be forgotten, once nobody notes anything of it any more."""
        transfer = self.transfers.find(reference)
        name = transfer.order.name
        if not transfer.life.is_over:
            raise UsageError(f"{name}: it is {transfer.life.state}", "cancel it first")
        async with transfer.turn:
            await self.runs.wait_ended(transfer)
        if transfer.has_remains:
            ident = transfer.order.transfer_id
            raise UsageError(
                f"{name}: some of it is on disk", f"peerterm retry {ident}, or peerterm cancel {ident} --delete"
            )
        return transfer

    def _is_at_rest(self, transfer: Transfer) -> bool:
        """Whether a transfer is over, and nobody is about to note anything of it."""
        key = transfer.order.transfer_id
        is_known = key in self.transfers and key not in self.runs
        return is_known and transfer.life.is_over and not transfer.turn.locked()

    async def _forget(self, transfers: Sequence[Transfer]) -> None:
        await self.transfers.clear(transfers)
        for transfer in transfers:
            if transfer.part and transfer.life.state is not State.DONE:
                await tolerate("remove an empty part file", transfer.discard)

    async def chunk_map(self, reference: str, cells: int) -> ChunkMapView:
        """See ``EngineApi.chunk_map``."""
        return await chunk_map(self.transfers.find(reference), self._around.journal, cells)


def _take(transfer: Transfer, wish: Event) -> None:
    """Let a transfer's life follow a wish; what failed before is history then."""
    try:
        transfer.life.take(wish)
    except UsageError as error:
        raise UsageError(f"{transfer.order.name}: {error.message}", error.hint) from error
    transfer.error = None


def _check_directory(place: Path) -> None:
    try:
        text(str(place))
    except BadValue as error:
        raise InvalidPath(f"{str(place)!a}: its path {error}", "choose another place with -o") from error
    if not place.is_absolute():
        raise InvalidPath(f"{place}: not an absolute path")
    try:
        if place.exists() and not place.is_dir():
            raise InvalidPath(f"{place}: not a folder", "choose another place with -o")
    except OSError as error:
        raise InvalidPath(f"{place}: {error.strerror}", "choose another place with -o") from error
