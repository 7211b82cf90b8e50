"""Stream: says what it will do, until videos can be watched."""

from __future__ import annotations

from peerterm.tui.panes.notice_pane import NoticePane


class StreamPane(NoticePane):
    """Room for what is being watched."""

    SCOPE = "stream"
    LINES = ("Streaming is not here yet.", "Here you will see what plays: its buffer, its peers, its address.")
