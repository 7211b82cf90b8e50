"""Sending to single peers: whatever is offered, accepted, declined or withdrawn ends right; nobody else gets it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import Notice, OfferChanged, OfferIndexing, Snapshot, SourceDropped
from peerterm.core.lines import MAX_ITEMS
from peerterm.core.offers import MAX_OPEN_OFFERS
from peerterm.errors import EngineBusy, InvalidName, InvalidPath, NotFound, PeerRefused, StorageError, UsageError
from tests.fakes.engines import (
    MIB,
    PATIENCE,
    closing,
    eventually,
    network,
    noise,
    running,
    until,
    until_online,
    write,
)
from tests.fakes.offering import offer_when

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.engine import Engine

SLOW = 300_000
"""Bytes a second at which ``noise(4 * MIB)`` is on its way for long enough."""


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Engine, Engine]]:
    """Yield anna and ben, who share nothing."""
    async with network(tmp_path, "anna", "ben") as (anna, ben):
        yield anna, ben


def granted(engine: Engine) -> int:
    """Return how many grants are in force."""
    return len(engine.services.grants._granted)


async def private_shares(engine: Engine) -> int:
    """Return how many private shares there are."""
    return len(await engine.services.grants._store.shares())


async def nothing_granted(engine: Engine) -> None:
    """Wait until no grant is in force and no private share is left; that follows the end of an offer."""
    await eventually(lambda: granted(engine) == 0)
    async with asyncio.timeout(PATIENCE):
        while await private_shares(engine):
            await asyncio.sleep(0.01)


def landed_in(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, by path."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# Sent and taken


async def test_what_is_sent_gets_there(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Files and folders; both sides see it, and the grant ends with it."""
    anna, ben = two
    write(tmp_path / "src/sub/a", noise(3 * MIB))
    note = write(tmp_path / "note.txt", b"hello")
    before = note.stat().st_mtime - 1
    [sent] = await anna.send(["ben"], [str(tmp_path / "src"), str(note)])
    got = await offer_when(ben, "offered")
    accepted = await ben.accept(got.offer_id[:6], str(tmp_path / "out"))
    landed = await offer_when(ben, "landed")
    ended = await offer_when(anna, "landed")

    assert (sent.direction, sent.peer_name, sent.name) == ("out", "ben", "src and 1 more")
    assert (sent.files, sent.bytes, [item.kind for item in sent.items]) == (2, 3 * MIB + 5, ["folder", "file"])
    assert (got.offer_id, got.direction, got.peer_name, got.items) == (sent.offer_id, "in", "anna", sent.items)
    assert (accepted.state, accepted.directory) == ("accepted", str(tmp_path / "out"))
    assert len(accepted.transfer_ids) == 2
    assert landed.transfer_ids == accepted.transfer_ids
    assert ended.error == landed.error == ""
    assert landed_in(tmp_path / "out") == {"src/sub/a": noise(3 * MIB), "note.txt": b"hello"}
    assert (tmp_path / "out" / "note.txt").stat().st_mtime >= before
    assert [line.text for line in await ben.messages("anna")] == [
        "offers src and 1 more",
        "accepts src and 1 more",
        "has src and 1 more",
    ]
    assert {line.offer_id for line in await anna.messages("ben")} == {sent.offer_id}
    await nothing_granted(anna)
    assert await anna.shares() == []


async def test_files_of_the_same_content_all_land(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Each by its own name."""
    anna, ben = two
    paths = [str(write(tmp_path / name, b"same")) for name in ("a.txt", "b.txt")]
    await anna.send(["ben"], paths)
    got = await offer_when(ben, "offered")
    await ben.accept(got.offer_id, str(tmp_path / "out"))
    await offer_when(anna, "landed")

    assert landed_in(tmp_path / "out") == {"a.txt": b"same", "b.txt": b"same"}


async def test_some_items_are_taken(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Into the configured folder; the others are not fetched."""
    anna, ben = two
    paths = [str(write(tmp_path / name, name.encode())) for name in ("a", "b", "c")]
    await anna.send(["ben"], paths)
    got = await offer_when(ben, "offered")
    await ben.accept(got.offer_id, items=[1, 3])
    await offer_when(anna, "landed")

    assert landed_in(tmp_path / "ben" / "downloads") == {"a": b"a", "c": b"c"}


async def test_some_peers_are_not_asked_for(tmp_path: Path) -> None:
    """What they offer is accepted by itself, also if it came before that was wished; of others nothing is."""
    note = write(tmp_path / "note.txt", b"hello")
    async with network(tmp_path, "anna", "carl") as (anna, carl):
        async with running(tmp_path, "ben") as ben:
            await until_online(ben, 2)
            await anna.send(["ben"], [str(note)])
            await offer_when(ben, "offered")
        async with running(tmp_path, "ben", accept_from=(anna.services.identity.peer_id,)) as ben:
            await until_online(ben, 2)
            await offer_when(anna, "landed")
            await anna.send(["ben"], [str(write(tmp_path / "second", b"more"))])
            await carl.send(["ben"], [str(note)])
            await eventually(lambda: [each.state for each in anna.services.sending.views()] == ["landed"] * 2)
            await offer_when(ben, "offered", peer="carl")

        assert landed_in(tmp_path / "ben" / "downloads") == {"note.txt": b"hello", "second": b"more"}


async def test_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The offer of a peer that is always accepted waits for an answer then, as any other."""
    async with (
        network(tmp_path, "anna") as [anna],
        running(
            tmp_path, "ben", accept_from=(anna.services.identity.peer_id,), download_dir=write(tmp_path / "x", b"")
        ) as ben,
        closing(ben.events()) as events,
    ):
        await anext(events)
        await until_online(anna, 1)
        await anna.send(["ben"], [str(write(tmp_path / "note.txt", b"hello"))])
        notice = await until(events, Notice)

        assert notice.text.startswith("note.txt is not accepted: ")
        assert (await offer_when(ben, "offered")).name == "note.txt"


async def test_nobody_else_can_have_it(tmp_path: Path) -> None:
    """Nor the one who has it, by what another was granted; what was fetched is not served on."""
    async with network(tmp_path, "anna", "ben", "carl") as (anna, ben, carl):
        note = write(tmp_path / "note.txt", noise(MIB + 1))
        [sent] = await anna.send(["ben"], [str(note)])
        got = await offer_when(ben, "offered")
        root = got.items[0].root
        for reference in (root, root[:8], "anna/note.txt"):
            with pytest.raises((NotFound, PeerRefused)):
                await carl.get(reference)
        await ben.accept(got.offer_id)
        await offer_when(anna, "landed")
        await nothing_granted(anna)
        with pytest.raises(NotFound):
            await carl.get(root)
        with pytest.raises(NotFound):
            await ben.get(sent.items[0].root)


async def test_several_get_the_same(tmp_path: Path) -> None:
    """Each has an offer of its own; what becomes of one is nothing to the others."""
    async with network(tmp_path, "anna", "ben", "carl") as (anna, ben, carl):
        note = write(tmp_path / "note.txt", b"hello")
        sent = await anna.send(["ben", "carl", "ben"], [str(note), str(note)])
        await ben.decline((await offer_when(ben, "offered")).offer_id)
        await offer_when(anna, "declined", peer="ben")
        await eventually(lambda: granted(anna) == 1)
        await carl.accept((await offer_when(carl, "offered")).offer_id)
        await offer_when(anna, "landed", peer="carl")
        await nothing_granted(anna)

        assert [(view.peer_name, len(view.items)) for view in sent] == [("ben", 1), ("carl", 1)]
        assert landed_in(tmp_path / "carl" / "downloads") == {"note.txt": b"hello"}
        assert landed_in(tmp_path / "ben" / "downloads") == {}


async def test_hidden_file_replaces_nothing(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """However often it is offered; nor does it stay hidden."""
    anna, ben = two
    home = tmp_path / "home"
    write(home / ".bashrc", b"mine")
    write(home / "_bashrc", b"mine too")
    evil = write(tmp_path / ".bashrc", b"evil")
    for _ in range(2):
        await anna.send(["ben"], [str(evil)])
        await ben.accept((await offer_when(ben, "offered")).offer_id, str(home))
        await eventually(lambda: all(view.state == "landed" for view in anna.services.sending.views()))

    assert landed_in(home) == {
        ".bashrc": b"mine",
        "_bashrc": b"mine too",
        "_bashrc (2)": b"evil",
        "_bashrc (3)": b"evil",
    }


async def test_indexing_is_told(
    two: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the offer when it is made, and in every snapshot from then on."""
    monkeypatch.setattr("peerterm.engine.scanning.PROGRESS_SECONDS", 0.001)
    anna, _ = two
    path = str(write(tmp_path / "film", noise(64 * MIB)))
    async with closing(anna.events()) as events:
        await anext(events)
        sending = asyncio.create_task(anna.send(["ben"], [path]))
        told = await until(events, OfferIndexing)
        changed = await until(events, OfferChanged)
        [sent] = await sending
    async with closing(anna.events()) as events:
        snapshot = await anext(events)

    assert told.path == path
    assert 0 <= told.done_bytes <= told.bytes <= 64 * MIB
    assert changed.offer.offer_id == sent.offer_id
    assert isinstance(snapshot, Snapshot)
    assert [view.offer_id for view in snapshot.offers] == [sent.offer_id]


# Ended early


async def test_withdrawn_offer_ends_its_downloads(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """They say why; nothing of them stays on disk."""
    anna, ben = two
    await ben.limit(down=SLOW)
    await anna.send(["ben"], [str(write(tmp_path / "film", noise(4 * MIB)))])
    got = await offer_when(ben, "offered")
    await ben.accept(got.offer_id, str(tmp_path / "out"))
    await eventually(lambda: landed_in(tmp_path / "out"))
    withdrawn = await anna.withdraw(got.offer_id)
    ended = await offer_when(ben, "withdrawn")
    await eventually(lambda: not landed_in(tmp_path / "out"))
    [transfer] = await ben.transfers()

    assert withdrawn.state == "withdrawn"
    assert "anna withdrew it" in ended.error
    assert transfer.state == "cancelled"
    assert transfer.error == "anna withdrew the offer (ask for it to be sent again)"
    with pytest.raises(UsageError, match="withdrawn already"):
        await ben.accept(got.offer_id)
    assert granted(anna) == 0


async def test_cancelled_download_declines_the_offer(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """If that was all that was wanted of it."""
    anna, ben = two
    await ben.limit(down=SLOW)
    await anna.send(["ben"], [str(write(tmp_path / "film", noise(4 * MIB)))])
    accepted = await ben.accept((await offer_when(ben, "offered")).offer_id)
    await ben.cancel(accepted.transfer_ids[0], delete=True)
    declined = await offer_when(anna, "declined")

    assert declined.peer_name == "ben"
    await nothing_granted(anna)


async def test_declined_offer_ends_its_downloads(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """What landed of it before stays."""
    anna, ben = two
    await ben.limit(down=SLOW)
    paths = [str(write(tmp_path / "note", b"hello")), str(write(tmp_path / "film", noise(4 * MIB)))]
    await anna.send(["ben"], paths)
    got = await offer_when(ben, "offered")
    await ben.accept(got.offer_id, str(tmp_path / "out"))
    await eventually(lambda: "note" in landed_in(tmp_path / "out"))
    declined = await ben.decline(got.offer_id)
    await offer_when(anna, "declined")

    assert declined.state == "declined"
    await eventually(lambda: landed_in(tmp_path / "out") == {"note": b"hello"})
    assert [view.state for view in await ben.offers()] == ["declined"]


async def test_failed_download_fails_the_offer_until_it_is_tried_again(
    two: tuple[Engine, Engine], tmp_path: Path
) -> None:
    """Only here: the offerer still waits."""
    anna, ben = two
    await anna.send(["ben"], [str(write(tmp_path / "note", b"hello"))])
    got = await offer_when(ben, "offered")
    way = tmp_path / "way"
    accepting = ben.accept(got.offer_id, str(way / "deep"))
    write(way, b"a file is in the way")
    with suppress(InvalidPath):  # it may be seen at once
        await accepting
        failed = await offer_when(ben, "failed")
        assert "peerterm retry" in failed.error
        assert (await offer_when(anna, "accepted")).error == ""
        way.unlink()
        await ben.retry(failed.transfer_ids[0])
        await offer_when(anna, "landed")


# Peers that are not there, engines that end


async def test_what_is_gone_is_told_and_comes_when_it_is_back(
    two: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, however often it is asked for."""
    monkeypatch.setattr("peerterm.engine.swarm.RECOVERY_SECONDS", 0.2)
    anna, ben = two
    film = write(tmp_path / "film", noise(2 * MIB))
    await anna.send(["ben"], [str(film)])
    got = await offer_when(ben, "offered")
    film.rename(tmp_path / "away")
    async with closing(ben.events()) as events:
        await ben.accept(got.offer_id, str(tmp_path / "out"))
        dropped = await until(events, SourceDropped)
    (tmp_path / "away").rename(film)
    landed = await offer_when(ben, "landed")

    assert (dropped.name, dropped.reason) == ("anna", "what it had of it has changed or is gone")
    assert landed.offer_id == got.offer_id
    assert landed_in(tmp_path / "out") == {"film": noise(2 * MIB)}


async def test_offer_waits_for_its_peer(tmp_path: Path) -> None:
    """Over restarts of both; the sender can still take it back meanwhile."""
    async with network(tmp_path, "anna", "ben"):
        pass
    async with running(tmp_path, "anna") as anna:
        note, other = write(tmp_path / "note", b"hello"), write(tmp_path / "other", b"other")
        [sent] = await anna.send(["ben"], [str(note)])
        [gone] = await anna.send(["ben"], [str(other)])
        await anna.withdraw(gone.offer_id)
    async with running(tmp_path, "anna") as anna, running(tmp_path, "ben") as ben:
        await until_online(ben, 1)
        got = await offer_when(ben, "offered")
        await offer_when(ben, "withdrawn", name="other")
        await ben.accept(got.offer_id)
        await offer_when(anna, "landed")

        assert sent.state == gone.state == "queued"
        assert got.offer_id == sent.offer_id
        assert landed_in(tmp_path / "ben" / "downloads") == {"note": b"hello"}


async def test_accepted_offer_waits_for_its_sender(tmp_path: Path) -> None:
    """Who may restart in the middle, as may the other; what was fetched counts."""
    async with running(tmp_path, "ben") as ben:
        await ben.limit(down=SLOW)
        async with running(tmp_path, "anna") as anna:
            await until_online(ben, 1)
            await anna.send(["ben"], [str(write(tmp_path / "film", noise(4 * MIB)))])
            got = await offer_when(ben, "offered")
            await ben.accept(got.offer_id)
            await eventually(lambda: landed_in(tmp_path / "ben" / "downloads"))
        assert (await offer_when(ben, "accepted")).error == ""
    async with running(tmp_path, "ben") as ben, running(tmp_path, "anna") as anna:
        await ben.limit(down=0)
        await offer_when(anna, "landed")

        assert landed_in(tmp_path / "ben" / "downloads") == {"film": noise(4 * MIB)}
        assert (await offer_when(ben, "landed")).transfer_ids == [(await ben.transfers())[0].transfer_id]


async def test_offer_is_accepted_while_its_sender_is_away(tmp_path: Path) -> None:
    """It is fetched when the sender is back."""
    async with running(tmp_path, "ben") as ben:
        async with running(tmp_path, "anna") as anna:
            await until_online(ben, 1)
            await anna.send(["ben"], [str(write(tmp_path / "note", b"hello"))])
            got = await offer_when(ben, "offered")
        accepted = await ben.accept(got.offer_id)
        async with running(tmp_path, "anna") as anna:
            await offer_when(anna, "landed")

    assert accepted.state == "accepted"
    assert landed_in(tmp_path / "ben" / "downloads") == {"note": b"hello"}


# What cannot be


@pytest.mark.usefixtures("settled")
async def test_wishes_that_cannot_be_are_refused(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Each with what to do; nothing stays behind."""
    anna, ben = two
    note = str(write(tmp_path / "note", b"hello"))
    many = [str(write(tmp_path / "many" / str(number), b"")) for number in range(MAX_ITEMS + 1)]
    for peers, paths, error in (
        (["nobody"], [note], NotFound),
        (["anna"], [note], UsageError),
        ([(await anna.identity()).peer_id], [note], UsageError),
        ([], [note], UsageError),
        (["ben"], [], UsageError),
        (["ben"], many, UsageError),
        (["ben"], [note, str(tmp_path / "missing")], InvalidPath),
        (["ben"], [note, str(write(tmp_path / "a\x1b[31m", b""))], InvalidName),
        (["ben"], ["note"], InvalidPath),
    ):
        with pytest.raises(error) as refused:
            await anna.send(peers, paths)
        assert refused.value.hint or refused.value.message.endswith("not an absolute path")
    for wish in (ben.accept, ben.decline, ben.withdraw):
        with pytest.raises(NotFound):
            await wish("abcd")

    assert await anna.offers() == []
    assert await private_shares(anna) == 0


async def test_folder_that_cannot_be_used_is_refused(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Before the other is told anything."""
    anna, ben = two
    note = write(tmp_path / "note", b"hello")
    await anna.send(["ben"], [str(note)])
    got = await offer_when(ben, "offered")
    for directory in (str(note), "relative"):
        with pytest.raises(InvalidPath):
            await ben.accept(got.offer_id, directory)

    assert (await offer_when(ben, "offered")).offer_id == got.offer_id


async def test_too_many_open_offers_are_refused(
    two: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To one peer; what was indexed for it is forgotten."""
    monkeypatch.setattr("peerterm.core.offers.MAX_OPEN_OFFERS", 1)
    anna, _ = two
    note = str(write(tmp_path / "note", b"hello"))
    [sent] = await anna.send(["ben"], [note])
    with pytest.raises(EngineBusy):
        await anna.send(["ben"], [note])

    assert [view.offer_id for view in await anna.offers()] == [sent.offer_id]
    await eventually(lambda: granted(anna) == 1)
    assert await private_shares(anna) == 1
    assert MAX_OPEN_OFFERS > 1


async def test_cancelled_sending_leaves_nothing(
    two: tuple[Engine, Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is indexed."""
    monkeypatch.setattr("peerterm.engine.scanning.PROGRESS_SECONDS", 0.001)
    anna, _ = two
    paths = [str(write(tmp_path / "note", b"hello")), str(write(tmp_path / "film", noise(64 * MIB)))]
    async with closing(anna.events()) as events:
        await anext(events)
        sending = asyncio.create_task(anna.send(["ben"], paths))
        while (await until(events, OfferIndexing)).path != paths[1]:
            pass
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert await anna.offers() == []
    assert await private_shares(anna) == 0


async def test_wish_is_fulfilled_though_nobody_waits_for_it(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """What is said is said, and what follows from it is done."""
    anna, ben = two
    await anna.send(["ben"], [str(write(tmp_path / "note", b"hello"))])
    got = await offer_when(ben, "offered")
    accepting = asyncio.create_task(ben.accept(got.offer_id))
    await eventually(lambda: ben.services.sending.views()[0].directory)
    accepting.cancel()

    await offer_when(anna, "landed")


async def test_disk_that_refuses_keeps_nothing(two: tuple[Engine, Engine], tmp_path: Path) -> None:
    """Nothing is said then, and all can be tried again."""
    anna, ben = two
    note = str(write(tmp_path / "note", b"hello"))
    database = anna.services.talking._store._database
    await database.fetch_all("PRAGMA query_only = ON")
    with pytest.raises(StorageError):
        await anna.send(["ben"], [note])
    await database.fetch_all("PRAGMA query_only = OFF")
    [sent] = await anna.send(["ben"], [note])

    assert (await offer_when(ben, "offered")).offer_id == sent.offer_id
