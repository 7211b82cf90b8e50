"""Conversations on disk: what the machine says is kept, and a machine built from it goes on where it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from peerterm.core.lines import ConversationId, direct
from peerterm.core.talk import Talk
from peerterm.core.talk_messages import (
    MAX_PULLED_LINES,
    Enter,
    Forget,
    Keep,
    Kept,
    Mark,
    Renew,
    Saved,
    Send,
    Show,
    Want,
)
from peerterm.store.database import Database
from peerterm.store.migrations import load
from peerterm.store.talk import ConversationRecord, KeptLine, TalkStore
from tests.fakes.logs import LOG, log_id, made_item, made_line, made_log
from tests.fakes.talking import LAN, fake_id, fake_key, fake_signature, fake_verify

OWN, ANN = fake_id(0), fake_id(1)
DIRECT = direct(OWN, ANN)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "state.db")
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> TalkStore:
    return TalkStore(database)


async def keep(store: TalkStore, count: int, number: int = 1, conversation: ConversationId = LAN) -> list[KeptLine]:
    return await store.perform([Keep(line) for line in made_log(count, number, conversation=conversation)], 7.5)


async def test_new_database_has_a_log_of_its_own(store: TalkStore, tmp_path: Path) -> None:
    """Of 8 random bytes: no number is used twice by a device that lost its database."""
    other = await Database.open(tmp_path / "other.db")
    logs = [(await store.saved()).log, (await TalkStore(other).saved()).log]
    await other.close()

    assert [len(log) for log in logs] == [8, 8]
    assert logs[0] != logs[1]


async def test_log_of_an_upgraded_database_is_random_too(tmp_path: Path) -> None:
    """A database of the version before talks with nobody yet."""
    old = await Database.open(tmp_path / "old.db", load()[:3])
    await old.close()
    new = await Database.open(tmp_path / "old.db")
    saved = await TalkStore(new).saved()
    await new.close()

    assert saved == Saved(saved.log)
    assert len(saved.log) == 8


async def test_what_is_performed_comes_back(store: TalkStore) -> None:
    """Lines in the order of keeping, rooms, marks and the log."""
    lines = [
        *made_log(2),
        made_line(2, text="\0 \x1b 🎉", kind="offer", items=(made_item(), made_item("\u202e", kind="folder"))),
        made_line(1, conversation=DIRECT, about=bytes(range(32))),
    ]
    other = ConversationId("#other")
    await store.perform(
        [
            Enter(LAN, is_member=True),
            Enter(other, is_member=True),
            *(effect for line in lines for effect in (Keep(line), Show(line))),
            Mark(DIRECT, log_id(1), "seen", 1),
            Mark(LAN, log_id(1), "delivered", 1),
            Mark(LAN, log_id(1), "delivered", 2),
            Renew(LOG),
            Enter(other, is_member=False),
        ],
        7.5,
    )
    saved = await store.saved()

    assert (saved.log, saved.rooms) == (LOG, (LAN,))
    assert saved.kept == tuple(
        Kept(line.conversation, line.log_id, line.seq, line.hash, line.kind) for line in lines
    )
    assert set(saved.marks) == {Mark(DIRECT, log_id(1), "seen", 1), Mark(LAN, log_id(1), "delivered", 2)}
    assert [kept.line for kept in await store.history(LAN, 10)] == lines[:3]


async def test_nothing_is_written_for_the_links(store: TalkStore) -> None:
    """Effects for others are passed over."""
    line = made_line()

    assert await store.perform([Show(line)], 1.0) == []
    assert await store.history(LAN, 10) == []


async def test_forgotten_lines_are_gone(store: TalkStore) -> None:
    """Of one log of one conversation, those before the first that is held."""
    await keep(store, 5)
    await keep(store, 2, 2)
    await keep(store, 2, 1, DIRECT)
    await store.perform([Forget(LAN, log_id(1), 4)], 1.0)

    assert [(kept.line.author, kept.line.seq) for kept in await store.history(LAN, 10)] == [
        (ANN, 4),
        (ANN, 5),
        (fake_id(2), 1),
        (fake_id(2), 2),
    ]
    assert len(await store.history(DIRECT, 10)) == 2


async def test_ids_are_never_given_twice(store: TalkStore) -> None:
    """Though the newest line was forgotten."""
    [*_, last] = await keep(store, 3)
    await store.perform([Forget(LAN, log_id(1), 4)], 1.0)
    [kept] = await keep(store, 1, 2)

    assert kept.id > last.id


async def test_history_is_read_page_by_page(store: TalkStore) -> None:
    """The newest first page, each page the oldest line first."""
    lines = await keep(store, 5)
    await keep(store, 2, 1, DIRECT)
    newest = await store.history(LAN, 2)

    assert newest == lines[3:]
    assert await store.history(LAN, 2, before=newest[0].id) == lines[1:3]
    assert await store.history(LAN, 9, before=lines[1].id) == lines[:1]
    assert await store.history(ConversationId("#none"), 9) == []


async def test_wanted_lines_are_found_in_order(store: TalkStore) -> None:
    """Log by log, from where each is wanted, no more than an answer takes and one."""
    await keep(store, 5)
    await keep(store, 100, 2)
    await keep(store, 3, 3)
    wants = [Want(log_id(1), 4), Want(log_id(9), 1), Want(log_id(2), 1), Want(log_id(3), 1)]
    found = await store.wanted(LAN, wants)

    assert [(line.author, line.seq) for line in found] == [
        (ANN, 4),
        (ANN, 5),
        *((fake_id(2), seq) for seq in range(1, MAX_PULLED_LINES)),
    ]
    assert found[:2] == made_log(5)[3:]
    assert await store.wanted(DIRECT, wants) == []


async def test_conversations_tell_what_is_unread(store: TalkStore) -> None:
    """What others said and our user has not seen; the newest conversation first, one without lines last."""
    await keep(store, 5)
    await keep(store, 3, 0)
    await keep(store, 2, 1, DIRECT)
    await store.perform([Enter(LAN, is_member=True), Mark(LAN, log_id(1), "seen", 2)], 1.0)
    await store.perform([Mark(LAN, log_id(1), "delivered", 5)], 1.0)
    await store.mute(ConversationId("#quiet"), is_muted=True)
    await store.mute(LAN, is_muted=True)
    await store.mute(LAN, is_muted=False)

    assert await store.conversations(OWN) == [
        ConversationRecord(DIRECT, is_member=False, is_muted=False, lines=2, unread=2, last_at=7.5),
        ConversationRecord(LAN, is_member=True, is_muted=False, lines=8, unread=3, last_at=7.5),
        ConversationRecord(
            ConversationId("#quiet"), is_member=False, is_muted=True, lines=0, unread=0, last_at=0.0
        ),
    ]


async def test_recent_authors_are_told(store: TalkStore) -> None:
    """Who spoke last comes first, called as it was then; who spoke long ago not at all."""
    lines = {number: made_log(2, number) for number in (1, 2, 3)}
    lines[1][1] = replace(lines[1][1], name="annie")
    for number, seq, when in ((1, 0, 100.0), (2, 0, 10.0), (3, 0, 120.0), (1, 1, 130.0)):
        await store.perform([Keep(lines[number][seq])], when)

    assert [*(await store.authors(LAN, 50.0)).items()] == [(fake_id(1), "annie"), (fake_id(3), "ann")]
    assert await store.authors(DIRECT, 0.0) == {}


async def test_machine_goes_on_from_the_store(store: TalkStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it said and forgot: built anew it holds the same, and says the next line."""
    monkeypatch.setattr("peerterm.core.conversation.MAX_HISTORY", 10)

    async def built() -> Talk:
        return Talk(
            await store.saved(),
            key=fake_key(0),
            name="own",
            rng=Random(1),
            sign=lambda data: fake_signature(fake_key(0), data),
            verify=fake_verify,
        )

    talk = await built()
    await store.perform(talk.joined(LAN, 0), 1.0)
    for number in range(30):
        await store.perform(talk.said(LAN, f"{number}", sent_at=1, now=0), 1.0)
        [send] = [effect for effect in talk.link_opened(ANN, 0) if isinstance(effect, Send)]
        await store.perform(talk.heard(ANN, send.message, 0), 1.0)
        talk.link_closed(ANN, 0)
    again = await built()
    [kept, *_] = again.said(LAN, "next", sent_at=1, now=0)
    assert isinstance(kept, Keep)

    assert kept.line.seq == 31
    assert again.rooms() == [LAN]
    assert [each.line.text for each in await store.history(LAN, 99)] == [f"{number}" for number in range(20, 30)]


async def test_lines_of_some_kinds_are_read_from_some_line_on(store: TalkStore) -> None:
    """Of all conversations, in the order in which they were kept."""
    offer = made_line(1, kind="offer", items=(made_item(),), conversation=DIRECT)
    answer = made_line(2, kind="decline", about=offer.hash)
    lines = [offer, made_line(3), answer]
    kept = await store.perform([Keep(line) for line in lines], 7.5)

    assert await store.lines_after(0, ["offer", "decline"]) == [kept[0], kept[2]]
    assert await store.lines_after(kept[0].id, ["offer", "decline"]) == [kept[2]]
    assert await store.lines_after(0, []) == []


async def test_marks_of_one_kind_are_read(store: TalkStore) -> None:
    """Or all of them."""
    marks = [Mark(LAN, log_id(1), "delivered", 1), Mark(LAN, log_id(1), "seen", 2)]
    await store.perform(marks, 1.0)

    assert await store.marks("delivered") == marks[:1]
    assert sorted(await store.marks(), key=lambda mark: mark.seq) == marks
