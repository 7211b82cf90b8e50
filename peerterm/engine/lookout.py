"""Finds out when a peer has what transfers wait for that have no attempt to ask for them.

Many may wait, for as long as it takes: all that each costs is a root in a question. Called by
``engine.runs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.ids import Root
from peerterm.engine.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from peerterm.core.ids import TransferId
    from peerterm.engine.tasks import Tasks
    from peerterm.net.link import Link
    from peerterm.wire.messages import Have, HaveUpdate


class Lookout:
    """Asks peers for contents, and listens to their news of them.

    Args:
        tasks: Those of the service; it may end while a question is open.
        on_found: Told of the transfers whose content a peer has; they are not looked out for any more.
    """

    def __init__(self, tasks: Tasks, on_found: Callable[[Collection[TransferId]], None]) -> None:
        self._on_found = on_found
        self._asking = Asking(tasks, self._answered)
        self._waiting: dict[Root, dict[TransferId, None]] = {}

    def look_for(self, transfer_id: TransferId, root: Root, links: Iterable[Link]) -> None:
        """Look out for what a transfer waits for, and ask the peers that are online now; returns at once."""
        self._waiting.setdefault(root, {})[transfer_id] = None
        for link in links:
            self._asking.ask(link, [root])

    def forget(self, transfer_id: TransferId, root: Root) -> None:
        """Look out no more for what a transfer waited for; fine if it did not."""
        waiting = self._waiting.get(root, {})
        waiting.pop(transfer_id, None)
        if not waiting:
            self._waiting.pop(root, None)

    def link_opened(self, link: Link) -> None:
        """Ask a peer for everything that is looked for; returns at once."""
        self._asking.ask(link, self._waiting)

    def have_update(self, update: HaveUpdate) -> None:
        """Take a peer's news."""
        if not update.gone:
            self._found(Root(update.root))

    def _answered(self, link: Link, asked: list[Root], haves: list[Have]) -> None:
        del link, asked
        for have in haves:
            self._found(Root(have.root))

    def _found(self, root: Root) -> None:
        if found := self._waiting.pop(root, None):
            self._on_found(found)
