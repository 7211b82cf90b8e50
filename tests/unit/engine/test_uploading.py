"""Uploads: what lanes are given, what peers are told, and what is counted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from peerterm.core.bitfield import Bitfield
from peerterm.core.ids import PeerId, Root, ShareId
from peerterm.core.manifest import CHUNK_BYTES
from peerterm.core.pieces import Piece, PieceKind, PieceRefused, Refusal
from peerterm.engine import uploading as module
from peerterm.engine.granted import Granted
from peerterm.engine.uploading import Uploads
from peerterm.store.catalog import CatalogReader
from peerterm.store.database import Database
from peerterm.store.grants import GrantStore
from peerterm.store.ignore import IgnoreRules
from peerterm.store.scanner import Scan
from peerterm.store.shares import ShareStore
from peerterm.wire.messages import Have, HaveUpdate
from tests.fakes.engines import noise, write
from tests.fakes.fake_peer import root_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.reading import SharedContent
    from peerterm.net.link import Link
    from peerterm.wire.messages import Message

FILM = noise(2 * CHUNK_BYTES)
SHARED, HELD, UNKNOWN = root_of(FILM), Root(b"h" * 32), Root(b"u" * 32)
ANNA, BEN = PeerId("a" * 64), PeerId("b" * 64)


class Ear:
    """As much of a link as is told news."""

    peer_id = ANNA

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def send(self, message: Message) -> None:
        self.heard.append(message)


class OnItsWay:
    """A content on its way, with these bits."""

    def __init__(self, bits: Bitfield | None) -> None:
        self.held = bits

    def read_piece(self, piece: Piece) -> bytes | None:
        del piece
        return None


def bits_of(size: int, *chunks: int) -> Bitfield:
    bits = Bitfield(size)
    for chunk in chunks:
        bits.set(chunk)
    return bits


@pytest.fixture
async def uploads(tmp_path: Path) -> AsyncIterator[Uploads]:
    """Yield uploads of a share that holds one film."""
    database = await Database.open(tmp_path / "state.db")
    store, share = ShareStore(database), ShareId("00000001")
    write(tmp_path / "share" / "film.mkv", FILM)
    await store.add(share, "share", tmp_path / "share", "folder", "everyone")
    rules = IgnoreRules.from_share(tmp_path / "share", (), share_hidden=False)
    scan = Scan(tmp_path / "share", ignore=rules, cache={}, threads=1, bytes_per_second=None)
    await store.apply_scan(share, await asyncio.to_thread(scan.run))
    yield Uploads(CatalogReader(database), Granted(GrantStore(database)))
    await database.close()


async def shared(uploads: Uploads, root: Root) -> SharedContent:
    return await asyncio.to_thread(uploads.shared, root, ANNA)


async def refusal_of(uploads: Uploads, root: Root) -> Refusal:
    with pytest.raises(PieceRefused) as raised:
        await shared(uploads, root)
    return raised.value.refusal


def interested(uploads: Uploads, ear: Ear, *roots: Root) -> asyncio.Task[list[Have]]:
    return asyncio.ensure_future(uploads.interested(cast("Link", ear), list(roots)))


async def test_lane_finds_files_and_listings_of_the_catalog(uploads: Uploads, tmp_path: Path) -> None:
    """A root leads to the file and its digests; a folder's root to its listing."""
    film = await shared(uploads, SHARED)
    with uploads.open_reader(ANNA) as reader:
        chunk = await asyncio.to_thread(reader.read_piece, Piece(SHARED, PieceKind.CHUNK, 1))
        data = bytes(chunk)

    assert film.size == len(FILM)
    assert [file.path for file in film.files] == [tmp_path / "share" / "film.mkv"]
    assert data == FILM[CHUNK_BYTES:]
    assert await refusal_of(uploads, UNKNOWN) == Refusal.NOT_FOUND
    assert uploads.held(SHARED) is None


async def test_lookups_are_remembered_until_the_catalog_changes(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same value serves again; after ``forget`` it is looked up anew; the memory has a bound."""
    first = await shared(uploads, SHARED)
    assert await shared(uploads, SHARED) is first
    uploads.forget()
    second = await shared(uploads, SHARED)
    assert second is not first

    monkeypatch.setattr(module, "MAX_CACHED", 0)
    uploads.forget()
    third = await shared(uploads, SHARED)
    assert await shared(uploads, SHARED) is not third


async def test_lookup_that_the_catalog_overtakes_is_not_remembered(uploads: Uploads) -> None:
    """What was found before a change of the catalog may be wrong after it."""
    looking = asyncio.ensure_future(shared(uploads, SHARED))
    await asyncio.sleep(0)
    uploads.forget()
    first = await looking
    again = await shared(uploads, SHARED)

    assert again == first


async def test_lookup_that_takes_too_long_fails_the_piece(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lane thread never waits for ever for the event loop."""
    monkeypatch.setattr(module, "LOOKUP_SECONDS", 0.0)

    assert await refusal_of(uploads, SHARED) == Refusal.FAILED


async def test_interest_is_answered_with_what_is_here(uploads: Uploads) -> None:
    """Shared contents are complete; those on their way have bits; unknown ones are not named."""
    uploads.hold(HELD, OnItsWay(bits_of(10, 0, 9)))
    uploads.hold(Root(b"n" * 32), OnItsWay(None))
    uploads.hold(Root(b"d" * 32), OnItsWay(bits_of(1, 0)))

    haves = await interested(uploads, Ear(), SHARED, HELD, UNKNOWN, Root(b"n" * 32), Root(b"d" * 32))

    assert haves == [
        Have(root=SHARED, complete=True),
        Have(root=HELD, first=0, bits=b"\x80\x40"),
        Have(root=Root(b"d" * 32), complete=True),
    ]


async def test_who_asked_is_told_of_more_and_of_the_end(uploads: Uploads) -> None:
    """News go to whom they concern, in messages of bounded size."""
    anna, ben, held = Ear(), Ear(), OnItsWay(bits_of(5000))
    uploads.hold(HELD, held)
    await interested(uploads, anna, HELD)
    await interested(uploads, ben, UNKNOWN)
    uploads.grew(HELD, list(range(module.MAX_UPDATE_CHUNKS + 1)))
    uploads.release(HELD, held)

    assert [len(update.chunks) for update in cast("list[HaveUpdate]", anna.heard)] == [
        module.MAX_UPDATE_CHUNKS,
        1,
        0,
    ]
    assert cast("HaveUpdate", anna.heard[-1]).gone
    assert not ben.heard
    assert uploads.held(HELD) is None


async def test_content_that_another_transfer_holds_stays_offered(uploads: Uploads) -> None:
    """The end of one of two transfers of a content is no news."""
    ear, first, second = Ear(), OnItsWay(bits_of(1)), OnItsWay(bits_of(1))
    uploads.hold(HELD, first)
    uploads.hold(HELD, second)
    await interested(uploads, ear, HELD)
    uploads.release(HELD, first)

    assert uploads.held(HELD) is second
    assert not ear.heard


async def test_interests_of_one_link_are_bounded(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that asks about ever more contents is told of the newest only."""
    monkeypatch.setattr(module, "MAX_INTERESTS", 2)
    ear, roots = Ear(), [Root(bytes([number]) * 32) for number in range(3)]
    await interested(uploads, ear, *roots)
    for root in roots:
        uploads.grew(root, [0])

    assert [update.root for update in cast("list[HaveUpdate]", ear.heard)] == roots[1:]


async def test_who_asked_for_what_is_back_is_told(uploads: Uploads) -> None:
    """Of nothing else, and nobody else."""
    anna, ben = Ear(), Ear()
    ben.peer_id = BEN
    await interested(uploads, anna, SHARED, UNKNOWN)
    await interested(uploads, ben, SHARED)
    uploads.offer_again({ANNA}, {SHARED, HELD})

    assert anna.heard == [HaveUpdate(root=SHARED, complete=True)]
    assert not ben.heard


async def test_closed_link_is_told_nothing(uploads: Uploads) -> None:
    """What a link was interested in ends with it."""
    ear = Ear()
    await interested(uploads, ear, UNKNOWN)
    uploads.link_closed(cast("Link", ear))
    uploads.grew(UNKNOWN, [1])

    assert not ear.heard


async def test_uploads_are_shown_while_they_are_going_on(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each peer that gets bytes is one row; a pause ends the row and begins a new count."""
    uploads.sent(ANNA, Piece(SHARED, PieceKind.CHUNK, 0), 1000)
    uploads.sent(ANNA, Piece(SHARED, PieceKind.CHUNK, 1), 500)
    (row,) = uploads.views(lambda peer: f"peer {peer[0]}")

    assert (row.direction, row.name, row.bytes, row.root) == ("up", "to peer a", 1500, SHARED.hex())
    assert row.sources[0].peer_id == ANNA
    assert row.rate > 0
    monkeypatch.setattr(module, "ACTIVE_SECONDS", -1.0)
    assert uploads.views(str) == []
    uploads.sent(ANNA, Piece(SHARED, PieceKind.CHUNK, 1), 7)
    monkeypatch.undo()
    assert [row.bytes for row in uploads.views(str)] == [7]


async def test_peers_that_are_counted_are_bounded(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was served longest ago is forgotten first."""
    monkeypatch.setattr(module, "MAX_SENT", 1)
    for peer in (ANNA, BEN):
        uploads.sent(peer, Piece(SHARED, PieceKind.HEAD, 0), 1)

    assert [row.sources[0].peer_id for row in uploads.views(str)] == [BEN]
