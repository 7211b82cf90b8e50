"""Which peers may have which private shares, and what they get of them.

The one place that decides it. What a peer has no grant for is to it as if it were not there. Told by
``engine.grants``, asked by ``engine.answering`` and ``engine.uploading``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.engine.reading import SharedContent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.ids import PeerId, Root, ShareId
    from peerterm.store.grants import Grant, GrantStore


class Granted:
    """The grants in force, known without a look into the store, so that one more or less counts at once."""

    def __init__(self, store: GrantStore) -> None:
        self._store = store
        self._grants: dict[PeerId, set[Grant]] = {}

    def __iter__(self) -> Iterator[Grant]:
        """Yield all grants."""
        return (grant for grants in self._grants.values() for grant in grants)

    def __len__(self) -> int:
        return sum(map(len, self._grants.values()))

    def add(self, grant: Grant) -> None:
        """Let a peer have a private share from now on."""
        self._grants.setdefault(grant.peer, set()).add(grant)

    def remove(self, peer: PeerId, offer_id: str) -> None:
        """Let the grants of an offer to a peer count no more; none is no error."""
        kept = {grant for grant in self._grants.pop(peer, ()) if grant.offer_id != offer_id}
        if kept:
            self._grants[peer] = kept

    def of(self, peer: PeerId) -> set[ShareId]:
        """Return the private shares that a peer may have."""
        return {grant.share_id for grant in self._grants.get(peer, ())}

    async def find(self, peer: PeerId, prefix_hex: str, limit: int) -> list[CatalogEntry]:
        """Return one entry for each content a peer may have whose root starts with these hex digits, by root."""
        shares = self.of(peer)
        return await self._store.find(shares, prefix_hex, limit) if shares else []

    async def present(self, peer: PeerId, roots: Sequence[Root]) -> set[Root]:
        """Return which of these contents a peer may have."""
        shares = self.of(peer)
        return await self._store.present(shares, roots) if shares and roots else set()

    async def content(self, peer: PeerId, root: Root) -> SharedContent | None:
        """Return a content that a peer may have."""
        shares = self.of(peer)
        found = await self._store.content(shares, root) if shares else None
        return SharedContent(found.size, found.digests, found.files, found.listing) if found else None
