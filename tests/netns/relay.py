"""Runs peerterm with one fault: it alters, forges and replays whatever others say in rooms and it passes on.

What it says itself stays honest. A line that is pushed goes out again and again: altered, under its author's name
but signed by nobody, in another room, then as it is, then once more, with all the older ones.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from peerterm.__main__ import main
from peerterm.core.lines import ConversationId, is_room
from peerterm.core.talk_messages import Push, Send
from peerterm.engine import talk_driver
from peerterm.engine.talk_driver import TalkDriver
from peerterm.wire.talk import pulled_to_wire as honest_pulled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.core.lines import Line
    from peerterm.core.talk_messages import Effect
    from peerterm.engine.talk_driver import _Place
    from peerterm.store.talk import KeptLine
    from peerterm.wire.messages import TalkPullAnswer

OTHER = ConversationId("#other")
"""A room that the receiver is a member of, and the author is not."""

honest_do = TalkDriver._do
seen: list[Line] = []


def lies(line: Line) -> list[Line]:
    """Return what it makes of a line."""
    return [
        replace(line, text=f"altered: {line.text}"),
        replace(line, name="somebody else"),
        replace(line, sent_at=line.sent_at + 1),
        replace(line, text="forged", seq=line.seq + 1, prev=line.hash, signature=bytes(64)),
        replace(line, conversation=OTHER),
    ]


def do(self: TalkDriver, effect: Effect, lines: dict[_Place, KeptLine]) -> None:
    """Send a line of somebody else with lies around it."""
    if not isinstance(effect, Send) or not isinstance(effect.message, Push):
        honest_do(self, effect, lines)
        return
    peer, line = effect.peer, effect.message.line
    is_own = line.author == self.talk.own or not is_room(line.conversation)
    for each in [line] if is_own else [*lies(line), line, line, *seen]:
        honest_do(self, Send(peer, Push(each, effect.message.hops)), lines)
    if not is_own:
        seen.append(line)


def pulled(request: int, lines: Iterable[Line], *, more: bool = False) -> TalkPullAnswer:
    """Answer a pull with lies, then with the truth."""
    return honest_pulled(request, [each for line in lines for each in (*lies(line), line)], more=more)


TalkDriver._do = do  # type: ignore[method-assign]
talk_driver.pulled_to_wire = pulled  # type: ignore[attr-defined]
sys.exit(main())
