"""What is fetched for an attempt that is over."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from peerterm.core.content import Content
from peerterm.core.ids import PeerId
from peerterm.core.pieces import Piece, PieceKind, Refusal
from peerterm.engine.lane_pool import LanePool
from peerterm.net.lanes import Refused
from tests.fakes.fake_peer import FakePeer
from tests.fakes.linked import LOOPBACK, contexts_of

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.net.lanes import Outcome


async def test_lanes_of_who_asks_no_more_end(tmp_path: Path) -> None:
    """What one asked for comes back as lost at once, though its peer still works on it; others are served."""
    contexts, may_go_on, is_asked = contexts_of(tmp_path, "peer"), threading.Event(), threading.Event()

    def hang(_: Piece, data: bytes) -> bytes:
        is_asked.set()
        may_go_on.wait(10)
        return data

    peer, peer_id = FakePeer(contexts, "peer"), PeerId(contexts.peer_id)
    peer.mangle = hang
    await peer.listen()
    pool = LanePool(contexts_of(tmp_path, "me"), {peer_id: (LOOPBACK, peer.port)}.get)
    ours: asyncio.Queue[Outcome]
    theirs: asyncio.Queue[Outcome]
    ours, theirs = asyncio.Queue(), asyncio.Queue()
    for content, on_outcome in ((b"one", ours.put_nowait), (b"two", theirs.put_nowait)):
        root = peer.file(content)
        fetch = Content(root, 1, None).ask(peer_id, Piece(root, PieceKind.HEAD, 0), 0.0).fetch
        pool.submit(fetch, None, on_outcome)
    assert await asyncio.to_thread(is_asked.wait, 10)
    pool.forget(ours.put_nowait)
    lost = await asyncio.wait_for(ours.get(), 5)

    assert lost.result == Refused(Refusal.LOST)
    assert theirs.empty()

    may_go_on.set()

    assert (await asyncio.wait_for(theirs.get(), 10)).result != Refused(Refusal.LOST)

    await pool.close()
    await peer.close()
