"""Offers over crashes and bad disks, and offers of peers that want harm."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from peerterm.api.events import Notice
from peerterm.core.lines import LogId
from peerterm.core.offers import MAX_OPEN_OFFERS
from peerterm.errors import EngineBusy, StorageError
from tests.fakes.chatting import chatterer
from tests.fakes.engines import closing as closing_events
from tests.fakes.engines import eventually, network, noise, running, until, until_online, write
from tests.fakes.logs import made_item
from tests.fakes.offering import offer_when

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.api.views import TransferView
    from peerterm.core.lines import Line
    from peerterm.engine.engine import Engine
    from peerterm.engine.transfer import Transfer
    from tests.fakes.chatting import Chatterer


@pytest.fixture
async def mallory(ben: Engine, tmp_path: Path) -> AsyncIterator[Chatterer]:
    """Yield a peer of ben that says what it likes."""
    async with chatterer(tmp_path, ben) as peer:
        yield peer


def in_database(folder: Path, name: str, *statements: str) -> None:
    """Change the database of an engine that does not run."""
    with closing(sqlite3.connect(next((folder / name / "profile").rglob("*.db")))) as database, database:
        for statement in statements:
            database.execute(statement)


async def answers_of(ben: Engine, mallory: Chatterer, count: int) -> list[Line]:
    """Wait until ben has said so many lines to a peer, and return them."""
    talk = ben.services.talk_driver.talk
    own = LogId(talk.own, talk._pen._log)
    await eventually(lambda: talk._circles[mallory.between].conversation.seq(own) >= count)
    await eventually(lambda: not ben.services.talk_driver._batches)
    kept = await ben.services.talking._store.history(mallory.between, 1000)
    return [each.line for each in kept if each.line.author == talk.own]


# Crashes


async def test_line_that_was_not_heard_is_heard_at_the_next_start(tmp_path: Path) -> None:
    """On both sides: it was kept, then the engine was killed."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        note = write(tmp_path / "note", b"hello")
        [sent] = await anna.send(["ben"], [str(note)])
        await offer_when(ben, "offered")
        grant = next(iter(anna.services.grants._granted)).offer_id
        peer = sent.peer_id
    draft = f"INSERT INTO offer_drafts SELECT grant_id, peer, items FROM offers WHERE grant_id = '{grant}'"
    forget = ("DELETE FROM offers", "UPDATE offers_heard SET line_id = 0")
    in_database(tmp_path, "anna", draft, *forget)
    in_database(tmp_path, "ben", *forget)
    async with running(tmp_path, "anna") as anna, running(tmp_path, "ben") as ben:
        [again], [got] = await anna.offers(), await ben.offers()
        await ben.accept(got.offer_id)
        await offer_when(anna, "landed")

    assert (again.offer_id, again.peer_id, again.state) == (sent.offer_id, peer, "offered")
    assert (tmp_path / "ben" / "downloads" / "note").read_bytes() == b"hello"


async def test_grant_without_an_open_offer_ends_at_the_next_start(tmp_path: Path) -> None:
    """Its offer was ended, or its line never said, when the engine was killed."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        note = write(tmp_path / "note", b"hello")
        await anna.send(["ben"], [str(note)])
        await offer_when(ben, "offered")
    in_database(tmp_path, "anna", "UPDATE offers SET state = 'withdrawn'")
    async with running(tmp_path, "anna") as anna:
        await eventually(lambda: not len(anna.services.grants._granted))
        await eventually(lambda: not anna.services.offer_driver._batches)

        assert await anna.services.grants._store.shares() == []


async def test_accepted_item_without_a_transfer_gets_one_at_the_next_start(tmp_path: Path) -> None:
    """The engine was killed before it came to that; what was cleared off the list counts as given up."""
    async with running(tmp_path, "anna") as anna:
        async with running(tmp_path, "ben") as ben:
            await until_online(anna, 1)
            for name in ("note", "other"):
                await anna.send(["ben"], [str(write(tmp_path / name, noise(4_000_000, len(name))))])
                await offer_when(ben, "offered", name=name)
            await anna.limit(up=200_000)
            for view in await ben.offers():
                await ben.accept(view.offer_id)
        in_database(
            tmp_path,
            "ben",
            "DELETE FROM transfers",
            "UPDATE offers SET fetches = x'919301a0a0' WHERE instr(items, CAST('note' AS BLOB)) > 0",
        )
        await anna.limit(up=0)
        async with running(tmp_path, "ben") as ben:
            await offer_when(anna, "landed", name="note")
            await offer_when(anna, "declined", name="other")
            downloads = [transfer.name for transfer in await ben.transfers()]

    assert downloads == ["note"]


# Wishes that cross


async def test_withdrawn_while_downloads_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them goes on, and no further one is started."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await anna.limit(up=20_000)
        paths = [str(write(tmp_path / f"film {number}", noise(3_000_000, number))) for number in range(3)]
        [sent] = await anna.send(["ben"], paths)
        got = await offer_when(ben, "offered")
        fetch, is_begun, may_go_on = ben.services.downloads.fetch, asyncio.Event(), asyncio.Event()

        async def slow(*args: Any) -> TransferView:
            is_begun.set()
            await may_go_on.wait()
            return await fetch(*args)

        monkeypatch.setattr(ben.services.downloads, "fetch", slow)
        async with asyncio.TaskGroup() as wishes:
            wishes.create_task(ben.accept(got.offer_id))
            await is_begun.wait()
            wishes.create_task(anna.withdraw(sent.offer_id))
            offers = ben.services.offer_driver.offers
            await eventually(lambda: next(iter(offers)).state == "withdrawn")
            may_go_on.set()
        await eventually(lambda: not next(iter(offers)).unsettled)
        states = [transfer.state for transfer in await ben.transfers()]

    assert states == ["cancelled"]


async def test_download_that_is_over_before_it_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The offer has landed all the same: it joined a download of the same, which ended that moment."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        path = str(write(tmp_path / "film", noise(2_000_000)))
        await anna.limit(up=400_000)
        await anna.send(["ben"], [path])
        await ben.accept((await offer_when(ben, "offered")).offer_id)
        await anna.send(["ben"], [path])
        got = await offer_when(ben, "offered")
        admitted = ben.services.downloads._admitted

        async def slow(transfer: Transfer) -> TransferView:
            view = await admitted(transfer)
            await anna.limit(up=0)
            await eventually(lambda: transfer.life.is_over)
            return view

        monkeypatch.setattr(ben.services.downloads, "_admitted", slow)
        await ben.accept(got.offer_id)
        await eventually(lambda: all(offer.state == "landed" for offer in anna.services.offer_driver.offers))
        states = [offer.state for offer in await ben.offers()]

    assert states == ["landed", "landed"]


# Disks that refuse


async def test_answer_that_cannot_be_kept_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user is told, and may answer again."""
    monkeypatch.setattr("peerterm.engine.talk_driver.RETRY_SECONDS", 0.05)
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        await anna.send(["ben"], [str(write(tmp_path / "note", b"hello"))])
        got = await offer_when(ben, "offered")
        database = ben.services.talking._store._database
        await database.fetch_all("PRAGMA query_only = ON")
        for wish in (ben.accept, ben.decline):
            with pytest.raises(StorageError):
                await wish(got.offer_id)
        await database.fetch_all("PRAGMA query_only = OFF")
        assert [view.state for view in await ben.offers()] == ["offered"]
        await ben.accept(got.offer_id)
        await offer_when(anna, "landed")


async def test_offer_that_cannot_be_kept_is_kept_with_the_next(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is on disk already; the next start would hear it anew."""
    store = ben.services.offer_driver._store
    perform = store.perform
    refused: list[bool] = []

    async def refuse_once(*arguments: object) -> None:
        if not refused:
            refused.append(True)
            raise StorageError("disk full")
        await perform(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "perform", refuse_once)
    first = mallory.line(mallory.between, "offers a", kind="offer", items=(made_item("a"),))
    second = mallory.line(mallory.between, "offers b", first, kind="offer", items=(made_item("b"),))
    mallory.push(first)
    await offer_when(ben, "offered", name="a")
    mallory.push(second)
    await offer_when(ben, "offered", name="b")
    await ben.services.offer_driver.performed([])

    assert len(await store.offers()) == 2


async def test_answer_of_its_own_that_cannot_be_said_is_let_be(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too much waits to be taken by that peer: it goes on without."""
    driver = ben.services.offer_driver
    said: list[object] = []

    def refuse(*_: object, kind: str, **__: object) -> list[object]:
        said.append(kind)
        raise EngineBusy("too much waits")

    monkeypatch.setattr(driver._talk.talk, "said", refuse)
    mallory.push(mallory.line(mallory.between, "offers ..", kind="offer", items=(made_item(".."),)))
    await eventually(lambda: said)
    await driver.performed([])

    assert said == ["decline"]


async def test_download_that_cannot_begin_is_given_up_and_said(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the user and to the offerer."""
    mallory.push(mallory.line(mallory.between, "offers a", kind="offer", items=(made_item("a"),)))
    got = await offer_when(ben, "offered")

    async def refuse(*_: object) -> None:
        raise EngineBusy("too many transfers", "wait for some")

    monkeypatch.setattr(ben.services.downloads, "fetch", refuse)
    async with closing_events(ben.events()) as events:
        await anext(events)
        await ben.accept(got.offer_id)
        notice = await until(events, Notice)
    declined = await offer_when(ben, "declined")

    assert notice.text == "a is not fetched: too many transfers (wait for some)"
    assert declined.transfer_ids == []


# Peers that want harm


async def test_flood_of_offers_writes_nothing(ben: Engine, mallory: Chatterer, tmp_path: Path) -> None:
    """At most 64 are shown; the others are declined by themselves."""
    count = MAX_OPEN_OFFERS + 36
    lines: list[Line] = []
    for number in range(count):
        items = (made_item(f"film {number}", number % 200, size=10**12),)
        after = lines[-1] if lines else None
        lines.append(mallory.line(mallory.between, f"film {number}", after, kind="offer", items=items))
    mallory.lines = lines
    mallory.claim(mallory.between, count)
    answers = await answers_of(ben, mallory, count - MAX_OPEN_OFFERS)

    assert [view.state for view in await ben.offers()] == ["offered"] * MAX_OPEN_OFFERS
    assert {(line.kind, line.about) for line in answers} == {
        ("decline", line.hash) for line in lines[MAX_OPEN_OFFERS:]
    }
    assert not (tmp_path / "ben" / "downloads").exists()
    assert await ben.transfers() == []


async def test_flood_of_offers_makes_nobody_wait(
    ben: Engine, mallory: Chatterer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes while a disk is slow is kept together, not one by one; our user is answered between."""
    lines = [mallory.line(mallory.between, "offers a", kind="offer", items=(made_item("a"),))]
    for number in range(500):
        items = (made_item(f"film {number}"), made_item("b"))
        lines.append(mallory.line(mallory.between, f"film {number}", lines[-1], kind="offer", items=items))
        lines.append(mallory.line(mallory.between, "no", lines[-1], kind="withdraw", about=lines[-1].hash))
    mallory.lines = lines
    driver, writes = ben.services.offer_driver, 0
    perform = driver._store.perform

    async def slow(*args: Any) -> None:
        nonlocal writes
        writes += 1
        await asyncio.sleep(0.03)
        await perform(*args)

    monkeypatch.setattr(driver._store, "perform", slow)
    mallory.claim(mallory.between, len(lines))
    got = await offer_when(ben, "offered", name="a")
    await eventually(lambda: driver._heard > len(lines) // 2)
    declined = await ben.decline(got.offer_id)
    await eventually(lambda: not driver._batches and driver._heard > len(lines))

    assert declined.state == "declined"
    assert writes < len(lines) // 5


async def test_offer_that_is_declined_by_itself_is_heard_once(tmp_path: Path) -> None:
    """Not again at every start of the engine."""
    said: list[int] = []
    peer = ""
    for _ in range(3):
        async with running(tmp_path, "ben") as ben:
            if not peer:
                async with chatterer(tmp_path, ben) as mallory:
                    peer = mallory.id
                    mallory.push(mallory.line(mallory.between, "offers", kind="offer", items=(made_item(".."),)))
                    await answers_of(ben, mallory, 1)
                await eventually(lambda: ben.services.offer_driver._noted > 0)
            await ben.services.offer_driver.performed([])
            said.append(sum(line.sender != peer for line in await ben.messages(peer, 100)))

    assert said == [1, 1, 1]


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "..", "a\nb", "x.peerterm-part"])
async def test_unsafe_name_never_reaches_the_user(ben: Engine, mallory: Chatterer, name: str) -> None:
    """It is declined by itself."""
    line = mallory.line(mallory.between, "take this", kind="offer", items=(made_item(name),))
    mallory.push(line)
    [answer] = await answers_of(ben, mallory, 1)

    assert (answer.kind, answer.about) == ("decline", line.hash)
    assert await ben.offers() == []


async def test_content_that_is_not_there_can_be_given_up(ben: Engine, mallory: Chatterer, tmp_path: Path) -> None:
    """The download waits; when the offerer withdraws, it ends."""
    line = mallory.line(mallory.between, "take this", kind="offer", items=(made_item("a", 7, size=10**9),))
    mallory.push(line)
    got = await offer_when(ben, "offered")
    await ben.accept(got.offer_id)
    mallory.push(mallory.line(mallory.between, "ha", line, kind="withdraw", about=line.hash))
    await offer_when(ben, "withdrawn")
    await eventually(lambda: all(view.state == "cancelled" for view in ben.services.downloads.transfers.views()))
    await eventually(lambda: not list((tmp_path / "ben" / "downloads").glob("*")))

    [transfer] = await ben.transfers()
    assert transfer.error == "mallory withdrew the offer (ask for it to be sent again)"


async def test_download_of_everybodys_is_not_ended_by_an_offer(tmp_path: Path) -> None:
    """What the user fetches anyway goes on when an offer of the same is withdrawn."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        film = write(tmp_path / "film", noise(4_000_000))
        await ben.limit(down=300_000)
        share = await anna.share(str(film))
        await eventually(lambda: anna.services.sharing.views()[0].state == "ready")
        fetched = await ben.get(anna.services.sharing.views()[0].root)
        await anna.send(["ben"], [str(film)])
        got = await offer_when(ben, "offered")
        accepted = await ben.accept(got.offer_id)
        await anna.withdraw(got.offer_id)
        await offer_when(ben, "withdrawn")
        await ben.services.offer_driver.performed([])
        states = {view.transfer_id: view.state for view in await ben.transfers()}

    assert share.name == "film"
    assert states[fetched.transfer_id] in ("connecting", "running", "waiting")
    assert accepted.transfer_ids != [fetched.transfer_id] or states[fetched.transfer_id] != "cancelled"


async def test_engine_that_stops_lets_nobody_wait(tmp_path: Path) -> None:
    """Who waits for something to be performed is told."""
    async with running(tmp_path, "ben") as ben:
        driver, sending = ben.services.offer_driver, ben.services.sending
    with pytest.raises(EngineBusy):
        await sending._to_its_end(asyncio.sleep(0))
    assert driver.offers.resume([]) == []
