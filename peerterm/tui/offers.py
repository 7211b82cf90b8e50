"""Offers as the screen needs them: which wait for our answer, and what is news of them. Pure; no Textual.

Text is as peers gave it. Owned by ``model``; called by the Inbox and the rows around the panes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.tui import format as f

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.api.events import OfferIndexing
    from peerterm.api.views import OfferView

ENDED = ("declined", "withdrawn", "landed")
"""States in which nothing more becomes of an offer."""

_ANSWERS = {
    "accepted": ("info", "{peer} accepts {name}"),
    "declined": ("warning", "{peer} declined {name}"),
    "landed": ("info", "{peer} has {name} now"),
}


class Offers:
    """All offers by their ids.

    Attributes:
        views: As the engine told them last.
        seen: Those that wait for our answer, and that the user went to.
        reading: The paths that are being sent from here, and how far each is read.
    """

    def __init__(self) -> None:
        self.views: dict[str, OfferView] = {}
        self.seen: set[str] = set()
        self.reading: dict[str, OfferIndexing | None] = {}

    def reset(self, views: Iterable[OfferView]) -> None:
        """Take all offers anew."""
        self.views = {view.offer_id: view for view in views}
        self.seen &= self.views.keys()

    def changed(self, view: OfferView) -> tuple[str, str] | None:
        """Take an offer as it is now; return the level and text of what is news of it."""
        before = self.views.get(view.offer_id)
        self.views[view.offer_id] = view
        if before is not None and before.state == view.state:
            return None
        if not needs_answer(view):
            self.seen.discard(view.offer_id)
        if view.direction == "out":
            level, told = _ANSWERS.get(view.state, ("", ""))
            return (level, told.format(peer=view.peer_name, name=view.name)) if told else None
        if view.state == "offered":
            return "info", f"press I: {view.peer_name} offers {view.name} ({f.size(view.bytes)})"
        if view.state == "withdrawn":
            return "warning", f"{view.peer_name} withdrew {view.name}"
        return None

    # What is sent from here

    def read_on(self, event: OfferIndexing) -> bool:
        """Take note how far a path is read; return whether it is sent from here."""
        if event.path not in self.reading:
            return False
        self.reading[event.path] = event
        return True

    @property
    def progress(self) -> str:
        """Say how far what is sent from here is read; nothing if nothing is."""
        if not self.reading:
            return ""
        known = [each for each in self.reading.values() if each is not None]
        total = sum(each.bytes for each in known)
        done = f.percent(sum(each.done_bytes for each in known), total) if total else "counting"
        eta = max((each.eta for each in known if each.eta is not None), default=None)
        return f"send {done}" + (f" {f.duration(eta)}" if eta is not None else "")

    # What waits

    @property
    def waiting(self) -> list[OfferView]:
        """What waits for our answer, oldest first."""
        return [view for view in self.views.values() if needs_answer(view)]

    def next_unseen(self) -> str:
        """Return what waits for our answer and was not looked at, and take it that it is now; empty for none."""
        unseen = next((view.offer_id for view in self.waiting if view.offer_id not in self.seen), "")
        if unseen:
            self.seen.add(unseen)
        return unseen


def needs_answer(view: OfferView) -> bool:
    """Whether it was offered to us and our user has not said anything to it."""
    return view.direction == "in" and view.state == "offered"


def is_over(view: OfferView) -> bool:
    """Whether nothing more becomes of it."""
    return view.state in ENDED


def order_of(view: OfferView) -> tuple[int, float]:
    """Return what sorts offers: what waits for our answer, what is under way, what is over; each newest first."""
    rank = 0 if needs_answer(view) else 2 if is_over(view) else 1
    return rank, -view.sent_at
