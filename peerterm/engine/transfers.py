"""Every download of this profile: where it stands in the queue, what clients know of it, and its note in the store.

Runs nothing: ``engine.runs`` does. Called by ``engine.downloading``, ``engine.runs`` and ``engine.disks``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.api.events import TransferChanged, TransferRemoved
from peerterm.core.life import Event, State
from peerterm.core.queue import Queue
from peerterm.engine.records import from_record, to_record
from peerterm.errors import AmbiguousReference, NotFound, StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from peerterm.api.views import TransferView
    from peerterm.core.ids import TransferId
    from peerterm.engine.bus import Bus
    from peerterm.engine.order import Order, Surroundings
    from peerterm.engine.transfer import Transfer
    from peerterm.store.transfers import TransferRecord, TransferStore

MAX_LISTED = 1000
"""Transfers that are over and still listed; older ones are only in the store."""


class Transfers:
    """All downloads, and the queue of those that are not over.

    Invariant: whatever moves a transfer's life calls ``follow`` before it awaits anything, so that the queue, the
    record and the clients never see another one.

    Attributes:
        on_moved: Called when a transfer is in another state, or forgotten.
    """

    def __init__(self, store: TransferStore, bus: Bus, *, running: int) -> None:
        self.queue = Queue(running)
        self.on_moved: Callable[[TransferId], None] = lambda transfer_id: None
        self._store = store
        self._bus = bus
        self._transfers: dict[TransferId, Transfer] = {}
        self._shown: dict[TransferId, TransferView] = {}
        self._unsaved: set[TransferId] = set()

    def __iter__(self) -> Iterator[Transfer]:
        """Yield all, as they are at this moment, in the order in which they came."""
        return iter(list(self._transfers.values()))

    def __contains__(self, transfer_id: TransferId) -> bool:
        return transfer_id in self._transfers

    def __getitem__(self, transfer_id: TransferId) -> Transfer:
        return self._transfers[transfer_id]

    async def load(self, around: Surroundings) -> None:
        """Read the transfers of earlier runs; those that are not over stand in the queue as they stood."""
        ended, unfinished = await self._store.history(MAX_LISTED), await self._store.unfinished()
        for record in (*reversed(ended), *unfinished):
            if record.direction == "down" and record.root:
                transfer = self._transfers[record.id] = from_record(record, around)
                if not transfer.life.is_over:
                    transfer.life.take(Event.ENGINE_STOPPED)
                    self.queue.add(record.id, record.priority, record.position)
                    self.follow(transfer)

    def add(self, transfer: Transfer) -> None:
        """List a new transfer, at the end of the queue."""
        self._transfers[transfer.order.transfer_id] = transfer
        self.follow(transfer)

    def find(self, reference: str) -> Transfer:
        """Return the transfer of an id or unique prefix.

        Raises:
            NotFound: There is none.
            AmbiguousReference: There are several.
        """
        found = [transfer for key, transfer in self._transfers.items() if reference and key.startswith(reference)]
        if not found:
            raise NotFound(f"no transfer {reference!r}", "peerterm transfers lists them")
        if len(found) > 1:
            raise AmbiguousReference(f"{reference!r} fits {len(found)} transfers", "use more of the id")
        return found[0]

    def find_queued(self, reference: str) -> Transfer:
        """Return a transfer that is not over; raises as ``find``, and ``UsageError`` if it is."""
        transfer = self.find(reference)
        if transfer.life.is_over:
            raise UsageError(
                f"{transfer.order.name}: it is {transfer.life.state}", "only what is queued has a place"
            )
        return transfer

    def earlier(self, order: Order) -> tuple[Transfer, Event] | None:
        """Return the latest transfer that fulfils an order, and the wish by which it goes on."""
        for transfer in reversed(self._transfers.values()):
            if transfer.order.covers(order):
                if not transfer.life.is_over:
                    return transfer, Event.RESUMED
                if transfer.part and transfer.life.state is not State.DONE:  # what it has still counts
                    return transfer, Event.RETRIED
        return None

    def views(self) -> list[TransferView]:
        """Return those that ended, oldest first, then the others in the order of the queue."""
        ended = sorted((each for each in self if each.life.is_over), key=lambda each: each.ended_at or 0.0)
        return [each.view() for each in (*ended, *(self._transfers[key] for key in self.queue.line))]

    def follow(self, transfer: Transfer) -> None:
        """Give a transfer the place in the queue that its life asks for, and tell of it."""
        transfer_id, life = transfer.order.transfer_id, transfer.life
        if life.is_over:
            if transfer_id in self.queue:
                self.queue.remove(transfer_id)
            transfer.ended_at = transfer.ended_at or time.time()
        else:
            if transfer_id not in self.queue:
                self.queue.add(transfer_id, transfer.priority)
            is_resting = life.state in (State.PAUSED, State.WAITING)
            (self.queue.rest if is_resting else self.queue.wake)(transfer_id)
            transfer.ended_at = None
        self.changed(transfer)
        self.on_moved(transfer_id)

    def changed(self, transfer: Transfer) -> None:
        """Tell clients if a transfer looks different, and note it soon."""
        view = transfer.view()
        looks = view if view.state == "running" else replace(view, seconds=0)
        if self._shown.get(transfer.order.transfer_id) != looks:
            self._shown[transfer.order.transfer_id] = looks
            self._unsaved.add(transfer.order.transfer_id)
            self._bus.publish(TransferChanged(transfer=view))

    async def save_changed(self) -> None:
        """Note what looks different since the last time."""
        changed, self._unsaved = self._unsaved, set()
        try:
            await self._store.note(
                *(self._record(self._transfers[key]) for key in changed if key in self._transfers)
            )
        except StorageError:
            self._unsaved |= changed
            raise

    async def save(self, *transfers: Transfer) -> None:
        """Note some transfers, all or none."""
        if transfers:
            await self._store.save(*map(self._record, transfers))

    def _record(self, transfer: Transfer) -> TransferRecord:
        return to_record(transfer, self.queue.position(transfer.order.transfer_id))

    def forget_oldest(self, running: Container[TransferId]) -> None:
        """List no more of those that are over than may be; what still runs is not over for good."""
        over = [key for key, each in self._transfers.items() if each.life.is_over and key not in running]
        if len(over) > MAX_LISTED:
            over.sort(key=lambda key: self._transfers[key].ended_at or 0.0)
            for key in over[:-MAX_LISTED]:
                self._drop(key)
                self._bus.publish(TransferRemoved(transfer_id=key))

    async def clear(self, transfers: Sequence[Transfer]) -> None:
        """Forget transfers that are over, in the list and in the store, all or none."""
        ended = {each.order.transfer_id: each for each in transfers}
        for key in ended:
            self._drop(key)
        try:
            await self._store.delete(*ended)
        except StorageError:
            self._transfers |= ended
            raise
        for key in ended:
            self._bus.publish(TransferRemoved(transfer_id=key))

    def _drop(self, transfer_id: TransferId) -> None:
        del self._transfers[transfer_id]
        self._shown.pop(transfer_id, None)
        self.on_moved(transfer_id)
