"""How offers read: a row of the Inbox, the lines above the items of one, an item. Pure; no Textual.

Text of peers goes through unchanged: the widgets clean it. Called by the Inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.display import counted
from peerterm.tui import format as f
from peerterm.tui.offers import is_over, needs_answer
from peerterm.tui.widgets.cells import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from peerterm.api.views import OfferItemView, OfferView, TransferView
    from peerterm.tui.widgets.cells import Tone

_WAYS = {"in": ("↓", "v"), "out": ("↑", "^")}
_WORDS: dict[tuple[str, str], tuple[str, str, Tone]] = {
    ("in", "offered"): ("answer it", "waits for your answer", "accent"),
    ("in", "accepted"): ("coming", "accepted; it comes while {peer} is here and has it", "normal"),
    ("in", "landed"): ("here", "all that you accepted is here", "good"),
    ("in", "declined"): ("declined", "you declined it", "dim"),
    ("in", "withdrawn"): ("withdrawn", "{peer} withdrew it", "warn"),
    ("in", "failed"): ("failed", "its downloads failed; r in Transfers tries again", "bad"),
    ("out", "queued"): ("not told", "{peer} hears of it once it is here", "warn"),
    ("out", "offered"): ("offered", "{peer} has not answered", "normal"),
    ("out", "accepted"): ("accepted", "{peer} fetches it", "normal"),
    ("out", "landed"): ("there", "{peer} has all that it wanted of it", "good"),
    ("out", "declined"): ("declined", "{peer} declined it", "warn"),
    ("out", "withdrawn"): ("withdrawn", "you withdrew it", "dim"),
}
"""Of an offer's way and state: the word in its row, what is said of it, and the tone of the word."""


def cells_of(
    view: OfferView, transfers: Mapping[str, TransferView], *, ascii_only: bool
) -> tuple[Cell | str, Cell | str, Cell | str, str, str, Cell]:
    """Return the cells of an offer's row: way, what, who, files, size, state."""
    word, _, tone = _WORDS.get((view.direction, view.state), (view.state, view.state, "normal"))
    if view.state == "accepted" and (done := progress_of(view, transfers)):
        word = f"{word} {done}"
    name_tone: Tone = "bold" if needs_answer(view) else "dim" if is_over(view) else "normal"
    return (
        Cell(_WAYS[view.direction][ascii_only], tone),
        Cell(f"{view.name}{'/' * _is_folder(view)}", name_tone),
        Cell(f"{'from' if view.direction == 'in' else 'to'} {view.peer_name}", name_tone),
        f"{view.files:,}",
        f.size(view.bytes),
        Cell(word, tone),
    )


def progress_of(view: OfferView, transfers: Mapping[str, TransferView]) -> str:
    """Return how much of what was accepted is here; nothing if that is not known."""
    known = [transfers[key] for key in view.transfer_ids if key in transfers]
    total = sum(each.total for each in known)
    return f.percent(sum(each.bytes for each in known), total) if total else ""


def headline(views: Sequence[OfferView]) -> str:
    """Say above the offers how many wait."""
    waiting = sum(map(needs_answer, views))
    if not views:
        return "Inbox"
    return f"Inbox: {counted(waiting, 'offer')} to answer" if waiting else "Inbox: nothing to answer"


def lines_of(view: OfferView) -> list[str]:
    """Say of an offer who made it, how much it is, and what became of it."""
    who = f"from {view.peer_name}, by its clock" if view.direction == "in" else f"to {view.peer_name}"
    lines = [
        f"{who} {f.date(view.sent_at)} {f.clock(view.sent_at)[:5]}   {counted(view.files, 'file')},"
        f" {f.size(view.bytes)}",
        state_of(view),
    ]
    return [*lines, view.error] if view.error else lines


def state_of(view: OfferView) -> str:
    """Say in words how far it is, and where it goes."""
    _, said, _ = _WORDS.get((view.direction, view.state), ("", view.state, "normal"))
    said = said.format(peer=view.peer_name)
    return f"{said}; into {view.directory}" if view.directory else said


def keys_of(view: OfferView | None) -> str:
    """Name the keys that answer an offer, take it back, or show how it comes; only those that do something."""
    if view is None:
        return ""
    if needs_answer(view):
        return "a accept  D to folder  x decline  "
    end = "" if is_over(view) else f"x {'give up' if view.direction == 'in' else 'take back'}  "
    return end + ("4 transfers  " if view.transfer_ids else "")


def item_cells(number: int, item: OfferItemView) -> tuple[str, Cell, Cell, str, str]:
    """Return the cells of an item: its number, name, kind, files and size."""
    is_folder = item.kind == "folder"
    return (
        str(number),
        Cell(f"{item.name}{'/' * is_folder}", "accent" if is_folder else "normal"),
        Cell(item.kind, "dim"),
        f"{item.files:,}",
        f.size(item.size),
    )


def item_facts(item: OfferItemView) -> list[tuple[str, str]]:
    """Say all that is known of an item."""
    return [
        ("kind", item.kind),
        ("files", f"{item.files:,}"),
        ("size", f"{f.size(item.size)}, {item.size:,} bytes"),
        ("root", item.root),
    ]


def _is_folder(view: OfferView) -> bool:
    return len(view.items) == 1 and view.items[0].kind == "folder"
