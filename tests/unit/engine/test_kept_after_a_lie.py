"""A file that cannot be had costs nothing of what is proven; and what is to go does go."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from peerterm.core.pieces import Refusal
from peerterm.errors import IntegrityError
from tests.fakes.engines import MIB, noise
from tests.fakes.fake_peer import child
from tests.fakes.fetching import finished, landed, place, transfer_when

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine
    from tests.fakes.fake_peer import FakePeer

pytestmark = pytest.mark.usefixtures("settled")


async def test_impossible_file_of_a_folder_leaves_the_others(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """Only its owner can have listed it wrongly; everything else was asked for by its root."""
    good, bad = noise(3 * MIB, 1), noise(2 * MIB, 2)
    roots = [peer.file(good), peer.file(bad)]
    peer.offer_folder(child("good", roots[0], len(good)), child("wrong", roots[1], len(bad) + 7), files=2)
    peer.refusals = {roots[1]: Refusal.BUSY}
    started = await ben.get("mallory/album")
    await transfer_when(ben, started.transfer_id, lambda view: view.done_files == 1)
    peer.refusals = {}
    failed = await finished(ben, started.transfer_id)

    assert (failed.state, failed.error_code, failed.done_files) == ("failed", IntegrityError.code, 1)
    assert (place(tmp_path) / "album.peerterm-part" / "good").read_bytes() == good
    await ben.cancel(started.transfer_id, delete=True)
    assert landed(tmp_path) == []


async def test_part_with_another_inode_number_is_deleted_too(ben: Engine, peer: FakePeer, tmp_path: Path) -> None:
    """A disk that was mounted again may number its files anew; what is in the part tells whose it is."""
    root = peer.offer(noise(4 * MIB))
    peer.give(2, of=root)
    started = await ben.get("mallory/film.mkv")
    await transfer_when(ben, started.transfer_id, lambda view: view.bytes == 2 * MIB)
    await ben.pause(started.transfer_id)
    part = place(tmp_path) / "film.mkv.peerterm-part"
    shutil.copy(part, tmp_path / "copy")
    os.replace(tmp_path / "copy", part)
    await ben.cancel(started.transfer_id, delete=True)

    assert landed(tmp_path) == []
