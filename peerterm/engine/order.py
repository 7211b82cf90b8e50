"""What a transfer is given: the user's order, and the engine around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from peerterm.engine.offering import Nowhere

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from peerterm.api.events import Event
    from peerterm.core.budget import Budget
    from peerterm.core.catalog import CatalogEntry
    from peerterm.core.ids import PeerId, TransferId
    from peerterm.engine.lane_pool import LanePool
    from peerterm.engine.offering import Outlet
    from peerterm.engine.reuse import Reuse
    from peerterm.net.link import Link
    from peerterm.store.journal import Journal
    from peerterm.store.space import SpaceAccount
    from peerterm.store.stream_cache import StreamCache


@dataclass(frozen=True, slots=True)
class Order:
    """What to download, and where to.

    Attributes:
        reference: What the user asked for.
        entry: What one of its holders said of it; only its root is trusted.
        directory: Existing or creatable folder it lands in.
        sha256: Flat SHA-256 the file must have; ``None`` when it was not asked for by that.
        only: Patterns that choose files of a folder; none is all.
        others: What others offer under the same flat SHA-256, should ``entry`` turn out not to have it.
    """

    transfer_id: TransferId
    reference: str
    entry: CatalogEntry
    directory: Path
    sha256: bytes | None = None
    only: tuple[str, ...] = ()
    others: tuple[CatalogEntry, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether a folder is fetched, not a single file."""
        return self.entry.kind == "folder"

    @property
    def is_private(self) -> bool:
        """Whether others are not to get it from us."""
        return self.entry.is_private

    @property
    def name(self) -> str:
        """What is fetched, as its holder calls it."""
        return self.entry.path[-1]

    def next(self) -> Order | None:
        """Return the order for what is to be tried after ``entry``, if there is anything."""
        return replace(self, entry=self.others[0], others=self.others[1:]) if self.others else None

    def covers(self, other: Order) -> bool:
        """Whether fulfilling this one fulfils another; each thing a peer sends lands by its own name."""
        if other.is_private and (not self.is_private or self.name != other.name):
            return False
        is_same = (self.entry.root, self.directory, self.only) == (other.entry.root, other.directory, other.only)
        return is_same and other.sha256 in (None, self.sha256)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a transfer needs of the engine around it.

    Attributes:
        uploads: Where others get what is fetched.
        budget: The limit of all downloads together.
        links: Returns the open links to all peers.
        name_of: Returns what a peer calls itself.
        publish: Tells the engine's clients of a fact.
        changed: Called when a transfer may look different from before.
    """

    lanes: LanePool
    uploads: Outlet
    journal: Journal
    reuse: Reuse
    cache: StreamCache
    space: SpaceAccount
    budget: Budget
    links: Callable[[], list[Link]]
    name_of: Callable[[PeerId], str]
    publish: Callable[[Event], None]
    changed: Callable[[TransferId], None]

    def apart(self) -> Surroundings:
        """Return the same for what others are not to get from us."""
        return replace(self, uploads=Nowhere())
