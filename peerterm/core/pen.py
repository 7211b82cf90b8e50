"""What our own lines bear: our key, the log they stand in, our signature. Part of ``core.talk``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerterm.core.conversation import MAX_QUEUED
from peerterm.core.lines import LOG_BYTES, Line, LogId, author_of, check_items, check_text
from peerterm.core.talk_messages import Renew
from peerterm.errors import EngineBusy

if TYPE_CHECKING:
    from random import Random

    from peerterm.core.conversation import Conversation
    from peerterm.core.lines import Item, Sign


class Pen:
    """Writes our lines.

    Args:
        key: Our raw public key.
        name: What we call ourselves.
        log: The log to write in.
        sign: Signs bytes with our key.
        rng: Makes the id of a new log.
    """

    def __init__(self, key: bytes, name: str, log: bytes, sign: Sign, rng: Random) -> None:
        self.own = author_of(key)
        self._key = key
        self._name = name
        self._log = log
        self._sign = sign
        self._rng = rng

    def write(
        self,
        conversation: Conversation,
        text: str,
        kind: str,
        sent_at: int,
        *,
        about: bytes = b"",
        items: tuple[Item, ...] = (),
    ) -> Line:
        """Return the next line of our log of a conversation.

        Raises:
            UsageError: The text, or what is offered, is not allowed.
            EngineBusy: Too many lines wait to be taken.
        """
        check_text(text)
        check_items(kind, items)
        log_id = LogId(self.own, self._log)
        if conversation.queued() >= MAX_QUEUED:
            raise EngineBusy(f"{MAX_QUEUED:,} lines wait to be taken", "wait until somebody is online")
        return Line(
            conversation=conversation.id,
            key=self._key,
            log=self._log,
            seq=conversation.seq(log_id) + 1,
            prev=conversation.last_hash(log_id),
            sent_at=sent_at,
            name=self._name,
            kind=kind,
            text=text,
            about=about,
            items=items,
        ).signed_by(self._sign)

    def renewed(self, line: Line) -> list[Renew]:
        """Take a genuine line that came from elsewhere.

        If it stands in our log a copy of us writes there, or did: from now on we write in a new one.
        """
        if line.log_id != (self.own, self._log):
            return []
        self._log = self._rng.randbytes(LOG_BYTES)
        return [Renew(self._log)]
