"""What is looked up of conversations for those who show them: one of them, its logs, one of its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.core.lines import direct
from peerterm.core.talk_messages import Enter, Forget, Keep, Mark
from peerterm.store.database import Database
from peerterm.store.talk import ConversationRecord, TalkStore
from tests.fakes.logs import log_id, made_log
from tests.fakes.talking import LAN, fake_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OWN, ANN = fake_id(0), fake_id(1)
DIRECT = direct(OWN, ANN)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[TalkStore]:
    """Yield a store with three lines of one author, in a room and in a direct conversation."""
    database = await Database.open(tmp_path / "state.db")
    store = TalkStore(database)
    lines = [*made_log(3), *made_log(3, conversation=DIRECT)]
    await store.perform([Enter(LAN, is_member=True), *map(Keep, lines)], 7.5)
    await store.perform([Mark(LAN, log_id(), "seen", 2)], 8.5)
    yield store
    await database.close()


async def test_one_conversation_is_as_among_all(store: TalkStore) -> None:
    """With what is unread of that one alone."""
    every = await store.conversations(OWN)
    room, between = await store.conversation(LAN, OWN), await store.conversation(DIRECT, OWN)

    assert every == [between, room]
    assert room == ConversationRecord(LAN, is_member=True, is_muted=False, lines=3, unread=1, last_at=7.5)
    assert await store.conversation(direct(OWN, fake_id(2)), OWN) is None


async def test_logs_are_those_of_lines_that_are_kept(store: TalkStore) -> None:
    """Each once."""
    await store.perform([Keep(line) for line in made_log(2, number=2)], 9.5)

    assert set(await store.logs(LAN)) == {log_id(1), log_id(2)}
    assert await store.logs(DIRECT) == [log_id(1)]
    assert await store.logs(direct(OWN, fake_id(2))) == []


async def test_line_is_found_by_its_place(store: TalkStore) -> None:
    """In its conversation, for as long as it is kept."""
    kept = await store.history(LAN, 3)
    await store.perform([Forget(LAN, log_id(), 2)], 9.5)

    assert await store.number(LAN, log_id(), 3) == kept[2].id
    assert await store.number(DIRECT, log_id(), 3) != kept[2].id
    assert await store.number(LAN, log_id(), 1) is None
    assert await store.number(LAN, log_id(), 4) is None
    assert await store.number(LAN, log_id(2), 3) is None
