"""Conversations on disk: every line that is kept, how far logs got, which rooms we are a member of, who is muted.

Does what ``core.talk`` says and decides nothing: the machine is built from here, and says itself what is forgotten.
Called by the engine's talk service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peerterm.core.ids import PeerId
from peerterm.core.lines import ConversationId, Line, LogId
from peerterm.core.talk_messages import MAX_PULLED_LINES, Enter, Forget, Keep, Kept, Mark, Renew, Saved, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    import aiosqlite

    from peerterm.core.talk_messages import Effect, Want
    from peerterm.store.database import Database, Row

MAX_MUTED_AUTHORS = 1000
"""Most muted authors; the one muted longest is heard again."""

_COLUMNS = "key, log, seq, prev, sent_at, kind, text, signature"


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
            SELECT name, author, log, seq, hash FROM talk_lines
            JOIN talk_conversations ON talk_conversations.id = conversation_id ORDER BY talk_lines.id
        """
        marks = """
            SELECT name, author, log, kind, seq FROM talk_marks
            JOIN talk_conversations ON talk_conversations.id = conversation_id
        """
        return Saved(
            log=log,
            rooms=tuple(ConversationId(name) for (name,) in rooms),
            kept=tuple(
                Kept(ConversationId(name), LogId(PeerId(author), log), seq, line_hash)
                for name, author, log, seq, line_hash in await self._database.fetch_all(lines)
            ),
            marks=tuple(
                Mark(ConversationId(name), LogId(PeerId(author), log), kind, seq)
                for name, author, log, kind, seq in await self._database.fetch_all(marks)
            ),
        )

    async def perform(self, effects: Iterable[Effect], now_unix: float) -> list[KeptLine]:
        """Do all that concerns the store, at once or not at all; return the lines kept.

        Raises:
            StorageError: The disk refused; the machine must be built anew.
        Cancel: As ``Database.transaction``.
        """
        kept: list[KeptLine] = []
        stored = [effect for effect in effects if isinstance(effect, Stored)]
        if not stored:
            return []
        async with self._database.transaction() as connection:
            for effect in stored:
                match effect:
                    case Keep(line):
                        kept.append(await _keep(connection, line, now_unix))
                    case Forget(conversation, log_id, first):
                        sql = """
                            DELETE FROM talk_lines WHERE conversation_id = ? AND author = ? AND log = ? AND seq < ?
                        """
                        number = await _conversation(connection, conversation)
                        await connection.execute(sql, (number, *log_id, first))
                    case Mark(conversation, log_id, kind, seq):
                        sql = "INSERT OR REPLACE INTO talk_marks VALUES (?, ?, ?, ?, ?)"
                        number = await _conversation(connection, conversation)
                        await connection.execute(sql, (number, *log_id, kind, seq))
                    case Enter(room, is_member):
                        sql = "UPDATE talk_conversations SET is_member = ? WHERE id = ?"
                        await connection.execute(sql, (is_member, await _conversation(connection, room)))
                    case Renew(log):
                        await connection.execute("UPDATE talk SET log = ?", (log,))
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

    async def authors(self, conversation: ConversationId, since: float) -> list[PeerId]:
        """Return who said something that was kept since then (Unix time in seconds), the last one first."""
        sql = """
            SELECT author FROM talk_lines
            WHERE conversation_id = (SELECT id FROM talk_conversations WHERE name = ?) AND kept_at >= ?
            GROUP BY author ORDER BY max(id) DESC
        """
        rows = await self._database.fetch_all(sql, (conversation, since))
        return [PeerId(author) for (author,) in rows]

    async def conversations(self, own: PeerId) -> list[ConversationRecord]:
        """Return all conversations, the one with the newest line first."""
        sql = """
            SELECT name, is_member, is_muted, count(talk_lines.id),
                total(talk_lines.author != ? AND talk_lines.seq > coalesce(talk_marks.seq, 0)), max(kept_at)
            FROM talk_conversations
            LEFT JOIN talk_lines ON talk_lines.conversation_id = talk_conversations.id
            LEFT JOIN talk_marks ON talk_marks.conversation_id = talk_conversations.id AND talk_marks.kind = 'seen'
                AND talk_marks.author = talk_lines.author AND talk_marks.log = talk_lines.log
            GROUP BY talk_conversations.id ORDER BY max(talk_lines.id) DESC NULLS LAST, name
        """
        return [
            ConversationRecord(
                ConversationId(name), bool(is_member), bool(is_muted), lines, int(unread), last_at or 0.0
            )
            for name, is_member, is_muted, lines, unread, last_at in await self._database.fetch_all(sql, (own,))
        ]

    async def mute(self, conversation: ConversationId, *, is_muted: bool) -> None:
        """Note whether the user wants notices of a conversation."""
        async with self._database.transaction() as connection:
            number = await _conversation(connection, conversation)
            await connection.execute("UPDATE talk_conversations SET is_muted = ? WHERE id = ?", (is_muted, number))

    async def mute_author(self, author: PeerId, *, is_muted: bool) -> None:
        """Note whether an author's lines are shown; they are kept and passed on all the same."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM talk_muted_authors WHERE author = ?", (author,))
            if is_muted:
                await connection.execute("INSERT INTO talk_muted_authors VALUES (?)", (author,))
            trim = """
                DELETE FROM talk_muted_authors WHERE rowid NOT IN (
                    SELECT rowid FROM talk_muted_authors ORDER BY rowid DESC LIMIT ?)
            """
            await connection.execute(trim, (MAX_MUTED_AUTHORS,))

    async def muted_authors(self) -> set[PeerId]:
        """Return the authors whose lines are not shown."""
        rows = await self._database.fetch_all("SELECT author FROM talk_muted_authors")
        return {PeerId(author) for (author,) in rows}


async def _conversation(connection: aiosqlite.Connection, name: ConversationId) -> int:
    """Return the number of a conversation, a new one if there was none."""
    await connection.execute("INSERT OR IGNORE INTO talk_conversations (name) VALUES (?)", (name,))
    [(number,)] = await connection.execute_fetchall("SELECT id FROM talk_conversations WHERE name = ?", (name,))
    return int(number)


async def _keep(connection: aiosqlite.Connection, line: Line, now_unix: float) -> KeptLine:
    number = await _conversation(connection, line.conversation)
    sql = f"""
        INSERT INTO talk_lines (conversation_id, author, hash, kept_at, {_COLUMNS})
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """  # noqa: S608 - a constant
    fields = (line.key, line.log, line.seq, line.prev, line.sent_at, line.kind, line.text, line.signature)
    cursor = await connection.execute(sql, (number, line.author, line.hash, now_unix, *fields))
    assert cursor.lastrowid is not None
    return KeptLine(cursor.lastrowid, line, now_unix)


def _line(conversation: ConversationId, row: Row) -> Line:
    key, log, seq, prev, sent_at, kind, text, signature = row
    return Line(
        conversation=conversation,
        key=key,
        log=log,
        seq=seq,
        prev=prev,
        sent_at=sent_at,
        kind=kind,
        text=text,
        signature=signature,
    )
