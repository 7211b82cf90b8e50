"""How a transfer reads: its row, all of its facts, and what stops it. Pure; no Textual.

Text of peers goes through unchanged: the widgets clean it. Called by the list, the details and the pane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.api.views import ENDED
from peerterm.display import counted, human_bytes, human_rate, human_seconds
from peerterm.errors import DiskFull
from peerterm.tui import format as f
from peerterm.tui.links import link_to
from peerterm.tui.widgets.cells import Cell, Tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerterm.api.views import SourceView, TransferView

BAR_CELLS = 10

_LOOKS: dict[str, tuple[str, str, Tone]] = {
    "queued": ("·", ".", "dim"),
    "connecting": ("·", ".", "dim"),
    "running": ("↓", "v", "normal"),
    "waiting": ("!", "!", "warn"),
    "paused": ("=", "=", "dim"),
    "verifying": ("~", "~", "accent"),
    "done": ("✓", "+", "good"),
    "failed": ("!", "!", "bad"),
    "cancelled": ("✕", "x", "dim"),
}


def is_download(view: TransferView) -> bool:
    """Whether it is one that the user can do something about: peers ask for uploads."""
    return view.direction == "down"


def is_over(view: TransferView) -> bool:
    """Whether it has ended."""
    return view.state in ENDED


def is_partial(view: TransferView) -> bool:
    """Whether it ended with something on disk that is not complete."""
    return is_download(view) and view.state in {"failed", "cancelled"} and view.bytes > 0


def name_of(view: TransferView) -> str:
    """Return its name; a folder's with a slash and its files."""
    return f"{view.name}/ ({counted(view.files, 'file')})" if view.kind == "folder" else view.name


def names_of(views: Sequence[TransferView]) -> str:
    """Name one transfer, or say how many they are."""
    return views[0].name if len(views) == 1 else counted(len(views), "transfer")


def peers_of(view: TransferView) -> str:
    """Name whom it comes from or goes to: who is active, else who was."""
    sources = by_use(view)
    names = [source.name for source in sources if source.state == "active"]
    names = names or [source.name for source in sources]
    return "-" if not names else names[0] + (f" +{len(names) - 1}" if len(names) > 1 else "")


def trouble(view: TransferView) -> str:
    """Say in a few words what stops it; empty if nothing does."""
    if view.state == "waiting":
        had = [source.name for source in view.sources]
        who = "peer" if len(had) == 1 else "peers"
        return f"{who} gone, resumes by itself" if had else "nobody has it, it waits"
    if view.state == "paused" and view.error:
        what = "disk full" if view.error_code == DiskFull.code else "disk out of use"
        return f"{what}, resumes by itself"
    return view.error or "failed" if view.state == "failed" else ""


def tone_of(view: TransferView) -> Tone:
    """Return the tone of its state."""
    return "warn" if view.state == "paused" and view.error else _LOOKS[view.state][2]


def row(view: TransferView, *, ascii_only: bool) -> tuple[Cell, ...]:
    """Return its cells, in the order of the list's columns."""
    glyph, plain, _ = _LOOKS[view.state]
    if not is_download(view) and view.state == "running":
        glyph, plain = "↑", "^"
    tone = tone_of(view)
    rest: Tone = "dim" if is_over(view) or view.state in {"queued", "paused"} else "normal"
    is_running = view.state == "running"
    return (
        Cell(plain if ascii_only else glyph, tone),
        Cell(name_of(view), "dim" if view.state == "cancelled" else "normal"),
        Cell(_progress(view, ascii_only=ascii_only), rest),
        Cell(f.size(view.total), rest),
        Cell(peers_of(view), rest),
        Cell(f.rate(view.rate) if is_running else view.state, "normal" if is_running else tone),
        Cell(f.duration(view.eta) if is_running else "-", rest),
    )


def _progress(view: TransferView, *, ascii_only: bool) -> str:
    if not is_download(view):
        return ""
    share = view.bytes / view.total if view.total else float(view.state == "done")
    done = f.percent(view.bytes, view.total) if view.total else f"{share:.0%}"
    return f"{f.bar(share, BAR_CELLS, ascii_only=ascii_only)} {done:>4}"


def copies(view: TransferView) -> list[tuple[str, str, str]]:
    """Return what can be copied: a key, what it is, and the text."""
    link = link_to(view.root, view.name, view.total)
    return [("l", "link", link), ("r", "root", view.root), ("p", "path", view.path), ("n", "name", view.name)]


def facts(view: TransferView) -> list[tuple[str, str]]:
    """Return all that is known of it."""
    found = [("state", view.state), ("trouble", view.error)]
    if is_download(view):
        done = f.percent(view.bytes, view.total)
        found += [
            ("has", f"{human_bytes(view.bytes)} of {human_bytes(view.total)} ({done})"),
            ("files", f"{view.done_files:,} of {view.files:,}" if view.kind == "folder" else ""),
            ("left", "" if is_over(view) else human_seconds(view.eta)),
            ("limit", human_rate(view.limit) if view.limit else "none"),
            ("priority", str(view.priority)),
            ("from here", f"{human_bytes(view.local_bytes)} copied from this machine"),
            ("wasted", f"{human_bytes(view.wasted_bytes)} that came and were of no use"),
        ]
    else:
        found += [("sent", human_bytes(view.bytes))]
    found += [
        ("rate", "" if is_over(view) else human_rate(view.rate)),
        ("took" if is_over(view) else "so far", human_seconds(view.seconds)),
        ("path", view.path),
        ("root", view.root),
        ("id", view.transfer_id),
    ]
    found += [("peer", f"{each.name}: {_source_text(each)}, id {each.peer_id}") for each in by_use(view)]
    return [(name, text) for name, text in found if text]


def _source_text(source: SourceView) -> str:
    bad = f", {counted(source.strikes, 'strike')}" if source.strikes else ""
    moving = f" {human_rate(source.rate)}" if source.rate else ""
    return f"{source.state}{moving}, {human_bytes(source.bytes)}{bad}"


def by_use(view: TransferView) -> list[SourceView]:
    """Return its sources, those that give most now in front."""
    return sorted(view.sources, key=lambda source: (source.state != "active", -source.rate, -source.bytes))
