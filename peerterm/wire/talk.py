"""What peers tell of conversations, between the talk machine and the wire.

A link says whose direct conversation is meant, so none but that of its two peers can be spoken of. Lengths and
ranges were proved by decoding; what messages mean is judged by ``core.talk``. Called by the engine's talk service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.ids import PeerId, Root
from peerterm.core.lines import ConversationId, Item, Line, LogId, direct, is_room
from peerterm.core.talk_messages import (
    MAX_PULLED_BYTES,
    MAX_PULLED_LINES,
    Head,
    Heads,
    Leave,
    Pull,
    Pulled,
    Push,
    Read,
    Want,
)
from peerterm.errors import ProtocolViolation
from peerterm.wire.messages import (
    Message,
    TalkHead,
    TalkHeads,
    TalkItem,
    TalkLeave,
    TalkLine,
    TalkPullAnswer,
    TalkPullRequest,
    TalkPush,
    TalkRead,
    TalkWant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.core.talk_messages import Told

LINE_BYTES = 400
"""What a line takes on the wire besides its name, text and items, rounded up."""

ITEM_BYTES = 96
"""What an item takes on the wire besides its name, rounded up."""


def to_wire(message: Told) -> Message:
    """Return the message that tells it."""
    match message:
        case Heads(conversation, heads):
            items = [
                TalkHead(author=bytes.fromhex(log_id.author), log=log_id.log, first=first, seq=seq)
                for log_id, first, seq in heads
            ]
            return TalkHeads(room=_room(conversation), heads=items)
        case Push(line, hops):
            return TalkPush(room=_room(line.conversation), line=_line_to_wire(line), hops=hops)
        case Read(_, log, seq):
            return TalkRead(log=log, seq=seq)
    return TalkLeave(room=message.conversation)


def from_wire(message: Message, own: PeerId, peer: PeerId) -> Told | None:
    """Return what a linked peer tells; ``None`` if the message is about something else.

    Raises:
        ProtocolViolation: A room bears an impossible name.
    """
    match message:
        case TalkHeads():
            heads = tuple(Head(_log_id(head), head.first, head.seq) for head in message.heads)
            return Heads(_conversation(message.room, own, peer), heads)
        case TalkPush():
            return Push(_line_from_wire(message.line, _conversation(message.room, own, peer)), message.hops)
        case TalkRead():
            return Read(direct(own, peer), message.log, message.seq)
        case TalkLeave():
            return Leave(_conversation(message.room, own, peer))
    return None


def pull_to_wire(pull: Pull) -> TalkPullRequest:
    """Return the request; its id is set when it is sent."""
    wants = [
        TalkWant(author=bytes.fromhex(want.log_id.author), log=want.log_id.log, start=want.start)
        for want in pull.wants
    ]
    return TalkPullRequest(room=_room(pull.conversation), wants=wants)


def pull_from_wire(request: TalkPullRequest, own: PeerId, peer: PeerId) -> Pull:
    """Return what a linked peer asks for; see ``from_wire``."""
    wants = tuple(Want(_log_id(want), want.start) for want in request.wants)
    return Pull(_conversation(request.room, own, peer), wants)


def pulled_to_wire(request: int, lines: Iterable[Line], *, more: bool = False) -> TalkPullAnswer:
    """Return the answer to a pull, cut at the bounds of one answer.

    Args:
        request: The id of the request.
        lines: In the order in which they go; read no further than they fit.
        more: Whether there are more than these.
    """
    taken: list[TalkLine] = []
    room_left = MAX_PULLED_BYTES
    for line in lines:
        room_left -= _wire_bytes(line)
        if room_left < 0 or len(taken) == MAX_PULLED_LINES:
            return TalkPullAnswer(request=request, lines=taken, more=True)
        taken.append(_line_to_wire(line))
    return TalkPullAnswer(request=request, lines=taken, more=more)


def pulled_from_wire(answer: TalkPullAnswer, pull: Pull) -> Pulled:
    """Return what came in answer to a pull of ours."""
    return Pulled(tuple(_line_from_wire(line, pull.conversation) for line in answer.lines), answer.more)


def _room(conversation: ConversationId) -> str:
    return conversation if is_room(conversation) else ""


def _conversation(room: str, own: PeerId, peer: PeerId) -> ConversationId:
    if not room:
        return direct(own, peer)
    if not is_room(conversation := ConversationId(room)):
        raise ProtocolViolation(f"{room!a} is not the name of a room")
    return conversation


def _log_id(item: TalkHead | TalkWant) -> LogId:
    return LogId(PeerId(item.author.hex()), item.log)


def _wire_bytes(line: Line) -> int:
    """Return how long a line is on the wire, or a little more."""
    items = sum(ITEM_BYTES + len(item.name.encode()) for item in line.items)
    return LINE_BYTES + len(line.name.encode()) + len(line.text.encode()) + items


def _line_to_wire(line: Line) -> TalkLine:
    return TalkLine(
        key=line.key,
        log=line.log,
        seq=line.seq,
        prev=line.prev,
        sent_at=line.sent_at,
        name=line.name,
        kind=line.kind,
        text=line.text,
        about=line.about or None,
        items=[TalkItem(**item._asdict()) for item in line.items],
        signature=line.signature,
    )


def _line_from_wire(line: TalkLine, conversation: ConversationId) -> Line:
    return Line(
        conversation=conversation,
        key=line.key,
        log=line.log,
        seq=line.seq,
        prev=line.prev,
        sent_at=line.sent_at,
        name=line.name,
        kind=line.kind,
        text=line.text,
        about=line.about or b"",
        items=tuple(Item(item.name, item.kind, Root(item.root), item.size, item.files) for item in line.items),
        signature=line.signature,
    )
