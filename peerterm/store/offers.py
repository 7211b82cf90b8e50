"""Offers on disk: each as it was last, drafts of our own, and up to which line all is in them.

Does what ``core.offers`` says and decides nothing. Called by the engine's sending service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from peerterm.core.ids import PeerId
from peerterm.core.lines import Item
from peerterm.core.offer import Draft, Drop, Fetch, Offer, Revoke, Save

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.core.offer import Effect
    from peerterm.store.database import Database

_COLUMNS = "hash, peer, is_own, log, seq, sent_at, items, state, grant_id, fetches, directory"

_encode = msgspec.msgpack.encode
_items = msgspec.msgpack.Decoder(tuple[Item, ...])
_fetches = msgspec.msgpack.Decoder(tuple[Fetch, ...])


class OfferStore:
    """Keeps offers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def offers(self) -> list[Offer]:
        """Return all offers."""
        rows = await self._database.fetch_all(f"SELECT {_COLUMNS} FROM offers")  # noqa: S608 - a constant
        return [
            Offer(
                hash=offer_hash,
                peer=PeerId(peer),
                is_own=bool(is_own),
                log=log,
                seq=seq,
                sent_at=sent_at,
                items=_items.decode(items),
                state=state,
                grant=grant,
                fetches=_fetches.decode(fetches),
                directory=directory,
            )
            for offer_hash, peer, is_own, log, seq, sent_at, items, state, grant, fetches, directory in rows
        ]

    async def drafts(self) -> list[Draft]:
        """Return all drafts."""
        rows = await self._database.fetch_all("SELECT grant_id, peer, items FROM offer_drafts")
        return [Draft(grant, PeerId(peer), _items.decode(items)) for grant, peer, items in rows]

    async def heard(self) -> int:
        """Return up to which ``KeptLine.id`` all lines are in the offers."""
        [(line_id,)] = await self._database.fetch_all("SELECT line_id FROM offers_heard")
        return int(line_id)

    async def draft(self, draft: Draft) -> None:
        """Keep a draft before anything is granted by it.

        Raises:
            StorageError: The disk refused.
        """
        row = (draft.grant, draft.peer, _encode(draft.items))
        async with self._database.transaction() as connection:
            await connection.execute("INSERT INTO offer_drafts VALUES (?, ?, ?)", row)

    async def perform(self, effects: Iterable[Effect], heard: int) -> None:
        """Do all that concerns the store, at once or not at all.

        Args:
            effects: In their order; those for others are passed over.
            heard: See ``heard``.

        Raises:
            StorageError: The disk refused.
        """
        save = f"INSERT OR REPLACE INTO offers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        forget = "DELETE FROM offer_drafts WHERE grant_id = ?"
        async with self._database.transaction() as connection:
            for effect in effects:
                match effect:
                    case Save(offer):
                        origin = (offer.hash, offer.peer, offer.is_own, offer.log, offer.seq, offer.sent_at)
                        wishes = (offer.grant, _encode(offer.fetches), offer.directory)
                        await connection.execute(save, (*origin, _encode(offer.items), offer.state, *wishes))
                        await connection.execute(forget, (offer.grant,))
                    case Drop(offer):
                        await connection.execute("DELETE FROM offers WHERE hash = ?", (offer.hash,))
                    case Revoke(grant):
                        await connection.execute(forget, (grant,))
            await connection.execute("UPDATE offers_heard SET line_id = ?", (heard,))
