"""Lines as authors sign them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peerterm.core.ids import Root
from peerterm.core.lines import NO_HASH, ConversationId, Item, Line, LogId, author_of
from tests.fakes.talking import LAN, fake_key, fake_signature

if TYPE_CHECKING:
    from collections.abc import Iterable

LOG = b"the log."


def made_item(name: str = "a.txt", number: int = 1, **changes: Any) -> Item:
    """Return an item whose content nobody has."""
    return Item(name, "file", Root(bytes([number]) * 32), 5, 1)._replace(**changes)


def made_line(
    number: int = 1,
    seq: int = 1,
    prev: bytes = NO_HASH,
    *,
    text: str = "",
    conversation: ConversationId = LAN,
    log: bytes = LOG,
    name: str = "ann",
    kind: str = "text",
    about: bytes = b"",
    items: tuple[Item, ...] = (),
) -> Line:
    """Return a genuine line of the peer ``number``."""
    key = fake_key(number)
    line = Line(
        conversation=conversation,
        key=key,
        log=log,
        seq=seq,
        prev=prev,
        sent_at=1_700_000_000_000,
        name=name,
        kind=kind,
        text=text or f"line {seq}",
        about=about,
        items=items,
    )
    return line.signed_by(lambda data: fake_signature(key, data))


def made_log(
    count: int, number: int = 1, *, conversation: ConversationId = LAN, log: bytes = LOG, text: str = ""
) -> list[Line]:
    """Return the first lines of a log."""
    lines: list[Line] = []
    for seq in range(1, count + 1):
        prev = lines[-1].hash if lines else NO_HASH
        lines.append(made_line(number, seq, prev, conversation=conversation, log=log, text=text))
    return lines


def log_id(number: int = 1, log: bytes = LOG) -> LogId:
    return LogId(author_of(fake_key(number)), log)


def texts(lines: Iterable[Line]) -> list[str]:
    return [line.text for line in lines]
