"""Conversations of real engines: what is kept before it is sent, what gets through, what is refused."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice
from peerterm.core.members import LATE_LINES
from peerterm.core.talk_messages import Ask, Fork, Heads, Leave
from peerterm.engine import talk_driver as module
from peerterm.engine.talk_driver import TalkDriver
from peerterm.errors import EngineNotRunning, NotFound, PeerRefused, StorageError
from peerterm.net.identity import Identity
from peerterm.store.database import Database
from peerterm.store.talk import TalkStore
from peerterm.wire.messages import (
    TalkHead,
    TalkHeads,
    TalkLeave,
    TalkPullAnswer,
    TalkPullRequest,
    TalkPush,
    TalkWant,
)
from tests.fakes.chatting import LAN, LOG, chatterer, got_as_far, heard, signed, texts
from tests.fakes.engines import eventually, first, network, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.core.talk_messages import Effect, Mark, Member, Refused, Saved
    from peerterm.engine.engine import Engine
    from peerterm.store.talk import KeptLine
    from tests.fakes.chatting import Chatterer

ANY = TalkWant(author=bytes(32), log=LOG, start=1)
TALK_MESSAGES = (TalkHeads, TalkPush, TalkLeave, TalkPullRequest)


def database_of(engine: Engine) -> Database:
    """Return what an engine writes to."""
    return engine.services.talking._store._database


@asynccontextmanager
async def refusing(engine: Engine) -> AsyncIterator[None]:
    """Let the disk of an engine take nothing while the block runs."""
    connection = database_of(engine)._connection
    await connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        await connection.execute("PRAGMA query_only = OFF")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store that failed be tried again soon."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)


@pytest.fixture
async def mallory(ben: Engine, tmp_path: Path) -> AsyncIterator[Chatterer]:
    """Yield a peer of ben that says what it likes."""
    async with chatterer(tmp_path, ben) as peer:
        yield peer


# Exactly once, in the author's order


@pytest.mark.parametrize("place", ["direct", "#lan"])
async def test_what_both_say_at_once_arrives_once_and_in_order(tmp_path: Path, place: str) -> None:
    """More than may be pushed at once, so that some is pulled."""
    said = [str(number) for number in range(60)]
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        to_ben, to_anna = ("ben", "anna") if place == "direct" else (place, place)
        for text in said:
            await asyncio.gather(anna.say(to_ben, text), ben.say(to_anna, text))
        at_anna, at_ben = await heard(anna, to_ben, 120), await heard(ben, to_anna, 120)

    for lines in (at_anna, at_ben):
        assert texts(lines, "anna") == texts(lines, "ben") == said


async def test_lines_wait_for_a_peer_over_a_restart_of_both(tmp_path: Path) -> None:
    """They are delivered by themselves once both are online, and say so."""
    async with network(tmp_path, "anna", "ben"):
        pass
    async with running(tmp_path, "anna") as anna:
        queued = [await anna.say("ben", text) for text in ("one", "two")]
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        at_ben = await heard(ben, "anna", 2)
        at_anna = await got_as_far(anna, "ben", "delivered")

    assert [line.state for line in queued] == ["queued", "queued"]
    assert texts(at_ben) == texts(at_anna) == ["one", "two"]


async def test_links_that_break_lose_and_double_nothing(tmp_path: Path) -> None:
    """Whatever was on the way when a link ended comes again over the next one."""
    said = [str(number) for number in range(40)]
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        for number, text in enumerate(said):
            await asyncio.gather(anna.say("ben", text), ben.say("anna", text))
            if number % 10 == 5:
                for link in anna.services.peers.links():
                    link.drop()
        at_anna, at_ben = await heard(anna, "ben", 80), await heard(ben, "anna", 80)

    for lines in (at_anna, at_ben):
        assert texts(lines, "anna") == texts(lines, "ben") == said


async def test_late_joiner_of_a_room_gets_the_newest_lines(tmp_path: Path) -> None:
    """``LATE_LINES`` of each author, in order; the older ones are not asked for."""
    async with running(tmp_path, "anna") as anna:
        said = [str(number) for number in range(LATE_LINES + 30)]
        await asyncio.gather(*(anna.say("#lan", text) for text in said))
        async with running(tmp_path, "ben") as ben:
            lines = await heard(ben, "#lan", LATE_LINES)

    assert texts(lines) == said[-LATE_LINES:]


async def test_room_that_was_left_is_heard_no_longer(tmp_path: Path) -> None:
    """Who joins again gets what was said meanwhile."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await anna.say("#lan", "one")
        await heard(ben, "#lan", 1)
        await ben.leave("#lan")
        await eventually(lambda: not anna.services.talk_driver.talk.members(LAN))
        await anna.say("#lan", "two")
        await anna.say("ben", "the room is empty")
        await heard(ben, "anna", 1)
        before = await ben.messages("#lan")
        await ben.join("#lan")
        after = await heard(ben, "#lan", 2)

    assert texts(before) == ["one"]
    assert texts(after) == ["one", "two"]


# The disk refuses


@pytest.mark.usefixtures("quick")
async def test_line_that_cannot_be_kept_is_not_said(tmp_path: Path) -> None:
    """Its number goes to the next line that can; nobody ever sees the other."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        async with refusing(anna):
            with pytest.raises(StorageError):
                await anna.say("ben", "lost")
            with pytest.raises(StorageError):
                await anna.say("ben", "lost too")
            assert await anna.messages("ben") == []
        await eventually(lambda: anna.services.talk_driver._trouble is None)
        said = await anna.say("ben", "kept")
        lines = await heard(ben, "anna", 1)

    assert texts(lines) == ["kept"]
    assert said.id.endswith(":1")


async def test_nothing_is_said_until_the_machine_is_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the old one says would follow upon a line that is not kept, though the disk is well again."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.5)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        async with refusing(anna):
            with pytest.raises(StorageError):
                await anna.say("ben", "lost")
        with pytest.raises(StorageError):
            await anna.say("ben", "lost too")
        await eventually(lambda: anna.services.talk_driver._trouble is None)
        said = await anna.say("ben", "kept")
        lines = await heard(ben, "anna", 1)

    assert texts(lines) == ["kept"]
    assert said.id.endswith(":1")


@pytest.mark.usefixtures("quick")
async def test_line_of_another_that_cannot_be_kept_is_asked_for_again(tmp_path: Path) -> None:
    """Nobody was told that it is held, and its author is linked anew."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        async with refusing(ben):
            await anna.say("ben", "one")
            await eventually(lambda: ben.services.talk_driver._trouble)
            states = {line.state for line in await anna.messages("ben")}
        lines = await heard(ben, "anna", 1)
        await got_as_far(anna, "ben", "delivered")

    assert states <= {"queued", "sent"}
    assert texts(lines) == ["one"]


@pytest.mark.usefixtures("quick")
async def test_disk_that_can_only_be_read_costs_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is tried; once it takes something the links are made anew, so that nothing is missed."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        links, store, tries = ben.services.peers.links(), ben.services.talking._store, []
        saved = store.saved

        async def counted() -> Saved:
            tries.append(ben.services.peers.links())
            return await saved()

        monkeypatch.setattr(store, "saved", counted)
        async with refusing(ben):
            await anna.say("#lan", "one")
            await eventually(lambda: len(tries) >= 4)
        lines = await heard(ben, "#lan", 1)

    assert tries[:4] == [links] * 4
    assert texts(lines) == ["one"]


@pytest.mark.usefixtures("quick")
async def test_disk_that_refuses_answers_no_pull(ben: Engine, mallory: Chatterer) -> None:
    """The peer is told why, and asks again later."""
    await ben.say("#lan", "one")
    mallory.claim(LAN, 0)
    await eventually(lambda: ben.services.talk_driver.talk.members(LAN))
    async with refusing(ben):
        with pytest.raises(StorageError):
            await ben.say("#lan", "two")
        with pytest.raises(PeerRefused) as raised:
            await mallory.link.ask_one(TalkPullRequest(room=LAN, wants=[ANY]), timeout=5)

    assert isinstance(raised.value.__cause__, StorageError)


async def test_store_that_cannot_be_read_is_tried_until_it_can(
    ben: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is built anew from what it has."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    driver = ben.services.talk_driver
    tries, load = [], driver.load

    async def fail_twice() -> None:
        tries.append(driver._trouble)
        if len(tries) < 3:
            raise StorageError("the disk is gone")
        await load()

    monkeypatch.setattr(driver, "load", fail_twice)
    async with refusing(ben):
        with pytest.raises(StorageError):
            await ben.say("#lan", "lost")
    await eventually(lambda: driver._trouble is None)
    await ben.say("#lan", "kept")

    assert len(tries) == 3
    assert all(tries)


# A driver alone


class Listener:
    """Notes nothing."""

    def line_kept(self, kept: KeptLine) -> None:
        """See ``Audience``."""

    def line_moved(self, mark: Mark) -> None:
        """See ``Audience``."""

    def member_moved(self, member: Member) -> None:
        """See ``Audience``."""

    def warned(self, trouble: Fork | Refused) -> None:
        """See ``Audience``."""


async def test_driver_that_stops_leaves_nobody_waiting(tmp_path: Path) -> None:
    """Neither who waits for the disk, nor who comes after it."""
    database = await Database.open(tmp_path / "state.db")
    driver = TalkDriver(TalkStore(database), Identity.load_or_create(tmp_path / "key"), "ben", Listener())
    await driver.load()
    driver.talk.joined(LAN, 0)
    running = asyncio.create_task(driver.run())

    def say() -> asyncio.Task[list[KeptLine]]:
        return asyncio.create_task(driver.performed(driver.talk.said(LAN, "hello", sent_at=1, now=0)))

    async with database.transaction():
        waiting, left = say(), say()
        await eventually(lambda: len(driver._batches) == 2)
        left.cancel()
        running.cancel()
        await asyncio.wait([running, waiting, left])
        late = say()
        await asyncio.wait([late])
    driver.perform(driver.talk.left(LAN))
    await database.close()

    assert isinstance(waiting.exception(), EngineNotRunning)
    assert isinstance(late.exception(), EngineNotRunning)
    assert left.cancelled()
    assert not driver._batches


# Peers that are not as they should be


async def test_peer_that_knows_no_conversations_is_sent_nothing(ben: Engine, tmp_path: Path) -> None:
    """Nor is it listened to; what is said to it waits until it knows more, and no longer when it forgets again."""
    async with chatterer(tmp_path, ben, features=[]) as peer:
        said = await ben.say(peer.id, "do you hear?")
        await ben.say("#lan", "hello, all")
        peer.claim(LAN, 5)
        with pytest.raises(PeerRefused) as raised:
            await peer.link.ask_one(TalkPullRequest(room=LAN, wants=[ANY]), timeout=5)
        deaf = [message for message in peer.heard if isinstance(message, TALK_MESSAGES)]
        await peer.connect(ben)
        peer.claim(peer.between, 0)
        await eventually(lambda: len(peer.told()) >= 2)
        await peer.connect(ben, features=[])
        await eventually(lambda: not ben.services.talk_driver._links)

    assert said.state == "queued"
    assert isinstance(raised.value.__cause__, NotFound)
    assert deaf == []
    assert not ben.services.talk_driver.talk.members(LAN)


async def test_room_with_an_impossible_name_ends_the_link(ben: Engine, mallory: Chatterer) -> None:
    """No honest peer names one so."""
    mallory.link.send(TalkLeave(room="lan"))
    await asyncio.wait(mallory.links)

    assert "not the name of a room" in mallory.links[0].result().reason


async def test_older_link_of_a_peer_is_not_listened_to(ben: Engine, mallory: Chatterer) -> None:
    """Whoever replaced it tells all again."""
    (link,) = ben.services.peers.links()
    await mallory.connect(ben)
    await eventually(lambda: ben.services.peers.links() not in ([], [link]))

    assert ben.services.talk_driver.received(link, TalkHeads(room=LAN, heads=[]))
    assert not ben.services.talk_driver.talk.members(LAN)


async def test_flood_is_taken_at_our_own_pace_and_whole(ben: Engine, mallory: Chatterer) -> None:
    """What is pushed beyond the burst is asked for."""
    mallory.claim(LAN, 0)
    mallory.lines = mallory.written(LAN, 300)
    mallory.push(*mallory.lines)
    pushed = len(await heard(ben, "#lan", 1))
    lines = await heard(ben, "#lan", 300)

    assert pushed < 300
    assert texts(lines) == [str(number) for number in range(1, 301)]
    assert any(isinstance(request, TalkPullRequest) for request in mallory.asked)


async def test_peer_that_says_more_than_the_disk_takes_is_linked_anew(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it grows without bound, and nothing it said before is lost unnoticed."""
    monkeypatch.setattr(module, "MAX_WAITING", 8)
    driver = ben.services.talk_driver
    async with database_of(ben).transaction():
        mallory.claim(LAN, 0)
        mallory.push(mallory.line(LAN, "one"))
        await eventually(lambda: driver._batches)
        for _ in range(20):
            mallory.tell(Leave(LAN), Heads(LAN, ()))
        await asyncio.wait(mallory.links)
        waiting = len(driver._batches)
    lines = await heard(ben, "#lan", 1)
    await eventually(lambda: not driver._batches)

    assert waiting <= 9
    assert texts(lines) == ["one"]
    assert not driver._waiting


async def test_what_is_told_in_one_turn_is_answered_once_and_at_once(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many messages it is: what follows of them is seen to in the next turn of the loop."""
    driver = ben.services.talk_driver
    (link,) = ben.services.peers.links()
    mallory.claim(LAN, 0)
    await eventually(lambda: driver.talk.members(LAN))
    ticks, tick = [], driver.talk.tick

    def counted(now: float) -> list[Effect]:
        ticks.append(tick(now))
        return ticks[-1]

    monkeypatch.setattr(driver.talk, "tick", counted)
    for seq in range(1, 100):
        heads = [TalkHead(author=bytes([number]) * 32, log=LOG, first=1, seq=seq) for number in range(99)]
        driver.received(link, TalkHeads(room=LAN, heads=heads))
    ticks.clear()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    [[ask]] = ticks
    assert isinstance(ask, Ask)
    assert ask.peer == mallory.id


async def test_pull_that_fails_is_tried_again(ben: Engine, mallory: Chatterer) -> None:
    """A peer that claims lines and refuses them once gives them later."""
    mallory.lines = mallory.written(mallory.between, 3)
    mallory.failures = [NotFound("what lines?")]
    mallory.claim(mallory.between, 3)
    lines = await heard(ben, mallory.id, 3)

    assert texts(lines) == ["1", "2", "3"]
    assert mallory.failures == []


async def test_pull_is_answered_with_what_is_kept(ben: Engine, mallory: Chatterer) -> None:
    """Those who take part get the lines that are on disk; others learn nothing."""
    await ben.say("#lan", "one")
    (head,) = ben.services.talk_driver.talk._circles[LAN].conversation.heads()
    want = TalkWant(author=bytes.fromhex(head.log_id.author), log=head.log_id.log, start=1)
    request = TalkPullRequest(room=LAN, wants=[want])
    with pytest.raises(PeerRefused) as raised:
        await mallory.link.ask_one(request, timeout=5)
    mallory.claim(LAN, 0)
    answer = await mallory.link.ask_one(request, timeout=5)

    assert isinstance(raised.value.__cause__, NotFound)
    assert isinstance(answer, TalkPullAnswer)
    assert [line.text for line in answer.lines] == ["one"]


async def test_forged_line_is_refused_and_noted_once(
    ben: Engine, mallory: Chatterer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of somebody else's name, or altered on the way; the genuine one is taken all the same."""
    victim = Identity.load_or_create(tmp_path / "victim.key")
    genuine = signed(victim, LAN, "I owe you nothing")
    forged = signed(mallory.identity, LAN, "I owe you 100", key=genuine.key)
    altered = replace(genuine, text="I owe you 1")
    mallory.claim(LAN, 0)
    mallory.push(forged, altered, genuine)
    lines = await heard(ben, "#lan", 1)
    refusals = [record for record in caplog.messages if "'forged'" in record]

    assert texts(lines) == ["I owe you nothing"]
    assert len(refusals) == 1
    assert mallory.id[:8] in refusals[0]


async def test_line_of_a_stranger_has_no_place_between_two(
    ben: Engine, mallory: Chatterer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However genuine it is."""
    stranger = Identity.load_or_create(tmp_path / "stranger.key")
    mallory.push(signed(stranger, mallory.between, "me too"), mallory.line(mallory.between, "one"))
    lines = await heard(ben, mallory.id, 1)

    assert texts(lines) == ["one"]
    assert "'foreign'" in caplog.text


async def test_second_line_in_one_place_is_refused_and_told_once(ben: Engine, mallory: Chatterer) -> None:
    """The conversation goes on with the one that came first."""
    one, other = mallory.line(LAN, "one"), mallory.line(LAN, "other")
    mallory.claim(LAN, 0)
    notice = await first(ben, Notice, after=lambda: mallory.push(one, other, other, mallory.line(LAN, "two", one)))
    lines = await heard(ben, "#lan", 2)

    assert notice.level == "warning"
    assert "mallory said two different things" in notice.text
    assert texts(lines) == ["one", "two"]


async def test_copy_of_this_profile_is_told_and_does_not_split_the_talk(
    ben: Engine, mallory: Chatterer, tmp_path: Path
) -> None:
    """What comes after is said in a log of its own, which everybody can take."""
    said = await ben.say("#lan", "one")
    log = ben.services.talk_driver.talk._circles[LAN].conversation.heads()[0].log_id.log
    copy = Identity.load_or_create(tmp_path / "ben" / "profile" / "key.pem")
    assert copy.peer_id == said.sender
    mallory.claim(LAN, 0)
    other = signed(copy, LAN, "one, but other", log=log)
    notice = await first(ben, Notice, after=lambda: mallory.push(other))
    again = await ben.say("#lan", "two")
    await eventually(lambda: [line.text for line in mallory.pushed()] == ["two"])

    assert "copy of this profile" in notice.text
    assert texts(await ben.messages("#lan")) == ["one", "two"]
    assert again.id.rpartition(":")[0] != said.id.rpartition(":")[0]
    assert again.id.endswith(":1")
