"""Offers on disk: a machine built from them goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peerterm.core.offer import Cancel, Download, Draft, Drop, Fetch, Revoke, Save, Say
from peerterm.errors import StorageError
from peerterm.store.database import Database
from peerterm.store.offers import OfferStore
from tests.fakes.logs import made_item
from tests.fakes.offering import ANN, made_offer

ITEMS = (made_item("\u202ea\0", size=2**63 - 1), made_item("b", kind="folder", files=0))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "state.db")
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> OfferStore:
    return OfferStore(database)


async def test_offers_come_back_as_they_were_last(store: OfferStore) -> None:
    """Whoever made them, with all that became of their items."""
    first = made_offer(hash=b"\1" * 32, items=ITEMS)
    own = made_offer(hash=b"\2" * 32, is_own=True, state="queued", grant="grant")
    last = made_offer(
        hash=b"\1" * 32,
        items=ITEMS,
        state="accepted",
        fetches=(Fetch(1, "t1"), Fetch(2, "", "given up")),
        directory="/down\nloads",
    )
    await store.perform([Save(first), Save(own)], 1)
    await store.perform([Save(last)], 7)

    assert sorted(await store.offers(), key=lambda offer: offer.hash) == [last, own]
    assert await store.heard() == 7


async def test_new_database_has_heard_nothing(store: OfferStore) -> None:
    """No offers, no drafts, no lines."""
    assert await store.offers() == []
    assert await store.drafts() == []
    assert await store.heard() == 0


async def test_draft_is_none_once_its_offer_is_kept(store: OfferStore) -> None:
    """Nor when it was undone."""
    drafts = [Draft(grant, ANN, ITEMS) for grant in ("one", "two", "three")]
    for draft in drafts:
        await store.draft(draft)
    await store.perform([Save(made_offer(is_own=True, grant="one")), Revoke("two", ANN)], 1)

    assert await store.drafts() == drafts[2:]


async def test_dropped_offer_is_gone(store: OfferStore) -> None:
    """The others stay."""
    offers = [made_offer(hash=bytes([number]) * 32) for number in range(3)]
    await store.perform([*map(Save, offers), Drop(offers[1])], 1)

    assert [offer.hash for offer in await store.offers()] == [offers[0].hash, offers[2].hash]


async def test_nothing_is_kept_for_others(store: OfferStore) -> None:
    """Effects that are for conversations and transfers are passed over."""
    offer = made_offer()
    await store.perform([Download(offer), Cancel(offer), Say(ANN, "accept", offer.hash, "yes")], 1)

    assert await store.offers() == []


async def test_all_is_kept_or_nothing(store: OfferStore, database: Database) -> None:
    """What the disk refuses does not count as heard."""
    await database.fetch_all("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        await store.perform([Save(made_offer())], 1)
    with pytest.raises(StorageError):
        await store.draft(Draft("one", ANN, ITEMS))

    assert (await store.offers(), await store.drafts(), await store.heard()) == ([], [], 0)
