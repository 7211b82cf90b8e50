"""Search, browse and find: questions put to this machine's catalog and to every peer at once."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerterm.api.views import BrowsePage, HolderView
from peerterm.core.catalog import MAX_MERGED_HITS, Merger, parse_query
from peerterm.core.ids import PeerId
from peerterm.core.names import check_path
from peerterm.engine.convert import from_wire, to_hit, to_view
from peerterm.engine.polling import poll
from peerterm.engine.references import HashReference, parse_reference
from peerterm.errors import AmbiguousReference, NotFound
from peerterm.wire.messages import (
    MAX_HITS,
    MAX_PAGE_ENTRIES,
    BrowseAnswer,
    BrowseRequest,
    FindAnswer,
    FindRequest,
    LocateAnswer,
    LocateRequest,
    SearchAnswer,
    SearchRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from peerterm.api.views import SearchHit, SearchQuery
    from peerterm.core.catalog import CatalogEntry, MergedHit, Query
    from peerterm.engine.peers import Peers
    from peerterm.engine.polling import Ask
    from peerterm.net.link import Link
    from peerterm.store.catalog import CatalogReader

log = logging.getLogger("peerterm.searching")

ANSWER_SECONDS = 5.0
"""How long one peer may take to answer a question."""

MAX_OTHERS = 7
"""Further contents that are tried if one turns out not to have the flat SHA-256 it is offered under."""


@dataclass(frozen=True, slots=True)
class Found:
    """A content someone offers, and who.

    ``others`` are contents of other roots that are offered under the same flat SHA-256; only one can have it.
    """

    entry: CatalogEntry
    holders: tuple[PeerId, ...]
    others: tuple[CatalogEntry, ...] = ()


class Searching:
    """Asks; holds no state between questions."""

    def __init__(self, peers: Peers, catalog: CatalogReader, own_id: PeerId, own_name: str) -> None:
        self._peers = peers
        self._catalog = catalog
        self._own_id = own_id
        self._own_name = own_name

    async def search(self, query: SearchQuery) -> AsyncIterator[SearchHit]:
        """See ``EngineApi.search``."""
        parsed = parse_query(query.text, query.kind, query.min_size, query.max_size)
        merger = Merger()
        request = SearchRequest(text=parsed.text, kind=query.kind, min_size=query.min_size, max_size=query.max_size)

        async def ask(link: Link) -> AsyncIterator[list[CatalogEntry]]:
            async with aclosing(link.ask(request, timeout=query.timeout)) as answers:
                async for answer in answers:
                    assert isinstance(answer, SearchAnswer)
                    yield [from_wire(hit) for hit in answer.hits]

        given, contents, last = Counter[PeerId](), 0, None
        async with aclosing(self._own_and_others(parsed, ask, query.timeout)) as answers:
            async for peer, entries in answers:
                given[peer] += len(entries)
                for entry in entries:
                    if hit := merger.add(peer, entry):
                        contents += len(hit.holders) == 1
                        yield (last := self._shown(hit))
        if last and (contents >= MAX_MERGED_HITS or max(given.values()) >= MAX_HITS):
            yield replace(last, more=True)

    async def _own_and_others(
        self, query: Query, ask: Ask, timeout: float
    ) -> AsyncGenerator[tuple[PeerId, list[CatalogEntry]], None]:
        """Yield what this machine has that matches, then each peer's answers as they come."""
        yield self._own_id, await self._catalog.search(query, MAX_HITS)
        async for answer in poll(self._peers, ask, timeout):
            yield answer

    def _shown(self, hit: MergedHit) -> SearchHit:
        names = {peer: self._peers.name_of(peer) for peer in hit.holders} | (
            {self._own_id: self._own_name} if self._own_id in hit.holders else {}
        )
        return to_hit(hit.entry, (HolderView(peer_id=peer, name=name) for peer, name in names.items()))

    def is_own(self, peer: str) -> bool:
        """Whether a name or id of a peer is this machine's."""
        return peer in (self._own_id, self._own_name)

    async def browse(self, peer: str, path: str, after: str, limit: int) -> BrowsePage:
        """See ``EngineApi.browse``."""
        components = tuple(part for part in path.split("/") if part)
        check_path((*components, after) if after else components)
        limit = max(1, min(limit, MAX_PAGE_ENTRIES))
        if self.is_own(peer):
            entries, more = await self._catalog.browse(components, after, limit)
            peer_id = self._own_id
        else:
            peer_id = self._peers.resolve(peer)
            link = self._peers.link(peer_id)
            request = BrowseRequest(path=list(components), after=after, limit=limit)
            answer = await link.ask_one(request, timeout=ANSWER_SECONDS)
            assert isinstance(answer, BrowseAnswer)
            entries, more = [from_wire(entry) for entry in answer.entries], answer.more
        return BrowsePage(
            peer_id=peer_id,
            path="/".join(components),
            entries=[to_view(entry) for entry in entries],
            next=entries[-1].path[-1] if more and entries else "",
        )

    async def find(self, reference: str) -> Found:
        """Find the one content a reference means, and the peers that offer it.

        Raises:
            UsageError: It is no reference, or means several contents.
            NotFound: Nobody who is online offers it.
            PeerError: The peer it names is not online or did not answer.
        """
        parsed = parse_reference(reference)
        if isinstance(parsed, HashReference):
            return await self._find_by_hash(parsed)
        if self.is_own(parsed.peer):
            raise NotFound(f"{reference}: that is this machine itself", "name a peer: peerterm peers lists them")
        peer_id = await self._peers.wait_for(parsed.peer)
        link = self._peers.link(peer_id)
        request = LocateRequest(path=list(parsed.path))
        answer = await link.ask_one(request, timeout=ANSWER_SECONDS)
        assert isinstance(answer, LocateAnswer)
        return Found(from_wire(answer.entry), (peer_id,))

    async def _find_by_hash(self, wanted: HashReference) -> Found:
        async def ask(link: Link) -> AsyncIterator[list[CatalogEntry]]:
            request = FindRequest(by=wanted.by, prefix=wanted.prefix)
            async with aclosing(link.ask(request, timeout=ANSWER_SECONDS)) as answers:
                async for answer in answers:
                    assert isinstance(answer, FindAnswer)
                    yield [entry for hit in answer.hits if _fits(wanted, entry := from_wire(hit))]

        found: dict[bytes, tuple[CatalogEntry, list[PeerId]]] = {}
        async for peer, entries in poll(self._peers, ask, ANSWER_SECONDS):
            for entry in entries:
                known, holders = found.setdefault(entry.root, (entry, []))
                if known.is_private and not entry.is_private:
                    found[entry.root] = entry, holders  # somebody offers it to everyone
                if peer not in holders:
                    holders.append(peer)
        if not found:
            own = await self._catalog.find(wanted.by, wanted.prefix, 1)
            if own:
                raise NotFound(
                    f"{wanted.prefix}: only this machine has it", f"it is shared here as {'/'.join(own[0].path)}"
                )
            raise NotFound(
                f"{wanted.prefix}: no peer that is online has it", "peerterm peers shows who is; try again later"
            )
        if len(found) > 1 and wanted.by == "root":
            names = ", ".join(sorted(f"{root.hex()[:16]} ({entry.path[-1]})" for root, (entry, _) in found.items()))
            raise AmbiguousReference(f"{wanted.prefix} fits {len(found)} contents: {names}", "use more digits")
        (entry, holders), *others = sorted(found.values(), key=lambda pair: -len(pair[1]))
        return Found(entry, tuple(holders), tuple(other for other, _ in others[:MAX_OTHERS]))


def _fits(wanted: HashReference, entry: CatalogEntry) -> bool:
    """Tell whether an answer is to the question; peers may answer anything."""
    if wanted.by == "sha256" and entry.kind != "file":
        return False
    value = entry.root if wanted.by == "root" else entry.sha256
    return value is not None and value.hex().startswith(wanted.prefix)
