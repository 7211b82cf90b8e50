"""How a stream reads: its rows, all of its facts, and where it can be read from. Pure; no Textual.

Text of peers goes through unchanged: the widgets clean it. Called by the pane and by its details.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.playhead import MAX_AHEAD_BYTES, MAX_AHEAD_SECONDS
from peerterm.display import counted, human_bytes, human_rate
from peerterm.player.playing import clock
from peerterm.player.remote import tunnel_command
from peerterm.tui import format as f
from peerterm.tui.links import link_to
from peerterm.tui.widgets.cells import Cell, Tone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from peerterm.api.views import SourceView, StreamItemView, StreamView, TransferView
    from peerterm.tui.local_player import Showing

BAR_CELLS = 10

_Look = tuple[str, str, str, Tone]
_OPENING: _Look = ("~", "~", "opening", "accent")
_PLAYING: _Look = ("▶", ">", "playing", "good")
_PAUSED: _Look = ("=", "=", "paused", "dim")
_STALLED: _Look = ("!", "!", "buffering", "warn")
_WAITING: _Look = ("!", "!", "waiting", "warn")
_COMING: _Look = ("↓", "v", "coming", "normal")
_OPEN: _Look = ("·", ".", "open", "dim")
_LOCAL: _Look = ("✓", "+", "here", "good")
_NOTHING: _Look = ("", "", "", "dim")


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream, or one item of a folder that is streamed.

    Attributes:
        view: The stream.
        number: The item, counted from 0; ``None`` is the row of the stream.
        showing: What the player of this program shows, if that is this stream.
    """

    view: StreamView
    number: int | None = None
    showing: Showing | None = None

    @property
    def key(self) -> str:
        """What stands for the row in the list."""
        return self.view.stream_id if self.number is None else f"{self.view.stream_id}/{self.number}"

    @property
    def current(self) -> int:
        """The item that plays, or is read last."""
        number = self.showing.number if self.showing else self.view.item
        return min(number, len(self.view.items) - 1)

    @property
    def is_current(self) -> bool:
        """Whether it is the stream, or what plays of it."""
        return self.number in {None, self.current}

    @property
    def item(self) -> StreamItemView:
        """What it is about: the item, or of a stream what plays of it."""
        return self.view.items[self.current if self.number is None else self.number]

    @property
    def name(self) -> str:
        """Its name; a folder's with a slash."""
        is_folder = self.number is None and self.view.kind == "folder"
        return f"{self.view.name}/" if is_folder else self.item.name


def rows_of(views: Iterable[StreamView], showing: Showing | None) -> list[StreamRow]:
    """Return the rows of the list: the streams, each folder with what is played of it in its order."""
    rows: list[StreamRow] = []
    for view in views:
        shown = showing if showing and showing.stream_id == view.stream_id else None
        rows.append(StreamRow(view, None, shown))
        if view.kind == "folder":
            rows += [StreamRow(view, number, shown) for number in range(len(view.items))]
    return rows


def row_cells(row: StreamRow, *, ascii_only: bool) -> tuple[Cell, ...]:
    """Return the cells of a row, in the order of the list's columns."""
    glyph, plain, word, tone = look_of(row)
    is_stream = row.number is None
    rate = row.view.rate if is_stream else 0.0
    name = row.name if is_stream else f"  {row.name}"
    return (
        Cell(plain if ascii_only else glyph, tone),
        Cell(
            name, "accent" if is_stream and row.view.kind == "folder" else "bold" if _is_played(row) else "normal"
        ),
        Cell(word, tone),
        Cell(_where(row)),
        Cell(buffer_of(row, ascii_only=ascii_only) if is_stream else ""),
        Cell(f.rate(rate) if rate else "" if not is_stream else "-"),
        Cell(sources_of(row.view) if is_stream else ""),
    )


def look_of(row: StreamRow) -> _Look:
    """Return glyph, ASCII glyph, word and tone of its state; nothing of an item that does not play."""
    view = row.view
    if not row.is_current or (row.number is not None and row.showing is None and not view.position):
        return _NOTHING
    if row.showing is None:
        streaming = _COMING if view.rate else _OPEN
        return {"waiting": _WAITING, "local": _LOCAL}.get(view.state, streaming)
    if row.showing.playback is None:
        return _OPENING
    position = row.showing.position
    if position is None:
        return _PLAYING
    if position.is_paused:
        return _PAUSED
    is_short = position.is_stalled or not position.is_started
    if is_short and view.state == "waiting":
        return _WAITING
    if position.is_stalled:
        return _STALLED
    return _PLAYING if position.is_started else _OPENING


def _is_played(row: StreamRow) -> bool:
    return row.showing is not None and row.number is not None and row.is_current


def _where(row: StreamRow) -> str:
    if row.number is None and row.view.kind == "folder":
        return f"{row.current + 1} of {len(row.view.items)}"
    return place_of(row) if row.is_current else ""


def place_of(row: StreamRow) -> str:
    """Say where the player is, as ``12:03 of 1:42:00``; empty if it does not say."""
    position = row.showing.position if row.showing else None
    if position is None or position.seconds is None:
        return ""
    of = f" of {clock(position.duration)}" if position.duration else ""
    return f"{clock(position.seconds)}{of}"


def needs_of(row: StreamRow) -> float:
    """Return the bytes a second of what plays; 0 if that is not known."""
    position = row.showing.position if row.showing else None
    return row.item.size / position.duration if position and position.duration else 0.0


def ahead_of(row: StreamRow) -> tuple[float, float] | None:
    """Return how many seconds are here of what comes next, and how many come; ``None`` if that is not known."""
    view, position, needs = row.view, row.showing.position if row.showing else None, needs_of(row)
    if not needs or position is None or position.seconds is None or view.item != row.current:
        return None
    left = row.item.size / needs - position.seconds
    return max(
        (view.position + view.ahead) / needs - position.seconds, 0
    ), left  # what the player holds counts, too


def buffer_of(row: StreamRow, *, ascii_only: bool) -> str:
    """Draw and say how much of what comes next is here; empty if all is."""
    view, seconds = row.view, ahead_of(row)
    if view.state == "local":
        return ""
    wanted: float = min(MAX_AHEAD_BYTES, row.item.size - view.position)
    here, said = float(view.ahead), f.size(view.ahead)
    if seconds is not None:
        here, wanted, said = seconds[0], min(MAX_AHEAD_SECONDS, seconds[1]), f.duration(seconds[0])
    return f"{f.bar(here / wanted if wanted > 0 else 1, BAR_CELLS, ascii_only=ascii_only)} {said}"


def by_use(view: StreamView) -> list[SourceView]:
    """Return its sources, those that give most now in front."""
    return sorted(view.sources, key=lambda source: (source.state != "active", -source.rate, -source.bytes))


def sources_of(view: StreamView) -> str:
    """Name whom it comes from: who is active, else who was."""
    sources = by_use(view)
    names = [source.name for source in sources if source.state == "active"]
    names = names or [source.name for source in sources]
    if not names:
        return "this machine" if view.state == "local" else "-"
    return names[0] + (f" +{len(names) - 1}" if len(names) > 1 else "")


def kept_of(row: StreamRow, transfers: Mapping[str, TransferView]) -> str:
    """Say whether the item becomes a download; empty if not."""
    roots = {view.root: view for view in transfers.values() if view.direction == "down"}
    if (view := roots.get(row.item.root)) is None or view.state == "cancelled":
        return ""
    return f"{view.state}, {f.percent(view.bytes, view.total)}" + f" in {view.path}" * bool(view.path)


def copies(row: StreamRow, environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return what can be copied: a key, what it is, and the text."""
    item = row.item
    return [
        ("l", "link", item.url),
        ("s", "ssh command", tunnel_command(item.url, environment)),
        ("p", "peerterm link", link_to(item.root, item.name, item.size)),
        ("n", "name", item.name),
    ]


def facts(
    row: StreamRow, transfers: Mapping[str, TransferView], environment: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return all that is known of it."""
    view, item, needs = row.view, row.item, needs_of(row)
    is_folder = view.kind == "folder"
    found = [
        ("state", look_of(row)[2] or "not played yet"),
        ("player", row.showing.player if row.showing else ""),
        ("at", place_of(row) if row.is_current else ""),
        ("items", f"{row.current + 1} of {len(view.items)}: {item.name}" if is_folder else ""),
        ("size", f"{human_bytes(item.size)}, {item.mime}"),
        ("needs", human_rate(needs) if needs and row.is_current else ""),
        ("rate", human_rate(view.rate) if view.state == "streaming" else ""),
        ("ahead", human_bytes(view.ahead)),
        ("came", human_bytes(view.bytes) if view.bytes else ""),
        ("kept", kept_of(row, transfers) or "no; d keeps it"),
        ("address", item.url),
        ("ssh command", tunnel_command(item.url, environment)),
        ("root", item.root),
        ("id", view.stream_id),
    ]
    found += [("subtitles", f"{each.name} {each.language}".strip()) for each in item.subtitles]
    found += [("peer", f"{each.name}: {_source_text(each)}, id {each.peer_id}") for each in by_use(view)]
    return [(name, text) for name, text in found if text]


def _source_text(source: SourceView) -> str:
    bad = f", {counted(source.strikes, 'strike')}" if source.strikes else ""
    moving = f" {human_rate(source.rate)}" if source.rate else ""
    return f"{source.state}{moving}, {human_bytes(source.bytes)}{bad}"
