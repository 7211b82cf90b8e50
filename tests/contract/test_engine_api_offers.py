"""What every implementation of ``EngineApi`` must do with offers.

Each test runs on the fake and on the real engine, on either also through a socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import OfferChanged, Snapshot
from peerterm.api.views import OfferView
from peerterm.errors import InvalidPath, NotFound, UsageError
from tests.fakes.engines import closing, until, write
from tests.fakes.worlds import HOLDER, Setup

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def note(tmp_path: Path) -> str:
    """Return the path of a file to send."""
    return str(write(tmp_path / "note.txt", b"hello"))


async def test_what_is_sent_is_an_offer(setup: Setup, note: str) -> None:
    """Returned, listed, told as an event, and in every snapshot from then on."""
    await setup.world.join()
    async with closing(setup.api.events()) as events:
        await until(events, Snapshot)
        [sent] = await setup.api.send([HOLDER], [note])
        changed = await until(events, OfferChanged)
    async with closing(setup.api.events()) as events:
        snapshot = await until(events, Snapshot)

    assert isinstance(sent, OfferView)
    assert (sent.direction, sent.peer_name, sent.name, sent.files) == ("out", HOLDER, "note.txt", 1)
    assert changed.offer.offer_id == sent.offer_id
    assert [view.offer_id for view in await setup.api.offers()] == [sent.offer_id]
    assert [view.offer_id for view in snapshot.offers] == [sent.offer_id]


async def test_offer_is_withdrawn_once(setup: Setup, note: str) -> None:
    """By the start of its id; then it stays so."""
    await setup.world.join()
    [sent] = await setup.api.send([HOLDER], [note])
    withdrawn = await setup.api.withdraw(sent.offer_id[:4])

    assert (withdrawn.offer_id, withdrawn.state) == (sent.offer_id, "withdrawn")
    with pytest.raises(UsageError):
        await setup.api.withdraw(sent.offer_id)


async def test_own_offer_is_not_ours_to_answer(setup: Setup, note: str) -> None:
    """Only the other can."""
    await setup.world.join()
    [sent] = await setup.api.send([HOLDER], [note])
    for wish in (setup.api.accept, setup.api.decline):
        with pytest.raises(UsageError):
            await wish(sent.offer_id)


async def test_impossible_offers_are_refused(setup: Setup, note: str) -> None:
    """Peers, paths and offers that there are not."""
    await setup.world.join()
    with pytest.raises(NotFound):
        await setup.api.send(["nobody"], [note])
    with pytest.raises(InvalidPath):
        await setup.api.send([HOLDER], [f"{note} missing"])
    for wish in (setup.api.accept, setup.api.decline, setup.api.withdraw):
        with pytest.raises(NotFound):
            await wish("abcd")

    assert await setup.api.offers() == []
