"""A search that leaves something out says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from peerterm.api.views import SearchQuery
from peerterm.engine import searching
from peerterm.wire.messages import MAX_HITS
from tests.fakes.engines import running, shared, until_online, write
from tests.fakes.fake_peer import fake_peer, root_of, wire_entry

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.wire.messages import Entry

pytestmark = pytest.mark.usefixtures("settled")


def films(count: int) -> list[Entry]:
    """Return so many contents that a peer offers."""
    return [wire_entry(root_of(f"{n}".encode()), f"film {n}", size=4) for n in range(count)]


@pytest.mark.parametrize(("count", "is_cut"), [(0, False), (1, False), (MAX_HITS - 1, False), (MAX_HITS, True)])
async def test_peer_that_gave_all_it_may_can_have_more(tmp_path: Path, count: int, is_cut: bool) -> None:
    """The last hit comes again and says that there may be more; no other does."""
    async with running(tmp_path, "anna") as anna, fake_peer(tmp_path, anna) as peer:
        await until_online(anna, 1)
        peer.entries = films(count)
        found = [hit async for hit in anna.search(SearchQuery(text="film"))]

    assert [hit.more for hit in found] == [False] * count + [True] * is_cut
    assert not is_cut or found[-1].root == found[-2].root


@pytest.mark.parametrize(("count", "is_cut"), [(2, False), (3, True)])
async def test_more_contents_than_are_listed_are_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, is_cut: bool
) -> None:
    """What this machine has counts like everybody's; a further holder of it does not."""
    monkeypatch.setattr(searching, "MAX_MERGED_HITS", 3)
    async with running(tmp_path, "anna") as anna, fake_peer(tmp_path, anna) as peer:
        own = await shared(anna, write(tmp_path / "film", b"film"))
        await until_online(anna, 1)
        peer.entries = [wire_entry(root_of(b"film"), "same film", size=4), *films(count - 1)]
        found = [hit async for hit in anna.search(SearchQuery(text="film"))]

    assert len({hit.root for hit in found}) == count
    assert found[0].root == own
    assert [hit.more for hit in found] == [False] * (count + 1) + [True] * is_cut
