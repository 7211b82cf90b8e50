"""Lines as an engine tells them: of bob, and of ours."""

from __future__ import annotations

from typing import Any

from peerterm.api.views import MessageView
from tests.fakes.fake_base import OWN_ID

BOB = "b0" * 32


def line(number: int, text: str = "hello", **fields: Any) -> MessageView:
    """Return a line of bob's."""
    known: dict[str, Any] = {
        "id": f"b0b0:{number}",
        "conversation": "#lan",
        "sender": BOB,
        "sender_name": "bob",
        "text": text,
        "kind": "text",
        "sent_at": float(number),
        "kept_at": float(number),
        "state": "received",
    }
    return MessageView(**known | fields)


def ours(number: int, state: str = "queued", **fields: Any) -> MessageView:
    """Return a line of ours."""
    return line(number, id=f"a1a1:{number}", sender=OWN_ID, sender_name="fake", state=state, **fields)
