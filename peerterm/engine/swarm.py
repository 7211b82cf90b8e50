"""Who can give what of one transfer: asks peers, and keeps the download machine's picture of them true."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from peerterm.core.ids import Root
from peerterm.engine.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from peerterm.core.download import Download
    from peerterm.core.ids import PeerId
    from peerterm.engine.tasks import Tasks
    from peerterm.net.link import Link
    from peerterm.wire.messages import Have, HaveUpdate

RECOVERY_SECONDS = 30.0
"""How long a source that fell silent is left alone, or asked no more about what it did not have after all."""


class Swarm:
    """The peers that have the top of a transfer, and may have the rest.

    Every peer is asked about the top alone. Who has it is a member, and is asked about every content wanted.

    Args:
        top: The content the transfer was ordered by.
        wanted: The contents wanted now; read whenever a member joins.
        machine: Told of everything peers have.
        on_news: Called after it was told something.
    """

    def __init__(
        self, top: Root, wanted: Collection[Root], machine: Download, tasks: Tasks, on_news: Callable[[], None]
    ) -> None:
        self._top = top
        self._wanted = wanted
        self._machine = machine
        self._on_news = on_news
        self._tasks = tasks
        self._asking = Asking(tasks, self._answered)
        self._members: dict[PeerId, Link] = {}
        self._missing: dict[Link, set[Root]] = {}

    def meet(self, link: Link) -> None:
        """Ask a peer that is online now whether it is a member."""
        self._asking.ask(link, [self._top])

    def want(self, root: Root) -> None:
        """Ask every member about a content."""
        for link in self._members.values():
            self._asking.ask(link, [root])

    def leave(self, peer: PeerId) -> None:
        """Stop to count on a peer that is offline."""
        self._members.pop(peer, None)
        self._machine.source_left(peer, time.monotonic())
        self._on_news()

    def drop(self, peer: PeerId, *, for_good: bool) -> None:
        """Forget a peer that the machine has dropped, ``for_good`` or until it may have recovered."""
        link = self._members.pop(peer, None)
        if link and not for_good:
            self._tasks.start(self._meet_later(link))

    def ask_again(self, peer: PeerId, root: Root) -> None:
        """Ask a member later about a content that it said it has, and did not have: a disk may be mounted again."""
        if link := self._members.get(peer):
            if link not in self._missing:
                self._missing[link] = set()
                self._tasks.start(self._ask_later(link))
            self._missing[link].add(root)

    async def _ask_later(self, link: Link) -> None:
        await asyncio.sleep(RECOVERY_SECONDS)
        missing = self._missing.pop(link)
        if link.is_open:
            self._asking.ask(link, missing.intersection(self._wanted))

    async def _meet_later(self, link: Link) -> None:
        await asyncio.sleep(RECOVERY_SECONDS)
        if link.is_open:
            self.meet(link)

    def updated(self, link: Link, update: HaveUpdate) -> None:
        """Take a peer's news; news about the top make it a member.

        Raises:
            ProtocolViolation: They cannot be true of any content.
        """
        root, peer = Root(update.root), link.peer_id
        if root == self._top and not update.gone:
            self._join(link)
        if root not in self._wanted or peer not in self._members:
            return
        if update.gone:
            self._machine.has_nothing(peer, root)
        else:
            self._machine.has_more(peer, root, update.chunks, complete=update.complete)
        self._on_news()

    def _answered(self, link: Link, asked: list[Root], haves: list[Have]) -> None:
        peer, offered = link.peer_id, {Root(have.root) for have in haves}
        if self._top in asked and self._top in offered:
            self._join(link)
        for have in haves:
            self._machine.has(peer, Root(have.root), complete=have.complete, first=have.first, bits=have.bits)
        for root in asked:
            if root not in offered:
                self._machine.has_nothing(peer, root)
        self._on_news()

    def _join(self, link: Link) -> None:
        if self._members.get(link.peer_id) is not link:
            self._members[link.peer_id] = link
            self._machine.source_joined(link.peer_id, time.monotonic())
            self._asking.ask(link, self._wanted)
