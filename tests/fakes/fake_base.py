"""What every part of the fake engine stands on: whom it tells what happens, whom it knows, how it finds things."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from peerterm.api.events import PeerJoined, PeerLeft
from peerterm.errors import AmbiguousReference, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.api.events import Event
    from peerterm.api.views import PeerView

OWN_ID = "a1" * 32
OWN_NAME = "fake"


class FakeBase:
    """Its subscribers and its peers.

    Attributes:
        known_peers: Whom it knows.
        asked: What was asked of it, the method's name first.
    """

    def __init__(self) -> None:
        self.known_peers: list[PeerView] = []
        self.asked: list[tuple[Any, ...]] = []
        self._subscribers: set[asyncio.Queue[Event | None]] = set()
        self._working: set[asyncio.Task[None]] = set()

    def announce(self, event: Event) -> None:
        """Tell all subscribers."""
        for queue in self._subscribers:
            queue.put_nowait(event)

    def peer_joined(self, peer: PeerView) -> None:
        """Let a peer come online."""
        self.known_peers = [*(known for known in self.known_peers if known.peer_id != peer.peer_id), peer]
        self.announce(PeerJoined(peer=peer))

    def peer_left(self, peer: PeerView) -> None:
        """Let a peer go."""
        self.known_peers.remove(peer)
        self.announce(PeerLeft(peer=replace(peer, state="offline"), reason="bye"))

    def start(self, work: Any) -> None:
        """Let something happen later."""
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)


def pick(items: Iterable[Any], reference: str, keys: Any) -> Any:
    """Return the one item that a name, an id or a unique prefix of the first key means."""
    exact = [item for item in items if reference in keys(item)]
    found = exact or [item for item in items if keys(item)[0].startswith(reference)]
    if not found:
        raise NotFound(f"{reference}: there is none")
    if len(found) > 1:
        raise AmbiguousReference(f"{reference}: fits several")
    return found[0]
