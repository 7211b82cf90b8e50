"""Private shares: what is offered to single peers, who has a grant for it, and the end of both.

Owns the scans of private shares. What a peer gets by its grants is ``engine.granted``'s. Called by the engine's
sending service, which knows what an offer is.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from peerterm.core.ids import ShareId
from peerterm.core.names import check_name
from peerterm.engine.scanning import scanned, shareable_kind
from peerterm.engine.tasks import tolerate
from peerterm.errors import ConfigError, EngineBusy, InvalidPath
from peerterm.store.completion import to_its_end
from peerterm.store.grants import DigestsLost, Grant, PrivateShare

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from peerterm.config import FileSettings
    from peerterm.core.ids import PeerId, Root
    from peerterm.core.listing import EntryKind
    from peerterm.engine.granted import Granted
    from peerterm.store.grants import GrantStore
    from peerterm.store.scanner import FileKey, KnownFile, ScannedEntry, ScanProgress, ScanResult
    from peerterm.store.shares import ShareStore

log = logging.getLogger("peerterm.grants")

MAX_GRANTS = 4096
"""Grants in force at once."""


class Grants:
    """Makes private shares, and says who may have them.

    A private share is found, fetched and known by those peers alone that have a grant for it. It is apart from what
    is shared with everyone: a path may be both, and be made private any number of times, each with its own id. It
    lives while it has a grant.
    """

    def __init__(
        self,
        store: GrantStore,
        granted: Granted,
        shares: ShareStore,
        settings: FileSettings,
        *,
        on_changed: Callable[[], None],
        on_moved: Callable[[Collection[PeerId], Collection[Root]], None],
    ) -> None:
        """Make it.

        Args:
            store: Where it is kept.
            granted: Told of every grant.
            shares: Knows the hashes of what is shared with everyone.
            settings: What a folder leaves out, and how scans are done.
            on_changed: Called when what was found for peers, and is remembered, counts no more.
            on_moved: Told then which peers may have what was found elsewhere; they may have been refused it.
        """
        self._store = store
        self._granted = granted
        self._shares = shares
        self._settings = settings
        self._on_changed = on_changed
        self._on_moved = on_moved
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Put the grants of earlier runs in force; to be called before any peer is linked.

        A private share that an earlier run did not come to grant is removed.

        Raises:
            StorageError: The database refuses.
        """
        for grant in await self._store.grants():
            self._granted.add(grant)
        await self._store.remove_unused(*(share.share_id for share in await self._store.shares()))

    async def run(self) -> None:
        """Look once whether the files of every private share are where they were; return then, or when cancelled.

        What is missing or was changed stays promised: whoever asks for it is told that it changed, and waits.
        """
        await tolerate("look for what is offered to single peers", self._look_for_all)

    async def _look_for_all(self) -> None:
        shares = await self._store.shares()
        cache = await self._hash_cache() if shares else {}
        for share in shares:
            try:
                await self._look_for(share, cache)
            except (InvalidPath, ConfigError) as error:
                log.warning("offered, but cannot be read reason=%r", error.message)

    async def _look_for(self, share: PrivateShare, cache: Mapping[FileKey, KnownFile]) -> None:
        result = await scanned(share.path, self._settings, cache, lambda _: None)
        if _top(result).root != share.root:
            log.warning("changed since it was offered path=%r", str(share.path))
            return
        if await self._store.confirm(share.share_id, result):
            self._on_changed()
            peers = {grant.peer for grant in self._granted if grant.share_id == share.share_id}
            self._on_moved(peers, {entry.root for entry in result.entries})

    async def offer(self, path: Path, on_progress: Callable[[ScanProgress], None] = lambda _: None) -> PrivateShare:
        """Index a file or folder as a new private share; return once that is done.

        Nobody may have it before a ``grant``; without one, ``discard`` it. It is indexed as any share is: hidden
        and ignored files of a folder are left out, a file that is named itself never is.

        Args:
            path: Absolute.
            on_progress: Told every ``scanning.PROGRESS_SECONDS`` how far the scan is.

        Raises:
            InvalidPath: It is relative, missing, unreadable, or neither file nor folder.
            InvalidName: Its name cannot be sent to others.
            DiskFull, StorageError: The database refuses.

        Cancel: Safe; nothing is left.
        """
        kind = await asyncio.to_thread(shareable_kind, str(path))
        name = path.name or "root"
        check_name(name)
        try:
            return await self._index(path, name, kind, await self._hash_cache(), on_progress)
        except DigestsLost:
            return await self._index(path, name, kind, {}, on_progress)

    async def _hash_cache(self) -> dict[FileKey, KnownFile]:
        return await self._shares.hash_cache() | await self._store.hash_cache()

    async def _index(
        self,
        path: Path,
        name: str,
        kind: EntryKind,
        cache: Mapping[FileKey, KnownFile],
        on_progress: Callable[[ScanProgress], None],
    ) -> PrivateShare:
        result = await scanned(path, self._settings, cache, on_progress)
        top, share_id = _top(result), ShareId(secrets.token_hex(4))
        share = PrivateShare(share_id, name, path, kind, top.root, top.size, top.files)
        try:
            await self._store.add(share, result)
        except asyncio.CancelledError:  # it may have come too late to keep the share from being kept
            await to_its_end(self._store.remove_unused(share_id))
            raise
        log.info("indexed for single peers path=%r id=%s", str(path), share_id)
        return share

    async def grant(self, share_id: ShareId, peer: PeerId, offer_id: str) -> None:
        """Let a peer have a private share; kept before this returns. The same grant again changes nothing.

        Raises:
            NotFound: No such private share.
            EngineBusy: ``MAX_GRANTS`` are in force.
            DiskFull, StorageError: It is not granted.

        Cancel: Safe; it may be granted all the same.
        """
        if len(self._granted) >= MAX_GRANTS:
            raise EngineBusy(f"{MAX_GRANTS} things are offered to single peers", "withdraw some offers")
        await to_its_end(self._keep(Grant(share_id, peer, offer_id)))

    async def _keep(self, grant: Grant) -> None:
        async with self._turn:
            await self._store.grant(grant)
            self._granted.add(grant)

    async def revoke(self, offer_id: str, peer: PeerId) -> None:
        """End every grant of an offer to a peer; none is no error.

        At once: a piece that is asked for after the call is refused, though the database may refuse or take its
        time. A private share that nobody has a grant for any more is removed.

        Raises:
            DiskFull, StorageError: It counts no more, but will again after a restart: call it again then.

        Cancel: Safe; it is revoked all the same.
        """
        self._granted.remove(peer, offer_id)
        self._on_changed()
        await to_its_end(self._forget(offer_id, peer))

    async def _forget(self, offer_id: str, peer: PeerId) -> None:
        async with self._turn:  # a grant of the same offer that was being kept meanwhile counts by now
            self._granted.remove(peer, offer_id)
            self._on_changed()
            await self._store.revoke(peer, offer_id)

    async def discard(self, share_id: ShareId) -> None:
        """Remove a private share, unless somebody has a grant for it; one that is unknown is no error.

        Raises:
            DiskFull, StorageError: It stays until the next start.
        """
        await self._store.remove_unused(share_id)


def _top(result: ScanResult) -> ScannedEntry:
    return next(entry for entry in result.entries if not entry.path)
