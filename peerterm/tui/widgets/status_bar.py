"""The row above the hints: who we are, what moves, what went wrong; and for a few seconds, what just happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from peerterm.display import counted
from peerterm.tui.format import duration, rate
from peerterm.tui.widgets.cells import fit, steady
from peerterm.tui.widgets.plain import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.timer import Timer

    from peerterm.tui.model import Model

NEWS_SECONDS, ERROR_SECONDS = 4.0, 8.0
"""How long news stand in the row before its usual text returns."""

_STYLES = {"info": "", "warning": "$warning", "error": "bold $error"}
_RANKS = {"progress": 1, "warning": 1, "error": 2}

MAX_NAME_CELLS = 24
"""Most of our own name that stands in the row."""

MAX_SENDER_CELLS = 12
"""Most of the name of who waits to be read."""


class StatusBar(Static):
    """One row. From the right, parts that do not fit are left out; failures, unread lines and offers never are."""

    DEFAULT_CSS = """
    StatusBar {
        height: 1; text-wrap: nowrap; text-overflow: ellipsis; background: $surface; color: $foreground;
    }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._parts: list[str] = []
        self._alarms = self._unread = ""
        self._news: Content | None = None
        self._rank = 0
        self._timer: Timer | None = None

    def show(self, model: Model) -> None:
        """Show the engine as it is now."""
        parts, ends = parts_of(model), (alarms_of(model), unread_of(model) + offers_of(model))
        is_seen = ends != (self._alarms, self._unread) or (parts != self._parts and self._news is None)
        self._parts, (self._alarms, self._unread) = parts, ends
        if is_seen:
            self._draw()

    def tell(self, news: Sequence[tuple[str, str]]) -> None:
        """Tell the most serious of several news, the latest of such; nothing less while an alarm stands here."""
        if news:
            level, text = max(reversed(news), key=lambda each: _RANKS.get(each[0], 0))
            if self._news is None or _RANKS.get(level, 0) >= self._rank:
                self.say(text, level)

    def say(self, text: str, level: str = "info") -> None:
        """Tell something in place of the usual text, for a few seconds."""
        if self._timer:
            self._timer.stop()
        self._rank = _RANKS.get(level, 0)
        self._news = safe(" ", (text, _STYLES.get(level, "")))
        self._timer = self.set_timer(ERROR_SECONDS if level == "error" else NEWS_SECONDS, self._news_over)
        self._draw()

    def _news_over(self) -> None:
        self._news = None
        self._draw()

    def on_resize(self) -> None:
        """Fit the row to its width."""
        self._draw()

    def _draw(self) -> None:
        self.update(status_row(self._parts, self._alarms, self._news, self.size.width, self._unread), layout=False)


def status_row(parts: Sequence[str], alarms: str, news: Content | None, width: int, unread: str = "") -> Content:
    """Return the row in ``width`` cells: news, else the first parts that fit; the rest always at its end."""
    room = max(width - len(alarms) - cell_len(unread) - 1, 1)
    shown = list(parts)
    while len(shown) > 1 and cell_len(" " + " | ".join(shown)) > room:
        shown.pop()
    left = (Content(" " + " | ".join(shown)) if news is None else news).truncate(room, ellipsis=True)
    end = (alarms, "bold $error"), (unread, "bold $accent")
    return Content.assemble(left, " " * (room - left.cell_length), " ", *end)


def parts_of(model: Model) -> list[str]:
    """Say of an engine what fits into a row, what matters most first."""
    if model.status is None:
        return ["looking for the engine"]
    rates = model.rates
    online = len(model.online)
    name = steady(model.status.name)
    name = fit(name, min(cell_len(name), MAX_NAME_CELLS))
    if model.is_lost:
        return [f"{name}  no engine"]
    parts = [f"{name}  {counted(online, 'peer')}"]
    moving = [f"dn {rates.down} {rate(rates.down_rate)}"] if rates.down else []
    moving += [f"up {rates.up} {rate(rates.up_rate)}"] if rates.up else []
    moving += [f"q {rates.queued}"] if rates.queued else []
    parts += ["  ".join(moving)] if moving else []
    if rates.eta is not None:
        parts.append(f"ETA {duration(rates.eta)}")
    indexing = [share for share in model.shares.values() if share.state == "indexing"]
    if indexing:
        done, total = sum(s.done_bytes for s in indexing), sum(s.bytes for s in indexing)
        parts.append(f"index {done * 100 // total if total else 0}%")
    if sending := model.offers.progress:
        parts.insert(1, sending)
    return parts


def alarms_of(model: Model) -> str:
    """Say what went wrong and was not looked at."""
    return f"!{failed} failed " if (failed := model.rates.failed) else ""


def unread_of(model: Model) -> str:
    """Say how much was said that was not read, and who waits if it is one; ``@`` counts what names us."""
    talk = model.talk
    if not (count := talk.unread):
        return ""
    named = f" @{sum(talk.mentions.values())}" if talk.mentions else ""
    waiting = talk.waiting
    name = steady(waiting[0].name) if len(waiting) == 1 else ""
    return f"msg {count}{named} " + (f"({fit(name, min(cell_len(name), MAX_SENDER_CELLS))}) " if name else "")


def offers_of(model: Model) -> str:
    """Say how much is offered to us that has no answer, and by whom if it is one."""
    if not (waiting := model.offers.waiting):
        return ""
    name = steady(waiting[0].peer_name) if len(waiting) == 1 else ""
    who = f" ({fit(name, min(cell_len(name), MAX_SENDER_CELLS))})" if name else ""
    return f"{counted(len(waiting), 'offer')}{who} "
