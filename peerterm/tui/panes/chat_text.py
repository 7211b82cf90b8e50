"""How a conversation reads: its lines, who said them and when, what links in them stand for. Pure; no Textual.

Text of peers goes through unchanged: the widgets clean it. Called by the pane.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from rich.cells import cell_len

from peerterm.core.lines import OFFER, room_name
from peerterm.core.mentions import is_mention
from peerterm.display import clean, counted, short_id, some
from peerterm.errors import PeertermError
from peerterm.tui import format as f
from peerterm.tui.conversations import MAX_LINES, MAX_NOTICES, NOTICE
from peerterm.tui.links import link_to
from peerterm.tui.offer_text import state_of as state_of_offer
from peerterm.tui.widgets.cells import Cell, fit, steady
from peerterm.tui.widgets.log_lines import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from peerterm.api.views import ConversationView, MessageView, OfferView, PeerView, StatusView
    from peerterm.tui.widgets.cells import Tone

NAME_CELLS = 10
DOER_CELLS = 16
"""Most of a name before what somebody does."""

PREFIX_CELLS = (5, NAME_CELLS, 2)
"""Cells of the time, the sender, and how far a line of ours got."""

MAX_ROWS = MAX_LINES + MAX_NOTICES + 300
"""Most lines of the screen's log: those of the conversation, and notices and rules between them."""

NOT_LEFT = "only rooms can be left; u mutes this"

UNREAD = "unread"
"""Id of the rule before what is new."""

MAX_LINKS = 32
"""Most links of one line that are live."""

MAX_LINK_CELLS = 40
"""Most cells of what a link says the content is called."""

_LINK = re.compile(r"(?<![\w:])(?:peerterm:)?([0-9a-f]{64})(?![0-9a-zA-Z])(\?(?:name|size)=[^\s]*)?")
_MARKS = {"queued": ("…", ".."), "sent": ("→", ">"), "delivered": ("✓", "+"), "read": ("✓✓", "++")}
_STATES = {
    "direct": {
        "queued": "waits; it goes by itself when {name} is here",
        "sent": "sent",
        "delivered": "delivered",
        "read": "read",
    },
    "room": {
        "queued": "waits until somebody is here",
        "sent": "sent",
        "delivered": "delivered to somebody",
        "read": "read",
    },
}


@dataclass(frozen=True, slots=True)
class Link:
    """A content that a line names.

    Attributes:
        root: Its root.
        name: What the sender says it is called; empty if nothing.
        size: How large the sender says it is; ``None`` if nothing.
    """

    root: str
    name: str = ""
    size: int | None = None

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name or short_id(self.root)

    @property
    def text(self) -> str:
        """How it stands in a line: short, and never without the beginning of its root."""
        size = f" {f.size(self.size)}" if self.size is not None else ""
        return f"[{self.name}{size} {short_id(self.root)}]" if self.name else f"[{short_id(self.root)}{size}]"

    @property
    def link(self) -> str:
        """The link, made anew."""
        return link_to(self.root, self.name, self.size) if self.name and self.size is not None else self.root


def links_in(text: str) -> list[Link]:
    """Return the contents that a text names by link or whole root, each once."""
    found = {found[1]: _link(found[1], found[2]) for found in _LINK.finditer(text)}
    return list(found.values())[:MAX_LINKS]


def _link(root: str, details: str | None) -> Link:
    try:
        given = parse_qs((details or "").removeprefix("?"), max_num_fields=8)
    except ValueError:
        given = {}
    size = given.get("size", [""])[0]
    name = steady(given.get("name", [""])[0]).strip()
    name = fit(name, min(cell_len(name), MAX_LINK_CELLS))
    return Link(root, name, int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None)


def with_short_links(text: str) -> str:
    """Return a text with each link as ``Link.text``, so that it does not fill rows with digits."""
    return _LINK.sub(lambda found: _link(found[1], found[2]).text, text)


class Speakers:
    """What those who speak are called: two of one name, or one of ours, are told apart by their ids."""

    def __init__(self, own: StatusView | None, peers: Iterable[PeerView]) -> None:
        self._own_id = own.peer_id if own else ""
        self.own_name = own.name if own else ""
        names = Counter(clean(peer.name).casefold() for peer in peers)
        names[clean(self.own_name).casefold()] += 1
        self._doubtful = {name for name, count in names.items() if count > 1}

    def is_own(self, line: MessageView) -> bool:
        """Whether we said it."""
        return line.sender == self._own_id

    def name(self, sender: str, name: str, cells: int = NAME_CELLS) -> str:
        """Return the name of a speaker; in so many cells with the start of its id, where others are called so."""
        is_doubtful = sender != self._own_id and clean(name).casefold() in self._doubtful
        if not is_doubtful:
            return name
        return f"{fit(name, cells - 5).rstrip()}~{sender[:4]}"

    def says_us(self, line: MessageView) -> bool:
        """Whether a line of another names us."""
        return not self.is_own(line) and is_mention(line.text, self.own_name)


def row_of(line: MessageView, speakers: Speakers, *, ascii_only: bool) -> LogLine:
    """Return a line as the log draws it."""
    if line.kind == NOTICE:
        came_or_went = f"{speakers.name(line.sender, line.sender_name, 16)[:64]} {line.text}"
        return LogLine(came_or_went, (Cell(said_at(line), "dim"), Cell("--", "dim"), Cell("")), "dim", line.id)
    is_own, names_us = speakers.is_own(line), speakers.says_us(line)
    text = with_short_links(line.text)
    name = Cell(speakers.name(line.sender, line.sender_name), "good" if is_own else "accent")
    tone: Tone = "bold" if names_us else "accent" if text != line.text else "normal"
    if line.kind == "me":
        doer = steady(speakers.name(line.sender, line.sender_name, DOER_CELLS))
        doer = fit(doer, min(cell_len(doer), DOER_CELLS))
        text, name = f"{doer} {text}", Cell("*", name.tone)
    elif line.kind != "text":
        tone = "accent" if line.kind == OFFER else "dim" if tone == "normal" else tone
    mark = _MARKS[line.state][ascii_only] if line.state in _MARKS else "@" if names_us else ""
    mark_tone: Tone = "warn" if line.state == "queued" or names_us else "dim"
    prefix = (Cell(said_at(line), "dim"), name, Cell(mark, mark_tone))
    return LogLine(text, prefix, tone, line.id)


def rows_of(
    lines: Sequence[MessageView],
    speakers: Speakers,
    before: str = "",
    *,
    new: tuple[str, int] = ("", 0),
    ascii_only: bool,
) -> list[LogLine]:
    """Return lines as the log draws them, with a rule before each new day.

    Args:
        lines: Oldest first.
        speakers: Who they are.
        before: The day that stands above them.
        new: Id of the first line that is new, before which a rule says so, and how many are.
        ascii_only: Whether only ASCII may be written.
    """
    rows: list[LogLine] = []
    for line in lines:
        if (day := f.date(line.kept_at)) != before:
            rows.append(day_rule(day))
            before = day
        if line.id == new[0]:
            rows.append(unread_rule(new[1]))
        rows.append(row_of(line, speakers, ascii_only=ascii_only))
    return rows


def day_rule(day: str) -> LogLine:
    """Return the rule before a day."""
    return LogLine(day, tone="dim", line_id=f"day {day}", is_rule=True)


def unread_rule(count: int) -> LogLine:
    """Return the rule before what is new."""
    return LogLine(f"{count} new", tone="warn", line_id=UNREAD, is_rule=True)


def said_at(line: MessageView) -> str:
    """Return when a line was said by its sender's clock: the time, or the day if it came on another."""
    if f.date(line.sent_at) != f.date(line.kept_at):
        return f.date(line.sent_at)[5:] or "-"
    return f.clock(line.sent_at)[:5]


def first_new(lines: Sequence[MessageView], speakers: Speakers, unread: int) -> str:
    """Return the id of the first of so many unread lines; ours are none. Empty if there is none."""
    first = ""
    for line in reversed(lines):
        if unread <= 0:
            break
        if not speakers.is_own(line):
            first, unread = line.id, unread - 1
    return first


def plain_line(line: MessageView) -> str:
    """Return a line as text to copy: all of it, links as they were sent."""
    who = f"* {line.sender_name}" if line.kind == "me" else f"{line.sender_name}:"
    return f"{f.date(line.sent_at)} {f.clock(line.sent_at)[:5]} {clean(who)} " + "\n".join(
        map(clean, line.text.splitlines())
    )


def headline(view: ConversationView, peer: PeerView | None, last: MessageView | None) -> str:
    """Say above the lines who is there, and how far what we said last got.

    Args:
        view: The conversation.
        peer: Of a direct one, the other side.
        last: Our newest line.
    """
    if view.kind == "room":
        names = some([member.name for member in view.members], 4)
        parts = [f"{view.name}  with {names}" if view.members else f"{view.name}  nobody else is here"]
    else:
        parts = [f"{view.name}  {peer.state if peer else 'offline'}"]
    if last:
        parts.append(f"your last line: {state_of(last, view)}")
    if view.is_muted:
        parts.append("muted")
    return "   ".join(parts)


def state_of(line: MessageView, view: ConversationView) -> str:
    """Say in words how far a line of ours got."""
    if line.state == "received":
        return "received"
    return _STATES[view.kind][line.state].format(name=view.name)


def invitation(view: ConversationView, peer: PeerView | None) -> tuple[str, ...]:
    """Say why there are no lines, and what to do about it."""
    if view.kind == "room":
        return (f"Nothing was said in {view.name} yet.", "Enter writes to everybody who is here.")
    if peer and peer.state == "online":
        return (f"Nothing was said to {view.name} yet.", "Enter writes; nobody else can read it.")
    return (f"{view.name} is not here.", "Enter writes all the same; it goes by itself when both are.")


def offered(offer: OfferView) -> str:
    """Say of the offer at the cursor how far it is, and the key that opens it."""
    return f"o opens {offer.name}, {f.size(offer.bytes)}: {state_of_offer(offer)}"


def offer_of(links: Sequence[Link]) -> str:
    """Say what can be done with the links of the line at the cursor."""
    what = links[0].title if len(links) == 1 else f"one of {len(links)} links"
    size = f", {f.size(links[0].size)}" if len(links) == 1 and links[0].size is not None else ""
    return f"d downloads {what}{size}; w plays it"


def facts(
    view: ConversationView, line: MessageView | None, speakers: Speakers, peers: Mapping[str, PeerView]
) -> list[tuple[str, str]]:
    """Say who takes part, and all that is known of a line."""
    found = [("unread", str(view.unread)), ("muted", "yes" if view.is_muted else "no")]
    if view.kind == "room":
        found.insert(0, ("members", f"you and {counted(len(view.members), 'other')}"))
        for member in view.members:
            state = peers[member.peer_id].state if member.peer_id in peers else "offline"
            way = state if state == "online" else "heard through others"
            found.append(("", f"{member.name}  {way}  {short_id(member.peer_id)}"))
    else:
        state = peers[view.conversation].state if view.conversation in peers else "offline"
        found.insert(0, ("state", state))
        found.insert(1, ("id", view.conversation))
    if line:
        found += _facts_of_line(view, line, speakers)
    return found


def _facts_of_line(view: ConversationView, line: MessageView, speakers: Speakers) -> list[tuple[str, str]]:
    said = [
        ("line", with_short_links(line.text).splitlines()[0] if line.text else ""),
        ("said by", f"{line.sender_name}  {short_id(line.sender)}"),
        ("said at", f"{f.date(line.sent_at)} {f.clock(line.sent_at)} by the sender's clock"),
        ("here at", f"{f.date(line.kept_at)} {f.clock(line.kept_at)}"),
    ]
    if speakers.is_own(line):
        said.append(("state", state_of(line, view)))
    return said + [("link", f"{link.title}  {link.root}") for link in links_in(line.text)]


def typeable(names: Iterable[str]) -> list[str]:
    """Return names as they can be typed."""
    return [name for each in names if (name := clean(each).strip())]


def fault_of_room(name: str) -> str:
    """Return what is wrong with the name of a room; nothing if it can be entered."""
    try:
        room_name(name if name.startswith("#") else f"#{name}")
    except PeertermError as error:
        return error.advice
    return ""
