"""Runs the machine of ``core.download`` over lanes: asks peers what they have, performs what the machine wants.

The machine decides; a ``Keeper`` knows what is wanted and where it goes. Made by ``engine.fetching`` for downloads
and by ``engine.viewing`` for streams.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING, Protocol

from peerterm.core import download as machine
from peerterm.core.pieces import PieceKind, Refusal
from peerterm.core.rate import RateMeter
from peerterm.engine.swarm import Swarm
from peerterm.net.lanes import Accepted, Refused, Rejected, SinkFailed

if TYPE_CHECKING:
    from collections.abc import Collection

    from peerterm.core.budget import Budget
    from peerterm.core.ids import PeerId, Root
    from peerterm.core.pieces import PieceSink
    from peerterm.engine.order import Surroundings
    from peerterm.engine.tasks import Tasks
    from peerterm.errors import PeertermError
    from peerterm.net.lanes import Outcome
    from peerterm.net.link import Link
    from peerterm.wire.messages import HaveUpdate

REPORT_SECONDS = 0.25
"""How often others hear what is held, if nothing makes it sooner."""


class Keeper(Protocol):
    """What an exchange is for."""

    def sink_of(self, root: Root) -> PieceSink | None:
        """Return where the chunks of a wanted content go; ``None`` while none is asked for."""
        ...

    def chunk_written(self, root: Root, index: int, chunk_sum: bytes) -> None:
        """Note what a chunk looks like on disk; ``take`` with its ``ChunkHeld`` follows, if it is new."""
        ...

    def take(self, events: list[machine.Event]) -> None:
        """Do what follows from what the machine says."""
        ...

    def changed(self) -> None:
        """Notice that the sources or what is held may be others."""
        ...

    def fail(self, error: PeertermError) -> None:
        """End all, because the disk refuses."""
        ...


class Exchange:
    """The fetches of one machine that are on their way.

    Args:
        top: The content all others belong to.
        wanted: The contents wanted now; read at any time.

    Attributes:
        machine: Decides what to ask of whom; ``pump`` is to follow whatever is told it from outside.
        is_over: What is still in flight belongs to nobody any more.
    """

    def __init__(
        self,
        top: Root,
        wanted: Collection[Root],
        around: Surroundings,
        *,
        budgets: tuple[Budget, ...],
        tasks: Tasks,
        keeper: Keeper,
    ) -> None:
        self.machine = machine.Download(Random(), budgets)  # noqa: S311 - spreads load
        self.is_over = False
        self._around = around
        self._tasks = tasks
        self._keeper = keeper
        self._swarm = Swarm(top, wanted, self.machine, tasks, self._heard)
        self._is_pumping = False
        self._grown: dict[Root, list[int]] = {}
        began = time.monotonic()
        self._meters: defaultdict[PeerId, RateMeter] = defaultdict(lambda: RateMeter(began))
        self._awaiting: set[asyncio.Future[None]] = set()

    def start(self) -> None:
        """Ask every peer that is online, and keep time."""
        self._tasks.start(self._keep_time())
        for link in self._around.links():
            self.peer_online(link)

    def stop(self) -> None:
        """Take no more outcomes: what is still in flight belongs to nobody any more."""
        self.is_over = True
        self._around.lanes.forget(self._outcome)
        self._stir()

    def want(self, root: Root) -> None:
        """Ask who has a content that is wanted now."""
        self._swarm.want(root)

    def forget(self, root: Root) -> None:
        """Stop to fetch a content, and to tell of it."""
        self._grown.pop(root, None)
        self.machine.remove_content(root)

    async def progress(self) -> None:
        """Wait until a chunk more is held, or the exchange is over. Cancel: safe."""
        future = asyncio.get_running_loop().create_future()
        self._awaiting.add(future)
        try:
            await future
        finally:
            self._awaiting.discard(future)

    def _stir(self) -> None:
        for future in self._awaiting:
            if not future.done():
                future.set_result(None)

    @property
    def rate(self) -> float:
        """Bytes per second that come in, the mean of the last seconds."""
        return sum(map(self.rate_of, list(self._meters)))

    def rate_of(self, peer: PeerId) -> float:
        """Return how many of them come from one source."""
        return self._meters[peer].rate(time.monotonic()) if peer in self._meters else 0.0

    # What peers have

    def peer_online(self, link: Link) -> None:
        """Ask a peer that is online now whether it has what is wanted."""
        self._swarm.meet(link)

    def drop(self, event: machine.SourceDropped) -> None:
        """Forget a peer that the machine has dropped, for good or until it may have recovered."""
        self._swarm.drop(event.peer, for_good=event.reason != "silent")

    def peer_offline(self, peer: PeerId) -> None:
        """Stop to count on a peer."""
        self._swarm.leave(peer)

    def have_update(self, link: Link, update: HaveUpdate) -> None:
        """Take a peer's news about a content.

        Raises:
            ProtocolViolation: They cannot be true of any content.
        """
        self._swarm.updated(link, update)

    def _heard(self) -> None:
        self._keeper.changed()  # it may have no place to go on with a source
        self.pump()

    # What comes

    def pump(self) -> None:
        """Perform every fetch that the machine wants, once all that has come by now is taken in."""
        if not self._is_pumping:
            self._is_pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._is_pumping = False
        if self.is_over:
            return
        for fetch in self.machine.pump(time.monotonic()):
            self._around.lanes.submit(fetch, self._keeper.sink_of(fetch.piece.root), self._outcome)

    def _outcome(self, outcome: Outcome) -> None:
        if self.is_over:
            return
        fetch, now = outcome.fetch, time.monotonic()
        match outcome.result:
            case Accepted(data=data, chunk_sum=chunk_sum):
                events = self.machine.arrived(fetch, data, now)
                if fetch.piece.kind is PieceKind.CHUNK:
                    self._keeper.chunk_written(fetch.piece.root, fetch.piece.index, chunk_sum)
                self.take(events)
            case Rejected():
                self.take(self.machine.rejected(fetch, now))
            case Refused(refusal=refusal):
                self.take(self.machine.refused(fetch, refusal, now))
                if refusal in {Refusal.NOT_FOUND, Refusal.CHANGED}:
                    self._swarm.ask_again(fetch.peer, fetch.piece.root)
            case SinkFailed(error=error):
                self.machine.returned(fetch, now)
                self._keeper.fail(error)
        self.pump()

    def take(self, events: list[machine.Event]) -> None:
        """Take what the machine says, and let the keeper do what follows."""
        for event in events:
            if isinstance(event, machine.ChunkHeld):
                if event.peer:
                    self._meters[event.peer].add(event.length, time.monotonic())
                self._grown.setdefault(event.root, []).append(event.index)
        self._keeper.take(events)
        if events:
            self._stir()

    # Time

    async def _keep_time(self) -> None:
        while True:
            now = time.monotonic()
            for peer in self.machine.sources:
                self.machine.heard(peer, self._around.lanes.last_byte_at(peer))
            self.take(self.machine.tick(now))
            self.pump()
            for root, chunks in self._grown.items():
                self._around.uploads.grew(root, chunks)
            self._grown.clear()
            self._keeper.changed()
            deadline = self.machine.deadline()
            await asyncio.sleep(min(REPORT_SECONDS, max(deadline - now, 0.01)) if deadline else REPORT_SECONDS)
