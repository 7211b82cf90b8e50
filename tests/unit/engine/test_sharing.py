"""Shares: added, scanned, scanned again, and removed."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from peerterm.api.events import ShareChanged, ShareRemoved
from peerterm.engine import scanning
from peerterm.engine import sharing as module
from peerterm.errors import AmbiguousReference, DiskFull, InvalidName, InvalidPath, NotFound
from peerterm.store.scanner import Scan, ScanResult
from tests.fakes.engines import eventually, first, indexed, noise, running, share_when, shared, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from peerterm.engine.engine import Engine


@pytest.fixture
async def anna(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, "anna") as engine:
        yield engine


class Scans:
    """Every scan of this process: they wait until they may go on, and are counted."""

    def __init__(self) -> None:
        self.started = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self._loop = asyncio.get_running_loop()

    def wait(self) -> None:
        self.started += 1
        asyncio.run_coroutine_threadsafe(self.may_go_on.wait(), self._loop).result(10)

    async def until(self, count: int) -> None:
        await eventually(lambda: self.started >= count)


@pytest.fixture
async def scans(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scans]:
    """Hold scans back in their thread."""
    scans, run = Scans(), Scan.run

    def held_back(self: Scan) -> ScanResult:
        scans.wait()
        return run(self)

    monkeypatch.setattr(Scan, "run", held_back)
    yield scans
    scans.may_go_on.set()


async def test_share_is_indexed_and_shows_what_it_holds(anna: Engine, tmp_path: Path) -> None:
    """A folder has a root and counts; a single file has its flat sum too."""
    write(tmp_path / "album" / "one.ogg", noise(1000))
    write(tmp_path / "album" / "two.ogg", noise(2000, 1))
    await shared(anna, tmp_path / "album")
    await shared(anna, write(tmp_path / "film.mkv", b"film"))
    album, film = await anna.shares()

    assert (album.name, album.kind, album.files, album.bytes, album.sha256) == ("album", "folder", 2, 3000, "")
    assert (film.name, film.kind, film.files, film.bytes) == ("film.mkv", "file", 1, 4)
    assert len(album.root) == len(film.root) == len(film.sha256) == 64
    assert film.seq > album.seq > 0


async def test_progress_is_shown_while_a_scan_runs(
    anna: Engine, tmp_path: Path, scans: Scans, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Subscribers see a share being indexed before it is ready."""
    monkeypatch.setattr(scanning, "PROGRESS_SECONDS", 0.01)
    scans.may_go_on.clear()
    share = await anna.share(str(write(tmp_path / "film.mkv", b"film")))
    await scans.until(1)
    seen = [(await first(anna, ShareChanged)).share.state for _ in range(2)]
    scans.may_go_on.set()

    assert seen == ["indexing", "indexing"]
    assert (await indexed(anna, share.share_id)).state == "ready"


async def test_rescan_during_a_scan_runs_once_more(anna: Engine, tmp_path: Path, scans: Scans) -> None:
    """What changed behind the back of a running scan is found; many wishes are one more scan."""
    write(tmp_path / "share" / "old", b"old")
    scans.may_go_on.clear()
    share = await anna.share(str(tmp_path / "share"))
    await scans.until(1)
    for _ in range(3):
        assert [view.share_id for view in await anna.rescan()] == [share.share_id]
    write(tmp_path / "share" / "new", b"new")
    scans.may_go_on.set()
    await scans.until(2)
    view = await indexed(anna, share.share_id)

    assert view.files == 2
    assert scans.started == 2


async def test_one_scan_runs_at_a_time(anna: Engine, tmp_path: Path, scans: Scans) -> None:
    """The second share waits for its turn; both get ready."""
    scans.may_go_on.clear()
    views = [await anna.share(str(write(tmp_path / name, b"x"))) for name in ("a", "b")]
    await scans.until(1)
    assert scans.started == 1
    scans.may_go_on.set()

    assert [(await indexed(anna, view.share_id)).state for view in views] == ["ready", "ready"]


@pytest.mark.parametrize("is_wanted_again", [False, True])
async def test_unshare_during_a_scan_ends_it(
    anna: Engine, tmp_path: Path, scans: Scans, is_wanted_again: bool
) -> None:
    """Nothing of the share is left, a rescan that was to follow neither, and the next share is scanned."""
    write(tmp_path / "share" / "film.mkv", b"film")
    scans.may_go_on.clear()
    share = await anna.share(str(tmp_path / "share"))
    await scans.until(1)
    if is_wanted_again:
        await anna.rescan(share.share_id)
    unsharing = asyncio.ensure_future(anna.unshare(share.share_id))
    await asyncio.sleep(0)
    scans.may_go_on.set()
    removed = await unsharing

    assert removed.share_id == share.share_id
    assert await anna.shares() == []
    await shared(anna, write(tmp_path / "other", b"x"))
    assert [view.name for view in await anna.shares()] == ["other"]
    assert scans.started == 2


async def test_engine_that_stops_ends_its_scans(tmp_path: Path, scans: Scans) -> None:
    """A stop does not wait for a large share; the next engine scans it."""
    scans.may_go_on.clear()
    async with running(tmp_path, "anna") as anna:
        await anna.share(str(write(tmp_path / "film.mkv", b"film")))
        await scans.until(1)
        await anna.rescan()
        asyncio.get_running_loop().call_later(0.05, scans.may_go_on.set)
    async with running(tmp_path, "anna") as anna:
        (view,) = await anna.shares()
        ready = await share_when(anna, view.share_id, lambda view: view.state == "ready")

    assert view.root == ""
    assert ready.files == 1


async def test_unshare_is_an_event(anna: Engine, tmp_path: Path) -> None:
    """A subscriber hears that a share is gone; its files stay."""
    film = write(tmp_path / "film.mkv", b"film")
    await shared(anna, film)
    (view,) = await anna.shares()
    removed = await first(anna, ShareRemoved, after=lambda: asyncio.ensure_future(anna.unshare("film.mkv")))

    assert removed.share_id == view.share_id
    assert film.exists()


async def test_share_whose_path_vanished_is_missing(anna: Engine, tmp_path: Path) -> None:
    """It says so, stays listed, and is ready again when the path is back."""
    film = write(tmp_path / "film.mkv", b"film")
    await shared(anna, film)
    film.rename(tmp_path / "away")
    (view,) = await anna.rescan("film.mkv")
    missing = await share_when(anna, view.share_id, lambda view: view.state == "missing")
    (tmp_path / "away").rename(film)
    await anna.rescan("film.mkv")
    back = await share_when(anna, view.share_id, lambda view: view.state == "ready")

    assert missing.state == "missing"
    assert "No such file" in missing.error
    assert (back.state, back.error) == ("ready", "")


async def test_share_that_vanished_while_the_engine_was_away_is_missing(tmp_path: Path) -> None:
    """The first scan after a start finds out."""
    film = write(tmp_path / "film.mkv", b"film")
    async with running(tmp_path, "anna") as anna:
        await shared(anna, film)
    film.unlink()
    async with running(tmp_path, "anna") as anna:
        (view,) = await anna.shares()
        missing = await share_when(anna, view.share_id, lambda view: view.state == "missing")

    assert missing.root == view.root


async def test_scan_that_fails_says_why(anna: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is full is shown with what to do; the engine lives, and a rescan heals."""

    def fail(_: Scan) -> ScanResult:
        raise DiskFull("no space left", "free some space")

    with monkeypatch.context() as patch:
        patch.setattr(Scan, "run", fail)
        view = await anna.share(str(write(tmp_path / "film.mkv", b"film")))
        failed = await indexed(anna, view.share_id)
    await anna.rescan()
    healed = await share_when(anna, view.share_id, lambda view: view.state == "ready")

    assert (failed.state, failed.error) == ("failed", "no space left (free some space)")
    assert healed.error == ""


async def test_what_is_left_out_is_listed(anna: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few lines with reasons, and how many more there are; after a restart still."""
    monkeypatch.setattr(module, "MAX_SKIPPED_SHOWN", 2)
    write(tmp_path / "share" / "film.mkv", b"film")
    for name in ("a", "b", "c"):
        os.mkfifo(tmp_path / "share" / name)
    await shared(anna, tmp_path / "share")
    (view,) = await anna.shares()

    assert len(view.skipped) == 3
    assert set(view.skipped[:2]) < {f"{name}: a named pipe" for name in "abc"}
    assert view.skipped[2] == "and 1 more"


async def test_left_out_files_are_still_listed_after_a_restart(tmp_path: Path) -> None:
    """What the last scan said is known before the next one."""
    write(tmp_path / "share" / "film.mkv", b"film")
    os.mkfifo(tmp_path / "share" / "pipe")
    async with running(tmp_path, "anna") as anna:
        await shared(anna, tmp_path / "share")
    async with running(tmp_path, "anna") as anna:
        (view,) = await anna.shares()

    assert view.skipped == ["pipe: a named pipe"]


async def test_share_can_be_called_by_id_start_name_or_path(anna: Engine, tmp_path: Path) -> None:
    """Whatever is unique is enough; nothing is no name."""
    await shared(anna, film := write(tmp_path / "film.mkv", b"film"))
    (view,) = await anna.shares()

    for reference in (view.share_id, view.share_id[:5], "film.mkv", str(film)):
        assert [found.share_id for found in await anna.rescan(reference)] == [view.share_id]
    with pytest.raises(NotFound):
        await anna.unshare("")
    with pytest.raises(NotFound):
        await anna.rescan("nothing")


async def test_start_that_fits_two_ids_is_not_guessed(anna: Engine, tmp_path: Path) -> None:
    """The user is asked for more."""
    starts = [(await anna.share(str(write(tmp_path / f"-{number}", b"x")))).share_id[0] for number in range(17)]

    with pytest.raises(AmbiguousReference):
        await anna.unshare(max(starts, key=starts.count))


async def test_names_are_free_or_numbered(anna: Engine, tmp_path: Path) -> None:
    """Equal names of different folders are told apart; a name the user chose is taken as it is or refused."""
    for parent in ("a", "b", "c"):
        write(tmp_path / parent / "films" / "x", b"x")
        await anna.share(str(tmp_path / parent / "films"))
    named = await anna.share(str(tmp_path / "a"), name="Everything")

    assert sorted(view.name for view in await anna.shares()) == ["Everything", "films", "films (2)", "films (3)"]
    assert named.name == "Everything"
    for name in ("films", "../x", "x" * 300):
        with pytest.raises(InvalidName):
            await anna.share(str(tmp_path / "b"), name=name)


async def test_paths_that_are_no_share_are_refused(anna: Engine, tmp_path: Path) -> None:
    """Each error names the path and says what it is."""
    (tmp_path / "link").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")

    for path, what in {
        "relative": "not an absolute path",
        str(tmp_path / "absent"): "no such file",
        str(tmp_path / "link"): "a symbolic link",
        str(tmp_path / "pipe"): "neither a file nor a folder",
        str(write(tmp_path / "file", b"x") / "below"): "Not a directory",
        str(tmp_path / ("x" * 300)): "File name too long",
    }.items():
        with pytest.raises(InvalidPath, match=what):
            await anna.share(path)
