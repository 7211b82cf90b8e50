"""Chat: says what it will do, until messages can be sent."""

from __future__ import annotations

from peerterm.tui.panes.notice_pane import NoticePane


class ChatPane(NoticePane):
    """Room for conversations."""

    SCOPE = "chat"
    LINES = ("Chat is not here yet.", "Here you will write to a peer or to everyone, with nothing in between.")
