"""The lanes to every source, shared by all transfers."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from peerterm.core.pieces import Refusal
from peerterm.errors import PeerUnavailable
from peerterm.net.dialer import connect_lane
from peerterm.net.lanes import Outcome, PeerLanes, Refused

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from peerterm.core.ids import PeerId
    from peerterm.core.pieces import Fetch, PieceSink
    from peerterm.net.tls import TlsContexts
    from peerterm.net.tls_stream import TlsStream

CONNECT_SECONDS = 3.0
"""Longest time a lane may take to connect: its peer has a link, so it is near. A stop waits for that long."""


class LanePool:
    """Opens lanes on demand and brings each answer back to whoever asked."""

    def __init__(self, contexts: TlsContexts, address_of: Callable[[PeerId], tuple[str, int] | None]) -> None:
        self._contexts = contexts
        self._address_of = address_of
        self._lanes: dict[PeerId, PeerLanes] = {}
        self._askers: dict[int, Callable[[Outcome], None]] = {}

    def submit(self, fetch: Fetch, sink: PieceSink | None, on_outcome: Callable[[Outcome], None]) -> None:
        """Ask for a piece; ``on_outcome`` is called once, on the event loop, never from within this call."""
        self._askers[id(fetch)] = on_outcome
        if fetch.peer not in self._lanes:
            address = self._address_of(fetch.peer)
            loop = asyncio.get_running_loop()
            if address is None:
                loop.call_soon(self._answered, Outcome(fetch, Refused(Refusal.LOST)))
                return
            self._lanes[fetch.peer] = PeerLanes(
                fetch.peer, partial(self._connect, fetch.peer), loop=loop, on_outcome=self._answered
            )
        self._lanes[fetch.peer].submit(fetch, sink)

    def _connect(self, peer: PeerId, adopt: Callable[[socket.socket], None]) -> TlsStream:
        """Open one lane; called from a lane thread."""
        if (address := self._address_of(peer)) is None:
            raise PeerUnavailable("the peer is offline")
        return connect_lane(*address, self._contexts, peer, CONNECT_SECONDS, adopt=adopt)

    def _answered(self, outcome: Outcome) -> None:
        self._askers.pop(id(outcome.fetch))(outcome)

    def forget(self, on_outcome: Callable[[Outcome], None]) -> None:
        """Fetch no more than must be for one who asked; what is not fetched comes back as lost."""
        for lanes in self._lanes.values():
            lanes.forget(lambda fetch: self._askers.get(id(fetch)) == on_outcome)

    def last_byte_at(self, peer: PeerId) -> float:
        """Return when a peer last sent anything on a lane, in seconds of ``time.monotonic``; 0 if never."""
        return self._lanes[peer].last_byte_at if peer in self._lanes else 0.0

    async def close_peer(self, peer: PeerId) -> None:
        """End the lanes to one peer; what was asked of it comes back as lost."""
        if lanes := self._lanes.pop(peer, None):
            await lanes.close()

    async def close(self) -> None:
        """End all lanes and wait for their threads."""
        lanes, self._lanes = list(self._lanes.values()), {}
        await asyncio.gather(*(each.close() for each in lanes))
