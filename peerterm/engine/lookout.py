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

    from peerterm.engine.tasks import Tasks
    from peerterm.net.link import Link
    from peerterm.wire.messages import Have, HaveUpdate


class Lookout:
    """Asks peers for contents, and listens to their news of them.

    Args:
        tasks: Those of the service; it may end while a question is open.
        wanted: Returns the contents that are looked for now.
        on_found: Told of a content that a peer has.
    """

    def __init__(
        self, tasks: Tasks, wanted: Callable[[], Collection[Root]], on_found: Callable[[Root], None]
    ) -> None:
        self._wanted = wanted
        self._on_found = on_found
        self._asking = Asking(tasks, self._answered)

    def ask(self, link: Link, roots: Iterable[Root]) -> None:
        """Ask one peer for some of what is looked for; returns at once."""
        self._asking.ask(link, roots)

    def have_update(self, update: HaveUpdate) -> None:
        """Take a peer's news."""
        if not update.gone:
            self._found(Root(update.root))

    def _answered(self, link: Link, asked: list[Root], haves: list[Have]) -> None:
        del link, asked
        for root in {Root(have.root) for have in haves}:
            self._found(root)

    def _found(self, root: Root) -> None:
        if root in self._wanted():
            self._on_found(root)
