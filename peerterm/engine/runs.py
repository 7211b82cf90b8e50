"""Runs downloads as the queue lets them, and brings every peer's news to those it concerns.

Called by ``engine.downloading``; the engine hands it what peers do.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.core.life import Event, State
from peerterm.engine.holding import FileHolding
from peerterm.engine.lookout import Lookout
from peerterm.engine.tasks import apart, tolerate
from peerterm.errors import PeertermError
from peerterm.store.completion import to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from peerterm.core.ids import PeerId, Root, TransferId
    from peerterm.engine.exchange import Exchange
    from peerterm.engine.fetching import Fetching
    from peerterm.engine.tasks import Tasks
    from peerterm.engine.transfer import Transfer
    from peerterm.engine.transfers import Transfers
    from peerterm.net.link import Link
    from peerterm.store.landed import LandedIndex
    from peerterm.wire.messages import HaveUpdate

MAX_IDLE = 32
"""Transfers that keep their part open, and offer it to others, while they wait for a source."""


class Runs:
    """The tasks that run transfers; a transfer has one at most.

    Args:
        transfers: All of them.
        tasks: Those of the service; nothing runs while they are closed.
        landed: Told what was fetched.
        links: Returns the open links to all peers.
    """

    def __init__(
        self, transfers: Transfers, tasks: Tasks, landed: LandedIndex, links: Callable[[], list[Link]]
    ) -> None:
        self._transfers = transfers
        self._queue = transfers.queue
        self._tasks = tasks
        self._landed = landed
        self._links = links
        self._runs: dict[TransferId, asyncio.Task[None]] = {}
        self._lookout = Lookout(tasks, self._source_found)

    def __len__(self) -> int:
        return len(self._runs)

    def __contains__(self, transfer_id: TransferId) -> bool:
        return transfer_id in self._runs

    def admit(self) -> None:
        """Stop what more urgent ones overtake, and start what the queue lets start now."""
        holding = self._holding()
        movable = {key for key in holding if self._transfers[key].life.gives_way}
        for key in self._queue.overtaken(holding, movable):
            self._transfers[key].life.take(Event.OVERTAKEN)
            self._runs[key].cancel()
            self._transfers.follow(self._transfers[key])
        for key in self._queue.admit(self._holding()):
            self._start(self._transfers[key])

    async def halt(self, transfer: Transfer) -> None:
        """End the run of a transfer, if it has one, because its life has moved on."""
        self._lookout.forget(transfer.order.transfer_id, transfer.order.entry.root)
        if run := self._runs.get(transfer.order.transfer_id):
            run.cancel()
        self._transfers.follow(transfer)
        self._transfers.forget_oldest(self._runs)
        self.admit()
        if run:
            await asyncio.wait([run])

    async def wait_ended(self, transfer: Transfer) -> None:
        """Return once a transfer has no run."""
        if run := self._runs.get(transfer.order.transfer_id):
            await asyncio.wait([run])

    def changed(self, transfer_id: TransferId) -> None:
        """Look at a transfer that runs, and tell clients if it looks different."""
        transfer = self._transfers[transfer_id]
        before = transfer.life.state
        transfer.look()
        if transfer.life.state is before:
            self._transfers.changed(transfer)
            return
        self._transfers.follow(transfer)
        if transfer.life.state is State.WAITING:
            idle = [key for key in self._runs if self._transfers[key].life.state is State.WAITING]
            for key in idle[:-MAX_IDLE]:
                self._runs[key].cancel()
        self.admit()
        if transfer.life.state is State.QUEUED and (fetching := transfer.fetching):
            fetching.exchange.stop()  # it has a source again, but no place
            self._runs[transfer_id].cancel()

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
        self._transfers.follow(transfer)

    async def _run(self, transfer: Transfer) -> None:
        try:
            if not await apart(transfer.run(self._transfers.save), f"the download of {transfer.order.name!r}"):
                transfer.fail(PeertermError("a bug of peerterm ended it", "please report it with peerterm log"))
        finally:
            self._transfers.follow(transfer)
            if transfer.life.state is State.DONE:
                await to_its_end(tolerate("note what landed", self.note_done, transfer))

    async def note_done(self, transfer: Transfer) -> None:
        """Note that a transfer is done, then where its files are; its part is named until both are noted.

        Raises:
            StorageError: It is to be called again, by the next engine at the latest.
        """
        await self._transfers.save(transfer)  # first: without its journal it must never look unfinished
        await self._landed.take_over(transfer.order.transfer_id, Path(transfer.path))
        transfer.part = ""
        await self._transfers.save(transfer)

    def _run_ended(self, transfer: Transfer) -> None:
        """Let others have the place of a run that has ended, or was cancelled before it began."""
        del self._runs[transfer.order.transfer_id]
        if transfer.life.state is State.WAITING:
            self._lookout.look_for(transfer.order.transfer_id, transfer.order.entry.root, self._links())
        self._transfers.forget_oldest(self._runs)
        self.admit()

    def download_of(self, root: Root) -> tuple[Exchange, FileHolding] | None:
        """Return what fetches a file now, and what it has of it; ``None`` if no transfer does."""
        for key in self._runs:
            fetching = self._transfers[key].fetching
            if fetching and isinstance(holding := fetching.active.get(root), FileHolding):
                return fetching.exchange, holding
        return None

    # What peers do

    def link_opened(self, link: Link) -> None:
        """Ask a peer that is new, or offers something new, for what is being fetched."""
        self._lookout.link_opened(link)
        for fetching in self._fetchings():
            fetching.exchange.peer_online(link)

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        for fetching in self._fetchings():
            fetching.exchange.peer_offline(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Hand a peer's news to the transfers."""
        self._lookout.have_update(update)
        for fetching in self._fetchings():
            fetching.exchange.have_update(link, update)

    def _fetchings(self) -> list[Fetching]:
        """Return what is on its way; few, however many transfers there are."""
        return [fetching for key in self._runs if (fetching := self._transfers[key].fetching)]

    def _source_found(self, found: Collection[TransferId]) -> None:
        for key in found:
            self._transfers[key].life.take(Event.SOURCE_FOUND)
            self._transfers.follow(self._transfers[key])
        self.admit()
