"""peerterm.store.scanner, with peerterm.store.hashing: real trees, honest and hostile."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from peerterm.core.listing import decode_listing
from peerterm.core.manifest import CHUNK_BYTES, EMPTY_ROOT, chunk_digest, head_of
from peerterm.errors import InvalidPath
from peerterm.store import scanner
from peerterm.store.hashing import Meter, hash_file
from peerterm.store.ignore import IgnoreRules
from peerterm.store.scanner import MAX_SKIPPED, FileKey, KnownFile, Scan, ScanCancelled, ScannedEntry, ScanResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peerterm.core.ids import Root


def make_scan(
    path: Path,
    *,
    ignore: IgnoreRules | None = None,
    cache: Mapping[FileKey, KnownFile] | None = None,
    bytes_per_second: int | None = None,
) -> Scan:
    return Scan(
        path, ignore=ignore or IgnoreRules(), cache=cache or {}, threads=2, bytes_per_second=bytes_per_second
    )


def by_path(result: ScanResult) -> dict[str, ScannedEntry]:
    return {"/".join(entry.path): entry for entry in result.entries}


def reasons(result: ScanResult) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in result.skipped}


def known(result: ScanResult) -> dict[FileKey, KnownFile]:
    return {
        FileKey(entry.device, entry.inode, entry.size, entry.mtime_ns): KnownFile(entry.root, entry.sha256)
        for entry in result.entries
        if entry.sha256 is not None
    }


def tree_from_listings(result: ScanResult, root: Root, path: tuple[str, ...] = ()) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for child in decode_listing(result.listings[root]):
        below = (*path, child.name)
        found["/".join(below)] = child.root
        if child.kind == "folder":
            found |= tree_from_listings(result, child.root, below)
    return found


@pytest.fixture
def share(tmp_path: Path) -> Path:
    top = tmp_path / "share"
    (top / "sub" / "deeper").mkdir(parents=True)
    (top / "empty folder").mkdir()
    (top / "empty").touch()
    (top / "small").write_bytes(b"hello")
    (top / "sub" / "exact").write_bytes(b"x" * CHUNK_BYTES)
    (top / "sub" / "deeper" / "large").write_bytes(b"y" * (2 * CHUNK_BYTES + 7))
    (top / "sub" / "tool").write_bytes(b"#!/bin/sh\n")
    (top / "sub" / "tool").chmod(0o755)
    return top


def test_every_file_gets_its_hashes(share: Path) -> None:
    """Size, flat hash and root of every file are those of its bytes."""
    result = make_scan(share).run()

    files = [entry for entry in result.entries if entry.kind == "file"]
    assert len(files) == 5
    for entry in files:
        data = share.joinpath(*entry.path).read_bytes()
        digests = b"".join(chunk_digest(data[at : at + CHUNK_BYTES]) for at in range(0, len(data), CHUNK_BYTES))
        assert entry.size == len(data)
        assert entry.sha256 == hashlib.sha256(data).digest()
        assert entry.root == head_of(len(data), digests).root
        assert (entry.root in result.digests) == (len(data) > CHUNK_BYTES)
        if entry.root in result.digests:
            assert result.digests[entry.root] == digests
        status = share.joinpath(*entry.path).stat()
        assert (entry.device, entry.inode, entry.ctime_ns) == (status.st_dev, status.st_ino, status.st_ctime_ns)
        assert entry.mtime_ns == status.st_mtime_ns
        assert entry.executable == (entry.path[-1] == "tool")
    assert by_path(result)["empty"].root == EMPTY_ROOT


def test_folders_sum_up_and_list_what_is_below(share: Path) -> None:
    """A folder counts all files below it, and its listings lead to every entry."""
    result = make_scan(share).run()
    entries = by_path(result)

    assert (entries["sub"].size, entries["sub"].files) == (3 * CHUNK_BYTES + 17, 3)
    assert (entries[""].size, entries[""].files) == (3 * CHUNK_BYTES + 22, 5)
    assert (entries["empty folder"].size, entries["empty folder"].files) == (0, 0)
    assert tree_from_listings(result, entries[""].root) == {
        path: entry.root for path, entry in entries.items() if path
    }
    for entry in entries.values():
        if entry.kind == "folder":
            assert (entry.mtime_ns, entry.executable, entry.sha256) == (0, False, None)


def test_folder_stands_before_what_is_in_it(share: Path) -> None:
    """A reader of the entries knows a folder before its children."""
    paths = [entry.path for entry in make_scan(share).run().entries]

    assert paths[0] == ()
    for place, path in enumerate(paths[1:], 1):
        assert paths.index(path[:-1]) < place


def test_single_file_is_a_share(share: Path) -> None:
    """A share of one file has one entry, without a path."""
    result = make_scan(share / "small").run()

    assert [(entry.path, entry.kind, entry.size) for entry in result.entries] == [((), "file", 5)]
    assert result.entries[0].sha256 == hashlib.sha256(b"hello").digest()
    assert make_scan(share / "small", cache=known(result)).run().entries == result.entries


def test_ignored_litter_moves_no_root(share: Path) -> None:
    """What is ignored leaves no trace, not even by changing a folder's time."""
    before = make_scan(share).run()
    (share / "sub" / ".hidden").write_bytes(b"x")
    (share / "sub" / "Thumbs.db").write_bytes(b"x")
    (share / ".git").mkdir()
    (share / ".git" / "config").write_bytes(b"x")

    after = make_scan(share).run()

    assert after.listings == before.listings
    assert after.skipped == []


def test_known_files_are_not_read(share: Path) -> None:
    """A file whose identity is in the cache keeps the hashes given, whatever it contains; a move costs no hash."""
    first = make_scan(share).run()
    (share / "sub" / "deeper" / "large").rename(share / "moved")
    scan = make_scan(share, cache=known(first))
    (share / "sub" / "exact").chmod(0)

    second = scan.run()

    assert by_path(second)["moved"].root == by_path(first)["sub/deeper/large"].root
    assert by_path(second)["sub/exact"].root == by_path(first)["sub/exact"].root
    assert second.digests == {}
    progress = scan.progress()
    assert (progress.done_files, progress.done_bytes, progress.eta) == (5, progress.bytes, 0.0)


def test_only_regular_files_and_folders_are_shared(share: Path) -> None:
    """Links, pipes, sockets and devices are left out with a reason, and nothing waits for them."""
    (share / "link").symlink_to("/etc/hostname")
    (share / "folder link").symlink_to("sub")
    (share / "loop").symlink_to(".")
    (share / "dangling").symlink_to("nowhere")
    os.mkfifo(share / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(share / "socket"))
        result = make_scan(share).run()

    assert reasons(result) == {
        **dict.fromkeys(["link", "folder link", "loop", "dangling"], "a symbolic link"),
        "pipe": "a named pipe",
        "socket": "a socket",
    }
    assert result.skipped_count == 6
    assert by_path(result)[""].files == 5


def test_names_nobody_could_fetch_are_left_out(share: Path) -> None:
    """Bad names are left out, with a path that can be encoded and printed."""
    bad = [b"not \xff utf-8", b"new\nline", b"back\\slash", "c1 \x85".encode()]
    for name in bad:
        Path(os.fsdecode(os.fsencode(share) + b"/" + name)).touch()

    result = make_scan(share).run()

    assert result.skipped_count == len(bad)
    assert all(skipped.path.encode() for skipped in result.skipped)
    assert "not \\xff utf-8" in reasons(result)
    assert by_path(result)[""].files == 5


def test_unicode_forms_are_kept_apart(share: Path) -> None:
    """Composed and decomposed names are two files, each under its own bytes; 255 bytes are a name."""
    names = [unicodedata.normalize(form, "Größe é") for form in ("NFC", "NFD")] + ["ü" * 127 + "x"]
    for name in names:
        (share / name).write_bytes(name.encode())

    entries = by_path(make_scan(share).run())

    for name in names:
        assert entries[name].sha256 == hashlib.sha256(name.encode()).digest()


def test_deep_trees_are_shared_to_the_limit(tmp_path: Path) -> None:
    """Forty levels are ordinary; below the limit a path could not travel, so it is left out."""
    deep = tmp_path / "share"
    deep.mkdir()
    for level in range(70):
        (deep / f"file {level}").write_bytes(b"%d" % level)
        deep /= "d"
        deep.mkdir()

    result = make_scan(tmp_path / "share").run()

    assert "/".join([*["d"] * 40, "file 40"]) in by_path(result)
    assert max(len(entry.path) for entry in result.entries) == 63
    assert set(reasons(result).values()) == {"too many folders deep"}


def test_long_paths_are_left_out(tmp_path: Path) -> None:
    """A path that is too long to travel is left out, though its names are short enough."""
    top = os.open(tmp_path, os.O_RDONLY)
    for _ in range(16):
        os.mkdir("x" * 255, dir_fd=top)
        below = os.open("x" * 255, os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)

    result = make_scan(tmp_path).run()

    assert max(len(entry.path) for entry in result.entries) == 15
    assert set(reasons(result).values()) == {"its path is too long"}


def test_impossible_sizes_and_times_are_left_out(share: Path) -> None:
    """A file over the limit is not read, and a time that no listing holds is refused."""
    with (share / "huge").open("wb") as file:
        file.truncate(1024**4 + 1)
    (share / "from the future").touch()
    os.utime(share / "from the future", ns=(2**63, 2**63))

    result = make_scan(share).run()

    assert reasons(result)["huge"] == "larger than 1 TiB"
    if (share / "from the future").stat().st_mtime_ns >= 2**63:
        assert reasons(result)["from the future"] == "its modification time is out of range"


def test_too_many_entries_are_an_error(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share over the limit is refused as a whole, with advice."""
    monkeypatch.setattr(scanner, "MAX_ENTRIES", 7)
    with pytest.raises(InvalidPath, match="more than 7 files") as caught:
        make_scan(share).run()

    assert caught.value.hint


def test_report_of_what_is_left_out_is_bounded(share: Path) -> None:
    """Of very many entries left out only the first are named; all are counted."""
    for number in range(MAX_SKIPPED + 5):
        (share / f"link {number}").symlink_to("small")

    result = make_scan(share).run()

    assert len(result.skipped) == MAX_SKIPPED
    assert result.skipped_count == MAX_SKIPPED + 5


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "huge"])
def test_top_that_cannot_be_shared_is_an_error(tmp_path: Path, kind: str) -> None:
    """A top that is missing, a link, not regular or too large is named in the error."""
    top = tmp_path / kind
    if kind == "link":
        top.symlink_to(tmp_path)
    elif kind == "pipe":
        os.mkfifo(top)
    elif kind == "huge":
        with top.open("wb") as file:
            file.truncate(1024**4 + 1)

    with pytest.raises(InvalidPath, match=kind):
        make_scan(top).run()


def test_what_vanishes_or_turns_into_a_link_is_left_out(share: Path) -> None:
    """Between walk and hash, a file that is gone or became a link is left out, and no link followed."""
    secret = share.parent / "secret"
    secret.write_bytes(b"secret")
    scan = make_scan(share)
    hash_pending = scan._hash_pending

    def vandalise_then_hash(top: int) -> None:
        (share / "empty").unlink()
        (share / "small").unlink()
        (share / "small").symlink_to(secret)
        hash_pending(top)

    scan._hash_pending = vandalise_then_hash  # type: ignore[method-assign]
    result = scan.run()

    assert set(reasons(result)) == {"small", "empty"}
    assert all(entry.sha256 != hashlib.sha256(b"secret").digest() for entry in result.entries)
    progress = scan.progress()
    assert (progress.files, progress.done_files, progress.done_bytes) == (3, 3, progress.bytes)


def test_folder_swapped_for_a_link_is_not_entered(share: Path) -> None:
    """A folder that becomes a link after it was seen is left out, and what it points to stays private."""
    private = share.parent / "private"
    private.mkdir()
    (private / "secret").write_bytes(b"secret")

    def swap() -> None:
        (share / "sub").rename(share.parent / "aside")
        (share / "sub").symlink_to(private)

    scan = make_scan(share)
    walk = scan._walk

    def walk_then_swap(top: int, folder: scanner._Folder) -> list[scanner._Folder]:
        below = walk(top, folder)
        if not folder.path:
            swap()
        return below

    scan._walk = walk_then_swap  # type: ignore[method-assign]
    result = scan.run()

    assert "sub" in reasons(result)
    assert "sub" not in by_path(result)
    assert all("secret" not in entry.path for entry in result.entries)


class Meddler(Meter):
    """A meter that does something to the file after each chunk that is hashed, a given number of times."""

    def __init__(self, deed: object, times: int) -> None:
        super().__init__(None)
        self.deed, self.left = deed, times

    def pace(self, count: int) -> None:
        super().pace(count)
        if self.left and callable(self.deed):
            self.left -= 1
            self.deed()


def test_file_that_changes_while_hashed_is_hashed_again(share: Path) -> None:
    """The hashes are those of the file after it came to rest."""
    path = share / "small"
    scan = make_scan(path)
    scan._meter = Meddler(lambda: path.write_bytes(path.read_bytes() + b"!"), 3)

    result = scan.run()

    assert result.entries[0].size == 8
    assert result.entries[0].sha256 == hashlib.sha256(b"hello!!!").digest()
    assert scan.progress().done_bytes == scan.progress().bytes == 8


def test_file_that_never_rests_is_left_out(share: Path) -> None:
    """After three retries the scan goes on without the file, and its bytes are not counted."""
    path = share / "sub" / "deeper" / "large"
    os.truncate(path, 10)
    scan = make_scan(share / "sub" / "deeper")
    scan._meter = meter = Meddler(lambda: path.write_bytes(path.read_bytes() + b"!"), 99)

    result = scan.run()

    assert reasons(result) == {"large": "keeps changing while it is read"}
    assert meter.left == 95
    assert (scan.progress().files, scan.progress().bytes, scan.progress().done_bytes) == (0, 0, 0)


def test_single_file_that_never_rests_is_an_error(share: Path) -> None:
    """A share of one file that cannot be hashed says so."""
    path = share / "small"
    scan = make_scan(path)
    scan._meter = Meddler(lambda: path.write_bytes(path.read_bytes() + b"!"), 99)

    with pytest.raises(InvalidPath, match="keeps changing"):
        scan.run()


def test_file_that_shrinks_while_hashed_has_no_hash(share: Path) -> None:
    """Fewer bytes than announced end the attempt, and what was counted is taken back."""
    path = share / "sub" / "deeper" / "large"
    meter = Meddler(lambda: os.truncate(path, 5), 1)
    descriptor = os.open(path, os.O_RDONLY)

    with ThreadPoolExecutor(1) as helper:
        hashes = hash_file(descriptor, os.fstat(descriptor), bytearray(CHUNK_BYTES), helper, meter)
    os.close(descriptor)

    assert hashes is None
    assert meter.progress().done_bytes == 0


def test_cancelled_scan_stops(share: Path) -> None:
    """A scan that was cancelled stops in the walk."""
    scan = make_scan(share)
    scan.cancel()

    with pytest.raises(ScanCancelled):
        scan.run()


def test_scan_is_slowed_observed_and_cancelled_from_another_thread(share: Path) -> None:
    """A throttled scan reports how far it is, and cancelling ends its wait at once."""
    scan = make_scan(share / "sub", bytes_per_second=CHUNK_BYTES // 64)
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(scan.run())
        except ScanCancelled as error:
            outcome.append(error)

    assert scan.progress().eta is None
    thread = threading.Thread(target=run)
    thread.start()
    while not scan.progress().done_bytes:
        assert thread.is_alive()
    progress = scan.progress()
    start = perf_counter()
    scan.cancel()
    thread.join(10)

    assert isinstance(outcome[0], ScanCancelled)
    assert perf_counter() - start < 5
    assert progress.files == 3
    assert progress.done_bytes <= progress.bytes == 3 * CHUNK_BYTES + 17
    assert progress.eta is not None
    assert progress.eta >= 0


def test_rate_is_kept(tmp_path: Path) -> None:
    """Reading takes at least as long as the rate demands."""
    (tmp_path / "x").write_bytes(bytes(20_000))
    start = perf_counter()

    make_scan(tmp_path, bytes_per_second=100_000).run()

    assert perf_counter() - start >= 0.19


def test_large_listing_has_digests_too(tmp_path: Path) -> None:
    """A listing of several chunks can be served: its digests come with it."""
    for number in range(5000):
        (tmp_path / f"{number:04}{'x' * 200}").touch()

    result = make_scan(tmp_path).run()

    root = result.entries[0].root
    assert len(result.listings[root]) > CHUNK_BYTES
    assert head_of(len(result.listings[root]), result.digests[root]).root == root


def test_unreadable_folder_is_left_out(share: Path) -> None:
    """A folder that cannot be opened is reported, and the rest shared."""
    scan = make_scan(share)
    walk = scan._walk

    def walk_after_removal(top: int, folder: scanner._Folder) -> list[scanner._Folder]:
        below = walk(top, folder)
        if not folder.path:
            (share / "empty folder").rmdir()
        return below

    scan._walk = walk_after_removal  # type: ignore[method-assign]
    result = scan.run()

    assert reasons(result) == {"empty folder": "No such file or directory"}
    assert by_path(result)[""].files == 5
