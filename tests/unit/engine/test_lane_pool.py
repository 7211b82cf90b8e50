"""The lanes to every source."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.core.content import Content
from peerterm.core.ids import PeerId
from peerterm.core.pieces import Fetch, Piece, PieceKind, Refusal
from peerterm.engine.lane_pool import LanePool
from peerterm.net.lanes import Accepted, Outcome, Refused
from tests.fakes.fake_peer import FakePeer
from tests.fakes.linked import LOOPBACK, contexts_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.core.ids import Root

NOBODY = PeerId("0" * 64)


class Pool:
    """A pool, a peer that serves, and where the peer is said to be."""

    def __init__(self, folder: Path) -> None:
        self.peer = FakePeer(contexts_of(folder, "peer"), "peer")
        self.peer_id = PeerId(contexts_of(folder, "peer").peer_id)
        self.addresses: dict[PeerId, tuple[str, int]] = {}
        self.pool = LanePool(contexts_of(folder, "me"), self.addresses.get)

    async def ask(self, root: Root, peer: PeerId) -> Outcome:
        """Ask for a head and wait for the outcome."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self.pool.submit(fetch_of(root, peer), None, future.set_result)
        assert not future.done()
        return await asyncio.wait_for(future, 10)


def fetch_of(root: Root, peer: PeerId) -> Fetch:
    return Content(root, 1, None).ask(peer, Piece(root, PieceKind.HEAD, 0), 0.0).fetch


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Pool]:
    """Yield a pool and a peer that listens."""
    at = Pool(tmp_path)
    await at.peer.listen()
    at.addresses[at.peer_id] = LOOPBACK, at.peer.port
    yield at
    await at.pool.close()
    await at.peer.close()


async def test_answer_comes_back_to_who_asked(at: Pool) -> None:
    """Two askers of one peer get an outcome each."""
    roots = [at.peer.file(b"one"), at.peer.file(b"two")]

    outcomes = await asyncio.gather(*(at.ask(root, at.peer_id) for root in roots))

    assert [outcome.fetch.piece.root for outcome in outcomes] == roots
    assert all(isinstance(outcome.result, Accepted) for outcome in outcomes)


async def test_peer_without_an_address_is_lost_at_once(at: Pool) -> None:
    """Whoever has no link cannot be reached; the outcome comes on the loop, not from within the call."""
    outcome = await at.ask(at.peer.file(b"one"), NOBODY)

    assert outcome.result == Refused(Refusal.LOST)


async def test_peer_that_went_offline_meanwhile_is_lost(at: Pool) -> None:
    """The address is looked up again when the lane connects."""
    root = at.peer.file(b"one")
    await at.ask(root, at.peer_id)
    await at.peer.close()
    del at.addresses[at.peer_id]

    assert (await at.ask(root, at.peer_id)).result == Refused(Refusal.LOST)


async def test_closed_peer_can_be_asked_again(at: Pool) -> None:
    """Ending the lanes to a peer that left is no farewell for ever; a peer without lanes may be closed too."""
    root = at.peer.file(b"one")
    await at.ask(root, at.peer_id)
    await at.pool.close_peer(at.peer_id)
    await at.pool.close_peer(NOBODY)

    assert isinstance((await at.ask(root, at.peer_id)).result, Accepted)


async def test_what_is_open_is_lost_when_the_pool_closes(at: Pool) -> None:
    """Every fetch has an outcome, even at the end."""
    outcomes: list[Outcome] = []
    at.pool.submit(fetch_of(at.peer.file(b"one"), at.peer_id), None, outcomes.append)
    await at.pool.close()
    await asyncio.sleep(0)

    assert len(outcomes) == 1
