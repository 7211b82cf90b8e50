"""Conversations as clients see them: names, states, what is unread, who is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import ConversationChanged, MessageAdded, MessagesMoved, Snapshot
from peerterm.core.lines import MAX_TEXT
from peerterm.core.talk_messages import Leave, Read
from peerterm.engine import talking as module
from peerterm.errors import AmbiguousReference, InvalidName, NotFound, StorageError, UsageError
from peerterm.net.identity import Identity
from peerterm.store.talk import TalkStore
from peerterm.wire.messages import Status
from tests.fakes.chatting import (
    LAN,
    chatterer,
    conversation_when,
    got_as_far,
    heard,
    lines_when,
    signed,
    texts,
)
from tests.fakes.engines import closing, eventually, first, network, running, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.api.views import ConversationView
    from peerterm.core.ids import PeerId
    from peerterm.core.lines import ConversationId
    from peerterm.engine.engine import Engine
    from peerterm.store.talk import ConversationRecord
    from tests.fakes.chatting import Chatterer


@pytest.fixture
async def mallory(ben: Engine, tmp_path: Path) -> AsyncIterator[Chatterer]:
    """Yield a peer of ben that says what it likes."""
    async with chatterer(tmp_path, ben) as peer:
        yield peer


async def named(engine: Engine, name: str) -> ConversationView:
    """Return the conversation of this name as it is now."""
    (view,) = [view for view in await engine.conversations() if view.name == name]
    return view


# Who is meant


async def test_peer_of_an_earlier_run_is_known_at_once(tmp_path: Path) -> None:
    """By name, id and the start of it, before any peer can have appeared."""
    async with network(tmp_path, "anna", "ben") as (_, ben):
        ben_id = (await ben.identity()).peer_id
    async with running(tmp_path, "anna") as anna:
        said = [await anna.say(reference, "hello") for reference in ("ben", ben_id, ben_id[:8])]

    assert {line.conversation for line in said} == {ben_id}
    assert [line.state for line in said] == ["queued"] * 3


async def test_young_engine_waits_for_a_peer_to_appear(tmp_path: Path) -> None:
    """What is said right after the very first start gets there."""
    async with running(tmp_path, "ben") as ben, running(tmp_path, "anna") as anna:
        await anna.say("ben", "hello")
        lines = await heard(ben, "anna", 1)

    assert texts(lines) == ["hello"]


@pytest.mark.usefixtures("settled")
async def test_names_that_mean_nobody_are_refused(tmp_path: Path) -> None:
    """Each with what is wrong with it."""
    async with running(tmp_path, "ben") as ben:
        own_id = (await ben.identity()).peer_id
        for name, error in (
            ("carla", NotFound),
            ("#other", NotFound),
            ("#", InvalidName),
            ("ben", UsageError),
            (own_id, UsageError),
        ):
            with pytest.raises(error):
                await ben.say(name, "hello")


async def test_name_of_two_peers_means_neither(ben: Engine, mallory: Chatterer, tmp_path: Path) -> None:
    """What is private must not go to whoever takes a name."""
    async with chatterer(tmp_path, ben, "trudy", name="mallory") as trudy:
        with pytest.raises(AmbiguousReference):
            await ben.say("mallory", "the password is ...")
        await ben.say(trudy.id, "hello")
        await eventually(trudy.pushed)

    assert mallory.pushed() == []


@pytest.mark.usefixtures("settled")
async def test_conversation_outlives_the_memory_of_its_peer(ben: Engine, mallory: Chatterer) -> None:
    """Anybody can invent peers, so that those who are offline are forgotten."""
    await ben.say(mallory.id, "hello")
    await mallory.close()
    await eventually(lambda: not ben.services.peers.links())
    ben.services.peers._views.clear()
    (line,) = await ben.messages(mallory.id)

    assert line.text == "hello"
    with pytest.raises(NotFound):
        await ben.messages("mallory")


@pytest.mark.parametrize(("text", "kind"), [("", "text"), ("x" * (MAX_TEXT + 1), "text"), ("hello", "offer")])
async def test_what_cannot_be_said_is_refused(ben: Engine, text: str, kind: str) -> None:
    """Nothing of it is kept."""
    with pytest.raises(UsageError):
        await ben.say("#lan", text, kind)

    assert await ben.messages("#lan") == []


# Lines and their ids


async def test_line_has_the_same_id_everywhere(tmp_path: Path) -> None:
    """And in its conversation alone; numbers count up from 1."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        said = [await anna.say(place, text, "me") for place, text in (("ben", "a"), ("ben", "b"), ("#lan", "c"))]
        lines = [*await heard(ben, "anna", 2), *await heard(ben, "#lan", 1)]
        own = [*await anna.messages("ben"), *await anna.messages("#lan")]

    assert [line.id for line in lines] == [line.id for line in said] == [line.id for line in own]
    assert [line.id.partition(":")[2] for line in lines] == ["1", "2", "1"]
    assert len({line.id for line in lines}) == 3
    assert {(line.sender_name, line.kind, line.state) for line in lines} == {("anna", "me", "received")}
    assert [line.sent_at for line in lines] == [line.sent_at for line in said]


async def test_clients_can_tell_which_lines_got_further(ben: Engine, mallory: Chatterer) -> None:
    """First they are delivered, then read: those of the log that is named, up to a number."""
    async with closing(ben.events()) as events:
        said = [await ben.say(mallory.id, text) for text in ("one", "two", "three")]
        log, _, _ = said[0].id.partition(":")
        await eventually(lambda: len(mallory.pushed()) == 3)
        lines = mallory.pushed()
        mallory.push(mallory.line(mallory.between, "four"))
        mallory.tell(Read(mallory.between, lines[0].log, 2))
        moved = [await until(events, MessagesMoved) for _ in range(2)]
    states = [line.state for line in await ben.messages(mallory.id)]

    assert [(move.conversation, move.log, move.seq, move.state) for move in moved] == [
        (mallory.id, log, 2, "delivered"),
        (mallory.id, log, 2, "read"),
    ]
    assert [line.id for line in said] == [f"{log}:{number}" for number in (1, 2, 3)]
    assert states == ["read", "read", "sent", "received"]


async def test_read_is_told_to_the_author(tmp_path: Path) -> None:
    """Once the user has seen it, also over a restart of the author."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await anna.say("ben", "one")
        await heard(ben, "anna", 1)
        await ben.read("anna")
        first_state = (await got_as_far(anna, "ben", "read"))[0].state
        await anna.say("ben", "two")
        await heard(ben, "anna", 2)
        await anna.stop()
    async with running(tmp_path, "ben") as ben:
        await ben.read("anna")
        async with running(tmp_path, "anna") as anna:
            lines = await got_as_far(anna, "ben", "read")

    assert first_state == "read"
    assert texts(lines) == ["one", "two"]


async def test_history_comes_page_by_page(ben: Engine) -> None:
    """The newest lines first, oldest of them on top; then those before one that is known."""
    said = [await ben.say("#lan", str(number)) for number in range(5)]
    newest = await ben.messages("#LAN", 2)
    middle = await ben.messages("#lan", 2, newest[0].id)
    oldest = await ben.messages("#lan", 2, middle[0].id)

    assert [*oldest, *middle, *newest] == said
    assert await ben.messages("#lan", 2, oldest[0].id) == []
    assert len(await ben.messages("#lan", 0)) == 1
    assert await ben.messages("#nothing") == []


async def test_nothing_comes_before_a_line_that_is_kept_no_longer(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client may have it on its screen while others push it out."""
    monkeypatch.setattr("peerterm.core.conversation.MAX_HISTORY", 3)
    mallory.lines = mallory.written(mallory.between, 6)
    mallory.push(mallory.lines[0])
    (oldest,) = await heard(ben, mallory.id, 1)
    mallory.push(*mallory.lines[1:])
    lines = await lines_when(ben, mallory.id, lambda lines: texts(lines) == ["4", "5", "6"])

    assert await ben.messages(mallory.id, 10, oldest.id) == []
    assert await ben.messages(mallory.id, 10, lines[0].id) == []


@pytest.mark.parametrize("wrong", ["nonsense", "7", ":1", f"{'0' * 16}:1", f"{'0' * 16}:{'9' * 30}"])
async def test_id_of_no_line_is_refused(ben: Engine, wrong: str) -> None:
    """Whatever it looks like."""
    await ben.say("#lan", "hello")
    with pytest.raises(UsageError):
        await ben.messages("#lan", 10, wrong)


# What authors are called


async def test_author_behind_another_goes_by_the_name_it_signed(
    ben: Engine, mallory: Chatterer, tmp_path: Path
) -> None:
    """In history, in the list of members and to clients, though nobody introduced it."""
    anna = Identity.load_or_create(tmp_path / "anna.key")
    one = signed(anna, LAN, "one", name="anna")
    mallory.claim(LAN, 0)
    event = await first(ben, MessageAdded, after=lambda: mallory.push(one))
    mallory.push(signed(anna, LAN, "two", one, name="annie"))
    lines = await heard(ben, "#lan", 2)
    room = await conversation_when(ben, "#lan", lambda view: view.unread == 2)

    assert event.message.sender_name == "anna"
    assert [line.sender_name for line in lines] == ["anna", "annie"]
    assert {member.name for member in room.members} == {"annie", "mallory"}


async def test_author_who_is_online_goes_by_the_name_it_has_now(ben: Engine, mallory: Chatterer) -> None:
    """Also in what it said when it was called otherwise; once it is gone its lines say what it was called."""
    mallory.claim(LAN, 0)
    mallory.push(mallory.line(LAN, "one", name="malcolm"))
    (there,) = await heard(ben, "#lan", 1)
    await mallory.close()
    await eventually(lambda: not ben.services.peers.links())
    (gone,) = await ben.messages("#lan")

    assert (there.sender_name, gone.sender_name) == ("mallory", "malcolm")


@pytest.mark.parametrize("name", ["mallory", "Mallory", "mal\u200blory", "ben", "carla~0123"])
async def test_name_that_another_has_is_told_apart(
    ben: Engine, mallory: Chatterer, tmp_path: Path, name: str
) -> None:
    """Of somebody known, or ours, however it is written; nobody can sign the mark itself."""
    impostor = Identity.load_or_create(tmp_path / "impostor.key")
    mallory.claim(LAN, 0)
    mallory.push(signed(impostor, LAN, "trust me", name=name), mallory.line(LAN, "hello"))
    lines = await heard(ben, "#lan", 2)
    room = await named(ben, "#lan")

    assert [line.sender_name for line in lines] == [f"{name}~{impostor.peer_id[:4]}", "mallory"]
    assert f"{name}~{impostor.peer_id[:4]}" in {member.name for member in room.members}


# Rooms


async def test_everybody_is_in_the_lobby_until_they_leave_it(tmp_path: Path) -> None:
    """A restart changes neither."""
    async with running(tmp_path, "ben") as ben:
        begun = await named(ben, "#lan")
        left = await ben.leave("#lan")
        with pytest.raises(NotFound):
            await ben.leave("#lan")
        with pytest.raises(NotFound):
            await ben.say("#lan", "hello")
    async with running(tmp_path, "ben") as ben:
        after = await named(ben, "#lan")
        joined = await ben.join("#Lan")
        again = await ben.join("#lan")

    assert (begun.is_member, left.is_member, after.is_member, joined.is_member) == (True, False, False, True)
    assert joined == again
    assert (begun.kind, begun.conversation) == ("room", "#lan")


async def test_members_are_those_who_are_there_or_spoke_lately(
    ben: Engine, mallory: Chatterer, tmp_path: Path
) -> None:
    """Clients are told as they come, speak through others, and go."""
    relayed = Identity.load_or_create(tmp_path / "relayed.key")
    own_id = (await ben.identity()).peer_id
    mallory.claim(LAN, 0)
    come = await conversation_when(ben, "#lan", lambda view: len(view.members) == 1)
    await ben.say("#lan", "hello")
    mallory.push(signed(relayed, LAN, "hello from afar", name="carla"))
    spoken = await conversation_when(ben, "#lan", lambda view: len(view.members) == 2)
    mallory.tell(Leave(LAN))
    gone = await conversation_when(ben, "#lan", lambda view: len(view.members) == 1 and view.unread == 1)

    assert [member.name for member in come.members] == ["mallory"]
    assert {member.peer_id for member in spoken.members} == {mallory.id, relayed.peer_id}
    assert [member.name for member in gone.members] == ["carla"]
    assert own_id not in {member.peer_id for member in spoken.members}


async def test_direct_conversation_shows_whether_the_other_is_there(
    ben: Engine, mallory: Chatterer, tmp_path: Path
) -> None:
    """And what it is called now."""
    await ben.say(mallory.id, "hello")
    there = await conversation_when(ben, "mallory")
    mallory.link.send(Status(name="eve", shares=0, size=0, seq=0))
    renamed = await conversation_when(ben, "eve")
    await mallory.close()
    gone = await conversation_when(ben, "eve", lambda view: not view.members)

    assert [member.peer_id for member in there.members] == [mallory.id]
    assert [member.name for member in renamed.members] == ["eve"]
    assert there.conversation == renamed.conversation == gone.conversation == mallory.id


# What is unread


async def test_unread_counts_what_others_said_and_nobody_saw(tmp_path: Path) -> None:
    """Own lines are none; a restart keeps the count, reading ends it."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        for text in ("one", "two"):
            await anna.say("ben", text)
        await heard(ben, "anna", 2)
        await ben.say("anna", "three")
        counted = await conversation_when(ben, "anna", lambda view: view.unread == 2)
    async with running(tmp_path, "ben") as ben:
        kept = await named(ben, "anna")
        read = await ben.read("anna")
        again = await ben.read("anna")

    assert kept.unread == 2
    assert kept.last_at == counted.last_at > 0
    assert read.unread == again.unread == 0


async def test_muted_conversation_counts_as_read(ben: Engine, mallory: Chatterer) -> None:
    """Its lines are kept and shown all the same, and count again once it is muted no longer."""
    one = mallory.line(mallory.between, "one")
    mallory.push(one)
    await conversation_when(ben, "mallory", lambda view: view.unread == 1)
    muted = await ben.mute("mallory")
    mallory.push(mallory.line(mallory.between, "two", one))
    lines = await heard(ben, "mallory", 2)
    still = await named(ben, "mallory")
    heard_again = await ben.mute("mallory", is_muted=False)

    assert (muted.is_muted, muted.unread) == (True, 0)
    assert (still.is_muted, still.unread) == (True, 0)
    assert (heard_again.is_muted, heard_again.unread) == (False, 2)
    assert texts(lines) == ["one", "two"]


async def test_conversation_that_never_was_cannot_be_read(ben: Engine, mallory: Chatterer) -> None:
    """Nobody spoke there yet."""
    with pytest.raises(NotFound):
        await ben.read(mallory.id)


# What clients are told


async def test_client_that_attaches_sees_all_conversations(tmp_path: Path) -> None:
    """Right after the start, with names of those who are offline and what is unread."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await anna.say("ben", "hello")
        await heard(ben, "anna", 1)
        await ben.join("#films")
    async with running(tmp_path, "ben") as ben:
        snapshot = await anext(aiter(ben.events()))

    assert isinstance(snapshot, Snapshot)
    assert {view.name: view.unread for view in snapshot.conversations} == {"anna": 1, "#lan": 0, "#films": 0}


async def test_many_lines_cost_few_looks(ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is not asked for each line what it changes, and clients end up with the right count."""
    looks: list[ConversationId] = []
    look = TalkStore.conversation

    async def counted(store: TalkStore, name: ConversationId, own: PeerId) -> ConversationRecord | None:
        looks.append(name)
        return await look(store, name, own)

    monkeypatch.setattr(TalkStore, "conversation", counted)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.3)
    began = asyncio.get_running_loop().time()
    mallory.lines = mallory.written(mallory.between, 300)
    mallory.claim(mallory.between, 300)
    view = await conversation_when(ben, "mallory", lambda view: view.unread == 300)
    took = asyncio.get_running_loop().time() - began

    assert view.unread == 300
    assert 1 < len(looks) <= 2 + took / 0.3


async def test_disk_that_cannot_be_read_ends_nothing(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients learn the count with what comes next."""
    failures = [StorageError("the disk is gone")]
    look = TalkStore.conversation

    async def failing(store: TalkStore, name: ConversationId, own: PeerId) -> ConversationRecord | None:
        if failures:
            raise failures.pop()
        return await look(store, name, own)

    monkeypatch.setattr(TalkStore, "conversation", failing)
    one = mallory.line(mallory.between, "one")
    mallory.push(one)
    await eventually(lambda: "the disk is gone" in caplog.text)
    mallory.push(mallory.line(mallory.between, "two", one))
    view = await conversation_when(ben, "mallory")

    assert view.unread == 2


async def test_nothing_is_told_twice(ben: Engine, mallory: Chatterer) -> None:
    """A conversation that is as clients know it is no news."""
    await ben.mute("#lan")
    async with closing(ben.events()) as events:
        await anext(events)
        await ben.mute("#lan")
        mallory.link.send(Status(name="mallory", shares=0, size=0, seq=0))
        await ben.join("#films")
        told = await until(events, ConversationChanged)

    assert told.conversation.name == "#films"
