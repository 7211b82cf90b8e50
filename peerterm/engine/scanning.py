"""One scan, from the settings to its result. Called by ``engine.sharing`` and ``engine.grants``."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from peerterm.errors import InvalidPath
from peerterm.store.completion import to_its_end
from peerterm.store.ignore import IgnoreRules
from peerterm.store.scanner import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from peerterm.config import FileSettings
    from peerterm.core.listing import EntryKind
    from peerterm.store.scanner import FileKey, KnownFile, ScanProgress, ScanResult

PROGRESS_SECONDS = 0.2


async def scanned(
    path: Path,
    settings: FileSettings,
    cache: Mapping[FileKey, KnownFile],
    on_progress: Callable[[ScanProgress], None],
) -> ScanResult:
    """Scan a file or folder.

    Args:
        path: Absolute.
        settings: What is left out, and how fast it goes.
        cache: What was hashed before.
        on_progress: Told every ``PROGRESS_SECONDS`` how far it is.

    Raises:
        PeertermError: The whole of it cannot be shared.

    Cancel: Safe; the scan has ended then.
    """
    ignore = await asyncio.to_thread(
        IgnoreRules.from_share, path, tuple(settings.ignore), share_hidden=settings.share_hidden
    )
    rate = settings.scan_rate or None
    scan = Scan(path, ignore=ignore, cache=cache, threads=settings.scan_threads, bytes_per_second=rate)
    running = asyncio.ensure_future(asyncio.to_thread(scan.run))
    try:
        while not (await asyncio.wait([running], timeout=PROGRESS_SECONDS))[0]:
            on_progress(scan.progress())
    finally:
        scan.cancel()
        await to_its_end(asyncio.wait([running]))
        running.exception()  # nobody else asks if whoever waits is cancelled
    return running.result()


def shareable_kind(path: str) -> EntryKind:
    """Look at what a user wants to share, before any promise is made.

    Raises:
        InvalidPath: It is relative, missing, unreadable, or neither file nor folder.
    """
    place = Path(path)
    if not place.is_absolute():
        raise InvalidPath(f"{path}: not an absolute path")
    try:
        mode = place.lstat().st_mode
        if stat.S_ISDIR(mode):
            next(place.iterdir(), None)
            return "folder"
        if stat.S_ISREG(mode):
            with place.open("rb"):
                return "file"
    except FileNotFoundError as error:
        raise InvalidPath(f"{path}: no such file or folder", "check the spelling") from error
    except OSError as error:
        raise InvalidPath(f"{path}: {error.strerror}", "check its permissions: ls -ld shows them") from error
    what = "a symbolic link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
    raise InvalidPath(f"{path}: {what}", "share what it points to" if stat.S_ISLNK(mode) else "")
