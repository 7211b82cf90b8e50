"""Conversations on disk: every line that is kept, how far logs got, which rooms we are a member of, who is muted.

Does what ``core.talk`` says and decides nothing: the machine is built from here, and says itself what is forgotten.
Called by the engine's talk service.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from peerterm.core.ids import PeerId
from peerterm.core.lines import ConversationId, Item, Line, LogId
from peerterm.core.talk_messages import MAX_PULLED_LINES, Enter, Forget, Keep, Kept, Mark, Renew, Saved, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peerterm.core.talk_messages import Effect, Want
    from peerterm.store.database import Database, Row

_COLUMNS = "key, log, seq, prev, sent_at, author_name, kind, text, about, items, signature"

_items = msgspec.msgpack.Decoder(tuple[Item, ...])


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line as it is kept. ``id`` rises in the order of keeping; ``kept_at`` is Unix time in seconds."""

    id: int
    line: Line
    kept_at: float


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """One conversation.

    Attributes:
        is_member: Of a room, whether we are.
        is_muted: Whether the user wants no notice of it.
        lines: How many are kept.
        unread: How many of others the user has not seen.
        last_at: When the last one was kept, Unix time in seconds; 0 if none was.
    """

    name: ConversationId
    is_member: bool
    is_muted: bool
    lines: int
    unread: int
    last_at: float


class TalkStore:
    """Keeps conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # For the machine

    async def saved(self) -> Saved:
        """Return what the machine is built from; ``blocked`` is not known here."""
        [(log,)] = await self._database.fetch_all("SELECT log FROM talk")
        rooms = await self._database.fetch_all("SELECT name FROM talk_conversations WHERE is_member ORDER BY id")
        lines = """
            SELECT name, author, log, seq, hash, kind FROM talk_lines
            JOIN talk_conversations ON talk_conversations.id = conversation_id ORDER BY talk_lines.id
        """
        return Saved(
            log=log,
            rooms=tuple(ConversationId(name) for (name,) in rooms),
            kept=tuple(
                Kept(ConversationId(name), LogId(PeerId(author), log), seq, line_hash, kind)
                for name, author, log, seq, line_hash, kind in await self._database.fetch_all(lines)
            ),
            marks=tuple(await self.marks()),
        )

    async def marks(self, kind: str = "") -> list[Mark]:
        """Return how far logs got, in all regards or in one."""
        sql = """
            SELECT name, author, log, kind, seq FROM talk_marks
            JOIN talk_conversations ON talk_conversations.id = conversation_id WHERE ?1 IN ('', kind)
        """
        return [
            Mark(ConversationId(name), LogId(PeerId(author), log), found, seq)
            for name, author, log, found, seq in await self._database.fetch_all(sql, (kind,))
        ]

    async def perform(self, effects: Iterable[Effect], now_unix: float) -> list[KeptLine]:
        """Do all that concerns the store, at once or not at all; return the lines kept.

        Raises:
            StorageError: The disk refused; the machine must be built anew.
        Cancel: As ``Database.quick_write``.
        """
        kept: list[KeptLine] = []
        stored = [effect for effect in effects if isinstance(effect, Stored)]
        if not stored:
            return []

        def write(connection: sqlite3.Connection) -> None:
            for effect in stored:
                match effect:
                    case Keep(line):
                        kept.append(_keep(connection, line, now_unix))
                    case Forget(conversation, log_id, first):
                        sql = """
                            DELETE FROM talk_lines WHERE conversation_id = ? AND author = ? AND log = ? AND seq < ?
                        """
                        number = _conversation(connection, conversation)
                        connection.execute(sql, (number, *log_id, first))
                    case Mark(conversation, log_id, kind, seq):
                        sql = "INSERT OR REPLACE INTO talk_marks VALUES (?, ?, ?, ?, ?)"
                        number = _conversation(connection, conversation)
                        connection.execute(sql, (number, *log_id, kind, seq))
                    case Enter(room, is_member):
                        sql = "UPDATE talk_conversations SET is_member = ? WHERE id = ?"
                        connection.execute(sql, (is_member, _conversation(connection, room)))
                    case Renew(log):
                        connection.execute("UPDATE talk SET log = ?", (log,))

        await self._database.quick_write(write)
        return kept

    async def wanted(self, conversation: ConversationId, wants: Iterable[Want]) -> list[Line]:
        """Return the lines that a peer may be given; one more than fit an answer if there are as many.

        ``wire.talk.pulled_to_wire`` cuts them.
        """
        sql = f"""
            SELECT {_COLUMNS} FROM talk_lines
            WHERE conversation_id = (SELECT id FROM talk_conversations WHERE name = ?)
                AND author = ? AND log = ? AND seq >= ? ORDER BY seq LIMIT ?
        """  # noqa: S608 - a constant
        found: list[Line] = []
        for (author, log), start in wants:
            left = MAX_PULLED_LINES + 1 - len(found)
            rows = await self._database.fetch_all(sql, (conversation, author, log, start, left)) if left else []
            found += [_line(conversation, row) for row in rows]
        return found

    async def sync(self) -> None:
        """Make sure that not even a loss of power undoes what was performed; see ``Database.sync``."""
        await self._database.sync()

    # For the user

    async def history(
        self, conversation: ConversationId, limit: int, *, before: int | None = None
    ) -> list[KeptLine]:
        """Return the newest lines of a conversation, the oldest of them first.

        Args:
            conversation: Which.
            limit: How many at most.
            before: Only lines with a smaller ``KeptLine.id``.
        """
        sql = f"""
            SELECT talk_lines.id, kept_at, {_COLUMNS} FROM talk_lines
            WHERE conversation_id = (SELECT id FROM talk_conversations WHERE name = ?1) AND (?2 IS NULL OR id < ?2)
            ORDER BY talk_lines.id DESC LIMIT ?3
        """  # noqa: S608 - a constant
        rows = await self._database.fetch_all(sql, (conversation, before, limit))
        return [
            KeptLine(number, _line(conversation, tuple(line)), kept_at) for number, kept_at, *line in reversed(rows)
        ]

    async def logs(self, conversation: ConversationId) -> list[LogId]:
        """Return the logs of a conversation of which lines are kept, in any order."""
        sql = """
            SELECT DISTINCT author, log FROM talk_lines
            WHERE conversation_id = (SELECT id FROM talk_conversations WHERE name = ?)
        """
        return [LogId(PeerId(author), log) for author, log in await self._database.fetch_all(sql, (conversation,))]

    async def number(self, conversation: ConversationId, log_id: LogId, seq: int) -> int | None:
        """Return the ``KeptLine.id`` of a line; ``None`` if it is not kept."""
        sql = """
            SELECT id FROM talk_lines WHERE author = ? AND log = ? AND seq = ?
                AND conversation_id = (SELECT id FROM talk_conversations WHERE name = ?)
        """
        row = await self._database.fetch_one(sql, (log_id.author, log_id.log, seq, conversation))
        return row[0] if row else None

    async def lines_after(self, number: int, kinds: Iterable[str]) -> list[KeptLine]:
        """Return the lines of some kinds with a larger ``KeptLine.id``, in the order in which they were kept."""
        sql = f"""
            SELECT name, talk_lines.id, kept_at, {_COLUMNS} FROM talk_lines
            JOIN talk_conversations ON talk_conversations.id = conversation_id
            WHERE talk_lines.id > ? AND kind IN (SELECT value FROM json_each(?)) ORDER BY talk_lines.id
        """  # noqa: S608 - a constant
        return [
            KeptLine(found, _line(ConversationId(name), tuple(line)), kept_at)
            for name, found, kept_at, *line in await self._database.fetch_all(sql, (number, json.dumps([*kinds])))
        ]

    async def authors(self, conversation: ConversationId, since: float) -> dict[PeerId, str]:
        """Return who said something that was kept since then (Unix time in seconds), the last one first.

        With what each called itself in its last line.
        """
        sql = """
            SELECT author, author_name, max(id) AS last FROM talk_lines
            WHERE conversation_id = (SELECT id FROM talk_conversations WHERE name = ?) AND kept_at >= ?
            GROUP BY author ORDER BY last DESC
        """
        rows = await self._database.fetch_all(sql, (conversation, since))
        return {PeerId(author): name for author, name, _ in rows}

    async def conversation(self, name: ConversationId, own: PeerId) -> ConversationRecord | None:
        """Return one conversation; ``None`` if there is none."""
        records = await self._records(own, name)
        return records[0] if records else None

    async def conversations(self, own: PeerId) -> list[ConversationRecord]:
        """Return all conversations, the one with the newest line first."""
        return await self._records(own, None)

    async def _records(self, own: PeerId, name: ConversationId | None) -> list[ConversationRecord]:
        sql = """
            SELECT name, is_member, is_muted, count(talk_lines.id),
                total(talk_lines.author != ?1 AND talk_lines.seq > coalesce(talk_marks.seq, 0)), max(kept_at)
            FROM talk_conversations
            LEFT JOIN talk_lines ON talk_lines.conversation_id = talk_conversations.id
            LEFT JOIN talk_marks ON talk_marks.conversation_id = talk_conversations.id AND talk_marks.kind = 'seen'
                AND talk_marks.author = talk_lines.author AND talk_marks.log = talk_lines.log
            WHERE ?2 IS NULL OR name = ?2
            GROUP BY talk_conversations.id ORDER BY max(talk_lines.id) DESC NULLS LAST, name
        """
        return [
            ConversationRecord(
                ConversationId(name), bool(is_member), bool(is_muted), lines, int(unread), last_at or 0.0
            )
            for name, is_member, is_muted, lines, unread, last_at in await self._database.fetch_all(
                sql, (own, name)
            )
        ]

    async def mute(self, conversation: ConversationId, *, is_muted: bool) -> None:
        """Note whether the user wants notices of a conversation."""

        def write(connection: sqlite3.Connection) -> None:
            number = _conversation(connection, conversation)
            connection.execute("UPDATE talk_conversations SET is_muted = ? WHERE id = ?", (is_muted, number))

        await self._database.quick_write(write)


def _conversation(connection: sqlite3.Connection, name: ConversationId) -> int:
    """Return the number of a conversation, a new one if there was none."""
    connection.execute("INSERT OR IGNORE INTO talk_conversations (name) VALUES (?)", (name,))
    [(number,)] = connection.execute("SELECT id FROM talk_conversations WHERE name = ?", (name,))
    return int(number)


def _keep(connection: sqlite3.Connection, line: Line, now_unix: float) -> KeptLine:
    number = _conversation(connection, line.conversation)
    sql = f"""
        INSERT INTO talk_lines (conversation_id, author, hash, kept_at, {_COLUMNS})
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """  # noqa: S608 - a constant
    items = msgspec.msgpack.encode(line.items)
    place = (line.key, line.log, line.seq, line.prev)
    fields = (*place, line.sent_at, line.name, line.kind, line.text, line.about, items, line.signature)
    cursor = connection.execute(sql, (number, line.author, line.hash, now_unix, *fields))
    assert cursor.lastrowid is not None
    return KeptLine(cursor.lastrowid, line, now_unix)


def _line(conversation: ConversationId, row: Row) -> Line:
    key, log, seq, prev, sent_at, name, kind, text, about, items, signature = row
    return Line(
        conversation=conversation,
        key=key,
        log=log,
        seq=seq,
        prev=prev,
        sent_at=sent_at,
        name=name,
        kind=kind,
        text=text,
        about=about,
        items=_items.decode(items),
        signature=signature,
    )
