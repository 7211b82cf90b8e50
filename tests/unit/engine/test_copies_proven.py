"""What is copied on this machine counts only once its root proves it, however small the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.engines import noise, shared, write
from tests.fakes.fake_peer import child
from tests.fakes.fetching import fetched, place

if TYPE_CHECKING:
    from pathlib import Path

    from peerterm.engine.engine import Engine
    from tests.fakes.fake_peer import FakePeer

pytestmark = pytest.mark.usefixtures("settled")

SMALL = noise(400)


async def share_rotten(engine: Engine, path: Path) -> None:
    """Share a file that has other bytes by now, and shows nothing of it."""
    await shared(engine, write(path, SMALL))
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"BAD!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("good", [False, True])
async def test_small_file_that_rotted_is_not_copied(
    ben: Engine, peer: FakePeer, tmp_path: Path, good: bool
) -> None:
    """The bytes come from a copy that is good, or from the peer."""
    await share_rotten(ben, tmp_path / "rotten")
    if good:
        await shared(ben, write(tmp_path / "sound", SMALL))
    root = peer.file(SMALL)
    peer.offer_folder(child("small", root, len(SMALL)))
    done = await fetched(ben, "mallory/album")

    assert done.state == "done"
    assert (place(tmp_path) / "album" / "small").read_bytes() == SMALL
    assert (done.local_bytes, peer.chunks(root)) == ((len(SMALL), []) if good else (0, [0]))
